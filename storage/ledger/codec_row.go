package ledger

import (
	"errors"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// outcomes is how many outcomes there are.
const outcomes = len(crawler.Tallies{}.Counts)

var errURL = errors.New("has a URL that is not canonical")

// Fields of a row. Up to 31 the number and the wire fit into one byte.
const (
	rowURL = 1 + iota
	rowOutcome
	rowReason
	rowStatus
	rowContentType
	rowBodyBytes
	rowDigest
	rowTruncated
	rowTitle
	rowRedirectTo
	rowLinks
	rowFetchedAt
	rowDuration
	rowIP
	rowFile
	rowOffset
	rowLength
	rowETag
	rowLastModified
	rowDetail
	rowRetryAfter
	rowDepth
	rowVia
	rowSeed
	rowIsSeed
	rowRequisite
	rowRedirects
	rowName
	rowAttempts
	rowFetcher
	rowFirstSeen
	rowSequence
	rowRetryAt
	rowLapses
	rowAsked
	rowReferrer
	rowUnsent
	rowTries
	rowSpared
	rowAliases
	rowWant
	rowInherits
	rowProgress
)

// encodeRow writes a row into buf, which is used from its start.
func encodeRow(buf []byte, r *crawler.Row) []byte {
	e := encoder{}
	e.begin(buf)
	encodeResult(&e, &r.Result)
	e.int(rowDepth, int64(r.Depth))
	e.text(rowVia, r.Via)
	e.text(rowSeed, r.Seed)
	e.bool(rowIsSeed, r.IsSeed)
	e.bool(rowRequisite, r.Requisite)
	e.int(rowRedirects, int64(r.Redirects))
	e.text(rowName, r.Name)
	e.int(rowAttempts, int64(r.Attempts))
	e.text(rowFetcher, r.Fetcher)
	e.time(rowFirstSeen, r.FirstSeen)
	e.uint(rowSequence, r.Sequence)
	e.time(rowRetryAt, r.RetryAt)
	e.int(rowLapses, int64(r.Lapses))
	e.uint(rowAsked, r.Asked)
	e.text(rowReferrer, r.Referrer)
	e.bool(rowUnsent, r.Unsent)
	e.int(rowTries, int64(r.Tries))
	e.int(rowSpared, int64(r.Spared))
	e.int(rowAliases, int64(r.Aliases))
	e.id(rowWant, r.Want[:])
	e.bool(rowInherits, r.Inherits)
	e.bool(rowProgress, r.Progress)
	return e.b
}

func encodeResult(e *encoder, r *crawler.Result) {
	e.text(rowURL, r.URL.String())
	e.uint(rowOutcome, uint64(r.Outcome))
	e.text(rowReason, string(r.Reason))
	e.int(rowStatus, int64(r.Status))
	e.text(rowContentType, r.ContentType)
	e.int(rowBodyBytes, r.Bytes)
	e.id(rowDigest, r.Digest[:])
	e.bool(rowTruncated, r.Truncated)
	e.text(rowTitle, r.Title)
	e.text(rowRedirectTo, r.RedirectTo.String())
	e.int(rowLinks, int64(r.Links))
	e.time(rowFetchedAt, r.FetchedAt)
	e.int(rowDuration, int64(r.Duration))
	e.text(rowIP, r.IP)
	e.text(rowFile, r.Archive.File)
	e.int(rowOffset, r.Archive.Offset)
	e.int(rowLength, r.Archive.Length)
	e.text(rowETag, r.ETag)
	e.text(rowLastModified, r.LastModified)
	e.text(rowDetail, r.Detail)
	e.int(rowRetryAfter, int64(r.RetryAfter))
}

// decodeRow reads a row. It never panics, whatever the value.
func decodeRow(value []byte) (*crawler.Row, error) {
	d := newDecoder(value)
	r := new(crawler.Row)
	for d.next() {
		if d.num <= rowRetryAfter {
			decodeResult(d, &r.Result)
			continue
		}
		switch d.num {
		case rowDepth:
			r.Depth = d.int()
		case rowVia:
			r.Via = d.text()
		case rowSeed:
			r.Seed = d.text()
		case rowIsSeed:
			r.IsSeed = d.bool()
		case rowRequisite:
			r.Requisite = d.bool()
		case rowRedirects:
			r.Redirects = d.int()
		case rowName:
			r.Name = d.text()
		case rowAttempts:
			r.Attempts = d.int()
		case rowFetcher:
			r.Fetcher = d.text()
		case rowFirstSeen:
			r.FirstSeen = d.time()
		case rowSequence:
			r.Sequence = d.uint()
		case rowRetryAt:
			r.RetryAt = d.time()
		case rowLapses:
			r.Lapses = d.int()
		case rowAsked:
			r.Asked = d.uint()
		case rowReferrer:
			r.Referrer = d.text()
		case rowUnsent:
			r.Unsent = d.bool()
		case rowTries:
			r.Tries = d.int()
		case rowSpared:
			r.Spared = d.int()
		case rowAliases:
			r.Aliases = d.int()
		case rowWant:
			d.id(r.Want[:])
		case rowInherits:
			r.Inherits = d.bool()
		case rowProgress:
			r.Progress = d.bool()
		}
	}
	if d.err == nil && r.URL.IsZero() {
		d.fail(errURL)
	}
	if d.err != nil {
		return nil, d.err
	}
	return r, nil
}

func decodeResult(d *decoder, r *crawler.Result) {
	switch d.num {
	case rowURL:
		r.URL = d.url()
	case rowOutcome:
		r.Outcome = crawler.Outcome(d.below(outcomes))
	case rowReason:
		r.Reason = crawler.Reason(d.text())
	case rowStatus:
		r.Status = d.int()
	case rowContentType:
		r.ContentType = d.text()
	case rowBodyBytes:
		r.Bytes = d.int64()
	case rowDigest:
		d.id(r.Digest[:])
	case rowTruncated:
		r.Truncated = d.bool()
	case rowTitle:
		r.Title = d.text()
	case rowRedirectTo:
		r.RedirectTo = d.url()
	case rowLinks:
		r.Links = d.int()
	case rowFetchedAt:
		r.FetchedAt = d.time()
	case rowDuration:
		r.Duration = d.duration()
	case rowIP:
		r.IP = d.text()
	case rowFile:
		r.Archive.File = d.text()
	case rowOffset:
		r.Archive.Offset = d.int64()
	case rowLength:
		r.Archive.Length = d.int64()
	case rowETag:
		r.ETag = d.text()
	case rowLastModified:
		r.LastModified = d.text()
	case rowDetail:
		r.Detail = d.text()
	case rowRetryAfter:
		r.RetryAfter = d.duration()
	}
}

// url reads a URL, as it was canonical when it was stored.
func (d *decoder) url() weburl.URL {
	s := d.text()
	if s == "" {
		return weburl.URL{}
	}
	u, err := weburl.Stored(s)
	if err != nil {
		d.fail(errURL)
	}
	return u
}
