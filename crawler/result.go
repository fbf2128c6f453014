package crawler

import (
	"time"

	"trawl/crawler/weburl"
)

// Result is the facts of one fetch, as the fetcher saw them. Whether it is tried again is decided where
// it is settled ([RetryPolicy]); the row that users see is a [Row]. A field is a fact,
// and has a line in the table of records.
type Result struct {
	URL          weburl.URL
	Outcome      Outcome // Fetched, Redirected, Unchanged, Failed or Excluded
	Reason       Reason  // set for Failed and Excluded
	Status       int     // HTTP status, 0 when there was no answer
	ContentType  string  // as sent, cut at 256 bytes
	Bytes        int64   // length of the decoded body as stored
	Digest       Digest
	Truncated    bool       // cut by our limit, or by the server (then Failed)
	Title        string     // of an HTML page, white space folded, cut at 512 bytes
	RedirectTo   weburl.URL // where a Redirected points to
	Links        int        // links found on the page, each once, before scope
	FetchedAt    time.Time
	Duration     time.Duration // from the request to the end of the answer
	IP           string        // of the server, "" when none was reached
	Archive      Locator
	ETag         string
	LastModified string
	Detail       string        // one line for people
	RetryAfter   time.Duration // what the server asked for, at most [MaxRetryAfter]
	Asked        uint64        // of a Redirected: [session.CookieDigest] of what was sent
	Unsent       bool          // failed, and no request was sent: there was no connection
	Progress     bool          // failed, and what is kept of the body for the next try became longer
}

// LinkKind says what a link is for; scope treats pages and requisites differently.
type LinkKind uint8

const (
	// LinkPage: a link to another document (a, area, iframe, frame, meta refresh, Link header).
	LinkPage LinkKind = iota
	// LinkRequisite: something the page needs to be shown (img, script, style, font, media).
	LinkRequisite
	// LinkRedirect: the target of a redirect; it inherits depth and seed-ness of its source.
	LinkRedirect
)

// Link is a URL that a page points to.
type Link struct {
	URL  weburl.URL
	Kind LinkKind
}

// Key stands for the link among those of a page or a turn: their texts would be most of what is needed to know them again.
func (l Link) Key() uint64 { return LinkKey(l.URL.Hash(), l.Kind) }

// LinkKey is the key of the link to a URL with the hash.
func LinkKey(url uint64, kind LinkKind) uint64 { return url ^ uint64(kind) }

// PageLinks are links found on one page of a turn. A page's links go into the same part as its result or
// an earlier one, so that a settled page never lacks its links.
type PageLinks struct {
	Page  weburl.URL
	Links []Link
}

// Row is what the ledger keeps of an admitted URL: the newest facts, and what is needed to ask for it
// again. Its exported columns are fixed in docs/formats.md. A field has a line in the table of records.
type Row struct {
	Result

	Depth     int    // links followed from the seed; redirects do not count
	Via       string // the page or redirect that first led here, "" for seeds
	Referrer  string // of where redirects led: the page whose link they began with; Via is the redirect
	Seed      string // the seed as the user gave it, without credentials
	IsSeed    bool   // a seed, or where a seed's redirects led
	Requisite bool   // admitted as a requisite
	Redirects int    // redirects followed up to this URL
	Name      string // path below files/, "" for the one made from the URL; where redirects led, the first line's
	Inherits  bool   // the name is that of the line whose redirects led here first
	Aliases   int    // further names that were given to the URL; records of their own
	Names     string // further files of the URL, with tabs between; only in rows that are read for people
	Want      Digest // the body that a list asks for, zero = any
	Attempts  int    // requests that were sent and settled
	Tries     int    // of them, those that failed and were the URL's own: retries counts them
	Spared    int    // tries that were not counted as the URL's own, see [MaxSpared]
	Fetcher   string // name of the fetcher of the last one
	FirstSeen time.Time
	Sequence  uint64    // order of admission, unique in the ledger
	RetryAt   time.Time // waiting with reason retry: not asked before
	Lapses    int       // lapsed turns this URL was in
}

// Key names the row.
func (r *Row) Key() weburl.URLKey { return r.URL.Key() }

// Retrying reports whether the row waits for another try rather than for its first.
func (r *Row) Retrying() bool { return r.Outcome == Waiting && !r.RetryAt.IsZero() }
