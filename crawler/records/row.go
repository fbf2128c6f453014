package records

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

type (
	result  = crawler.Result
	row     = crawler.Row
	locator = crawler.Locator
)

// Columns of the formats that people read. They are a contract with users: new ones get the next place.
// docs/formats.md says what each means.
const (
	always  = schema.Always
	chosen  = schema.Chosen
	repeats = schema.Repeats
)

// outcomes is how many outcomes there are.
const outcomes = len(crawler.Tallies{}.Counts)

var locators = schema.Of("Locator",
	schema.File(1, "file", func(l *locator) *string { return &l.File }).TextAs(22, "archive_file", chosen|repeats, func(l *locator) string { return l.File }),
	schema.Size(2, "offset", func(l *locator) *int64 { return &l.Offset }).
		ColumnAs(23, "archive_offset", schema.FormNumber, 0, func(l *locator) schema.Cell { return schema.Cell{Number: l.Offset, There: !l.IsZero()} }),
	schema.Size(3, "length", func(l *locator) *int64 { return &l.Length }).
		ColumnAs(24, "archive_length", schema.FormNumber, 0, func(l *locator) schema.Cell { return schema.Cell{Number: l.Length, There: !l.IsZero()} }),
)

// Result is the facts of one fetch, in a part and in a row.
var Result = schema.Of("Result",
	schema.URL(1, "url", func(r *result) *weburl.URL { return &r.URL }).Require().Column(1, always).
		TextAs(2, "host", always|repeats, func(r *result) string { return string(r.URL.Host()) }),
	schema.Enum(2, "outcome", uint8(outcomes-1), func(r *result) *uint8 { return (*uint8)(&r.Outcome) }).
		TextAs(3, "outcome", always|repeats, func(r *result) string { return r.Outcome.String() }),
	schema.Word(3, "reason", func(r *result) *string { return (*string)(&r.Reason) }).Column(4, repeats),
	schema.Count(4, "status", func(r *result) *int { return &r.Status }).Column(5, repeats|schema.Small),
	schema.Foreign(5, "content_type", func(r *result) *string { return &r.ContentType }).Column(6, chosen|repeats),
	schema.Size(6, "bytes", func(r *result) *int64 { return &r.Bytes }).Column(7, always),
	schema.ID(7, "digest", func(r *result) []byte { return r.Digest[:] }).TextAs(8, "digest", 0, func(r *result) string { return r.Digest.String() }),
	schema.Bool(8, "truncated", func(r *result) *bool { return &r.Truncated }).Column(9, always),
	schema.Foreign(9, "title", func(r *result) *string { return &r.Title }).Column(10, chosen),
	schema.URL(10, "redirect_to", func(r *result) *weburl.URL { return &r.RedirectTo }).Column(14, 0),
	schema.Count(11, "links", func(r *result) *int { return &r.Links }).Column(15, always),
	schema.Moment(12, "fetched_at", func(r *result) *time.Time { return &r.FetchedAt }).Column(18, 0),
	schema.Duration(13, "duration", func(r *result) *time.Duration { return &r.Duration }).
		ColumnAs(19, "duration_ms", schema.FormNumber, always, func(r *result) schema.Cell { return schema.Cell{Number: r.Duration.Milliseconds()} }),
	schema.Foreign(14, "ip", func(r *result) *string { return &r.IP }).Column(20, repeats),
	schema.Message(15, "archive", locators, func(r *result) *locator { return &r.Archive }),
	schema.Foreign(16, "etag", func(r *result) *string { return &r.ETag }).Column(25, chosen),
	schema.Foreign(17, "last_modified", func(r *result) *string { return &r.LastModified }).Column(26, chosen),
	schema.Foreign(18, "detail", func(r *result) *string { return &r.Detail }).Column(27, chosen),
	schema.Duration(19, "retry_after", func(r *result) *time.Duration { return &r.RetryAfter }).AtMost(int64(crawler.MaxRetryAfter)),
	schema.Hash(20, "asked", func(r *result) *uint64 { return &r.Asked }),
	schema.Bool(21, "unsent", func(r *result) *bool { return &r.Unsent }),
	schema.Bool(22, "progress", func(r *result) *bool { return &r.Progress }),
)

// Row is what the ledger keeps of a URL, and what exports show.
var Row = schema.Of("Row",
	schema.Message(1, "result", Result, func(r *row) *result { return &r.Result }).Require(),
	schema.Count(2, "depth", func(r *row) *int { return &r.Depth }).Column(11, always|repeats),
	schema.Foreign(3, "via", viaOf).Column(12, 0).Unless(func(r *row) bool { return schema.HasRest(r.Via, originOf(r)) }),
	schema.Foreign(4, "seed", seedOf).Column(13, chosen|repeats).Unless(func(r *row) bool { return schema.HasRest(r.Seed, originOf(r)) }),
	schema.Count(5, "attempts", func(r *row) *int { return &r.Attempts }).Column(16, always|repeats),
	schema.Foreign(6, "fetcher", func(r *row) *string { return &r.Fetcher }).Column(21, repeats),
	schema.Clock(7, "first_seen", func(r *row) *time.Time { return &r.FirstSeen }).Column(17, 0),
	schema.Uint(8, "sequence", func(r *row) *uint64 { return &r.Sequence }),
	schema.Bool(9, "is_seed", func(r *row) *bool { return &r.IsSeed }),
	schema.Bool(10, "requisite", func(r *row) *bool { return &r.Requisite }),
	schema.Count(11, "redirects", func(r *row) *int { return &r.Redirects }),
	schema.Foreign(12, "referrer", func(r *row) *string { return &r.Referrer }),
	schema.Clock(13, "retry_at", func(r *row) *time.Time { return &r.RetryAt }),
	schema.Count(14, "tries", func(r *row) *int { return &r.Tries }),
	schema.Foreign(15, "name", func(r *row) *string { return &r.Name }),
	schema.Bool(16, "inherits", func(r *row) *bool { return &r.Inherits }),
	schema.Count(17, "aliases", func(r *row) *int { return &r.Aliases }),
	schema.ID(18, "want", func(r *row) []byte { return r.Want[:] }),
	schema.Count(19, "spared", func(r *row) *int { return &r.Spared }),
	schema.Count(20, "lapses", func(r *row) *int { return &r.Lapses }),
	schema.Rest(21, "via_here", viaOf, originOf),
	schema.Rest(22, "seed_here", seedOf, originOf),
	schema.Shown(28, "names", schema.FormList, chosen, func(r *row) schema.Cell { return schema.Cell{Text: r.Names, There: r.Names != ""} }),
)

func viaOf(r *row) *string  { return &r.Via }
func seedOf(r *row) *string { return &r.Seed }

// originOf is what most rows' via begins with, and the seed of many.
func originOf(r *row) string { return r.URL.Origin() }
