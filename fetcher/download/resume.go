package download

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download/spool"
	"trawl/internal/coding"
)

// Bodies of plain files are resumed after an interruption, whatever it was: the end of the process, of
// the lease, of the connection. What came lies in a partial; the next request for the URL carries
//
//	Range: bytes=N-        (RFC 9110 section 14.2)
//	If-Range: VALIDATOR    (section 13.1.5)
//
// and the answer decides:
//
//	206 that begins at N, of the same version   resumed; the result is that of the whole body, status 200
//	206 that begins earlier                     the same, after the bytes that came before were compared and skipped
//	200                                         another version, or no ranges: the body starts from byte 0
//	416, or a 206 that does not fit             the partial body is discarded, and the URL is asked for again
//	429, 5xx, no answer                         the partial body stays for the next try
//	anything else                               the partial body is discarded
//
// A body can be resumed when it came without content coding in a 200 that has a strong validator, and when nothing
// but the archive reads it: links and text are found in whole pages only. Servers that say nothing of ranges are asked
// for one all the same, since If-Range makes that safe.

// lastModifiedAge is how much older than the answer a Last-Modified must be to be a strong validator
// (RFC 9110 section 8.8.2.2): a younger one may stand for two versions of the same second, by clocks that differ.
const lastModifiedAge = time.Minute

// progressLeast is by how much a try must make the kept body longer to count as progress, in bytes, unless it brings it
// to its end.
const progressLeast = 64 * crawler.KiB

var (
	// errNoContinuation: the server cannot continue where the body was interrupted.
	errNoContinuation = errors.New("the server cannot go on with the body that was interrupted")
	// errOtherBytes: what the server sends again differs from the partial body.
	errOtherBytes = errors.New("the server sends other bytes than before")
)

// continuation is how a body continues that an earlier try left unfinished.
type continuation struct {
	part     *spool.Partial // where the body lies; nil = it cannot be resumed. The exchange releases it
	had      int64          // bytes of the body that earlier tries brought
	resumed  bool           // the answer continues the body where part ends
	overlap  int64          // then: bytes to come that part has already
	total    int64          // then: length of the whole body, -1 = not known
	noResume bool           // the partial body must not be resumed by a later try
}

// lendPart finds the partial body of a URL that is to become a file. Its error is that the machine is short of something.
func (k *bodyKit) lendPart(ctx context.Context, x *exchange) error {
	if k.partials == nil || x.keep != keepDecoded {
		return nil
	}
	if x.part = k.partials.Lend(x.url); x.part == nil {
		return nil
	}
	x.had = x.part.Info.Size
	chunk := k.chunks.Get().(*[]byte)
	defer k.chunks.Put(chunk)
	if short := x.part.Load(ctx, *chunk); short != nil {
		return fmt.Errorf("read the beginning of a body: %w", short)
	}
	if most := x.limits.MaxBody; most > 0 && x.part.Size >= most {
		x.part.Forget() // the limit was lowered: it is fetched from byte 0 and cut
	}
	return nil
}

// ranged reports whether the request asks for the rest of a body.
func (c *continuation) ranged() bool { return c.part != nil && c.part.Size > 0 }

// askForRest puts the range into a request, if there is a partial body.
func (c *continuation) askForRest(h http.Header) {
	if c.ranged() {
		h.Set("Range", "bytes="+strconv.FormatInt(c.part.Size, 10)+"-")
		h.Set("If-Range", c.part.Info.Validator())
	}
}

// continues looks at the answer to a ranged request. It reports false when the URL must be asked for again.
func (x *exchange) continues(resp *http.Response) bool {
	if !x.ranged() {
		return true
	}
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if x.fits(resp.Header) {
			x.resume(resp)
			return true
		}
	case http.StatusRequestedRangeNotSatisfiable:
	default:
		return true
	}
	x.part.Forget()
	x.end(Restart, errNoContinuation)
	return false
}

// fits reports whether a 206 carries what is missing, of the same version.
func (c *continuation) fits(h http.Header) bool {
	info := &c.part.Info
	span, ok := contentRange(h)
	codings, unknown := coding.All(h.Values("Content-Encoding"))
	etag, modified := h.Get("ETag"), h.Get("Last-Modified")
	return ok && len(unknown)+len(codings) == 0 && span.first <= c.part.Size && span.last >= c.part.Size &&
		(span.total < 0 || info.Total < 0 || span.total == info.Total) &&
		(etag == "" || info.ETag == "" || etag == info.ETag) &&
		(modified == "" || info.ETag != "" || modified == info.LastModified)
}

// byteSpan is what Content-Range says (RFC 9110 section 14.4).
type byteSpan struct {
	first, last int64 // of the bytes that came
	total       int64 // length of the whole, -1 = not said
}

// contentRange reads Content-Range; false when it says nothing that makes sense.
func contentRange(h http.Header) (s byteSpan, ok bool) {
	text, unit := strings.CutPrefix(h.Get("Content-Range"), "bytes ")
	span, whole, slash := strings.Cut(text, "/")
	from, to, dash := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	total, err3 := int64(-1), error(nil)
	if whole != "*" {
		total, err3 = strconv.ParseInt(whole, 10, 64)
	}
	ok = unit && slash && dash && err == nil && err2 == nil && err3 == nil &&
		first >= 0 && last >= first && (total < 0 || total > last)
	return byteSpan{first, last, total}, ok
}

// resume makes the rest of a body the whole (RFC 9110 section 15.3.7.3): the answer counts as the 200 that was
// interrupted, with those of its fields that a 206 may leave out.
func (x *exchange) resume(resp *http.Response) {
	info := &x.part.Info
	span, _ := contentRange(resp.Header)
	x.total = max(span.total, info.Total)
	x.resumed, x.overlap = true, x.part.Size-span.first
	x.remark(fmt.Sprintf("continued at byte %d", x.part.Size))
	x.status = "200 OK"
	x.header.Del("Content-Range")
	x.header.Del("Content-Length")
	if x.total >= 0 {
		x.header.Set("Content-Length", strconv.FormatInt(x.total, 10))
	}
	// Servers that go by the first bytes give the rest another type than the whole.
	for name, value := range map[string]string{"Content-Type": info.ContentType, "ETag": info.ETag, "Last-Modified": info.LastModified} {
		if value != "" {
			x.header.Set(name, value)
		}
	}
	x.noteHead(http.StatusOK)
}

// keepPart lets the body outlive an interruption, if the server would continue it. Called when its first bytes are
// known, for a body that nothing but the archive reads.
func (x *exchange) keepPart() {
	if x.part == nil || x.result.Status != http.StatusOK {
		return
	}
	if info, ok := resumable(x.header); ok {
		info.ContentType = x.result.ContentType
		x.part.Begin(info)
		x.spool.Part = x.part
	}
}

// skipOverlap compares bytes that came before with the partial body, and returns those that are new.
func (x *exchange) skipOverlap(b []byte) ([]byte, error) {
	if x.overlap == 0 {
		return b, nil
	}
	old := b[:min(int64(len(b)), x.overlap)]
	same, err := x.part.Holds(old, x.part.Size-x.overlap)
	if err != nil {
		x.spool.Err = err
		return nil, err
	}
	if !same {
		x.noResume = true
		x.end(Restart, errOtherBytes)
		return nil, errOtherBytes
	}
	x.overlap -= int64(len(old))
	return b[len(old):], nil
}

// resumable returns what must be known of a 200 to resume its body, false when that cannot be done.
func resumable(h http.Header) (info spool.Info, ok bool) {
	codings, unknown := coding.All(h.Values("Content-Encoding"))
	if refusesRanges(h) || len(unknown)+len(codings) > 0 {
		return info, false
	}
	info.ETag, info.LastModified, info.Total = validator(h.Get("ETag")), validator(h.Get("Last-Modified")), -1
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		info.Total = n
	}
	if h.Get("ETag") != "" { // then a date must not be used, also if the tag is of no use
		return info, strings.HasPrefix(info.ETag, `"`)
	}
	modified, err := http.ParseTime(info.LastModified)
	date, err2 := http.ParseTime(h.Get("Date"))
	return info, err == nil && err2 == nil && date.Sub(modified) >= lastModifiedAge
}

// refusesRanges reports whether a server says that it takes no ranges (RFC 9110 section 14.3).
func refusesRanges(h http.Header) bool {
	return strings.EqualFold(strings.TrimSpace(h.Get("Accept-Ranges")), "none")
}

// incomplete says why a resumed body of n bytes is not whole although its answer ended well.
func (c *continuation) incomplete(n int64) cutting {
	switch {
	case !c.resumed || c.total < 0 || n == c.total:
		return cutting{}
	case n < c.total:
		return cutting{reason: crawler.ReasonReset, mark: "disconnect", detail: fmt.Sprintf("the server sent the body up to byte %d of %d only", n, c.total)}
	}
	c.noResume = true
	return cutting{reason: crawler.ReasonProtocol, detail: fmt.Sprintf("the server sent %d bytes of a body of %d", n, c.total)}
}

// keepsPart reports whether the next try may resume the partial body.
func (x *exchange) keepsPart() bool {
	return x.part != nil && !x.noResume && (x.verdict.NoResult() || !x.used || x.result.MayRetry())
}

// noteProgress says in the result whether the try brought the body further than any before, so that the count of tries
// begins again: a connection that breaks every few megabytes must not end a large download.
func (x *exchange) noteProgress() {
	if x.result.Outcome != crawler.Failed || !x.keepsPart() || x.spool == nil || x.spool.Part != x.part || x.spool.Err != nil {
		return
	}
	size, total := x.spool.Size, x.part.Info.Total
	x.result.Progress = size >= x.had+progressLeast || size > x.had && size == total
}

// releasePart gives the place of the body back. The partial body stays if the next try may resume it, also when it was
// too little for a file so far.
func (x *exchange) releasePart() {
	if x.part == nil {
		return
	}
	keep := x.keepsPart()
	if keep && x.spool != nil && x.spool.Part == x.part {
		x.spool.ToFile()
	}
	if x.spool != nil {
		x.spool.Discard()
		x.spool = nil
	}
	x.part.Release(keep)
	x.part = nil
}
