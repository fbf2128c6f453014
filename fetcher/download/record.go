package download

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// usualHead is room for the head of a request, in bytes.
const usualHead = 512

// archive stores the exchange and notes where, or fails the result with reason archive: what is not kept
// was not fetched, and it will be tried again. Where it is the disk that fails there is no result. An exchange without answer, or of which nothing is to be
// kept, is not stored. Of files, only fetched ones are: an error page is not the file.
//
// Header fields named in private are left out of the record.
func (x *exchange) archive(ctx context.Context, to Store, private []string) {
	if x.verdict != Counts || x.spool == nil || x.result.Status == 0 {
		return
	}
	if x.keep == keepDecoded && x.result.Outcome != crawler.Fetched {
		return
	}
	body, err := x.spool.Body()
	if err == nil {
		x.result.Archive, err = to.Put(ctx, &crawler.Exchange{
			URL: x.url, Name: x.name, FetchedAt: x.result.FetchedAt, IP: x.result.IP, Protocol: x.proto,
			Request: x.requestHead(private), Response: x.responseHead(),
			Body: body, Digest: x.result.Digest, Truncated: x.cut.mark,
		})
	}
	switch {
	case err == nil:
		x.noResume = true // it is the archive's now
	case ctx.Err() != nil:
		x.end(CutOff, ctx.Err())
	default:
		x.notArchived(err)
	}
}

// notArchived fails the result, or gives it up.
func (x *exchange) notArchived(err error) {
	if v := verdictOf(err); v != Counts {
		x.end(v, err)
		return
	}
	x.fail(crawler.ReasonArchive, Detail(err.Error()))
	x.result.Archive, x.result.RedirectTo = crawler.Locator{}, weburl.URL{}
	x.result.Links, x.found = 0, nil
}

// requestHead is the request as sent, without credentials. A request over HTTP/2 is written in the form of
// HTTP/1.1, which is what readers of archives understand; the record names the protocol.
func (x *exchange) requestHead(private []string) []byte {
	b := make([]byte, 0, usualHead)
	b = append(append(append(b, "GET "...), x.url.RequestURI()...), " HTTP/1.1\r\n"...)
	for _, f := range x.sent.list() {
		name := http.CanonicalHeaderKey(f.name)
		switch f.name {
		case ":authority":
			name = "Host"
		case ":method", ":path", ":scheme", ":protocol":
			continue
		}
		if name == "Authorization" || name == "Proxy-Authorization" || slices.Contains(private, name) {
			continue
		}
		b = append(append(append(append(b, name...), ": "...), headerValue(f.value)...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// responseHead is the head of the answer as it was on the wire, see Tap. Where no tap saw it (HTTP/2, a tunnel
// through a proxy), and of a body that was resumed, it is made from status line and fields, sorted by name;
// Transfer-Encoding is not among them then, as the body is stored without it.
func (x *exchange) responseHead() []byte {
	if x.head.Raw != nil && !x.resumed {
		return x.head.Raw
	}
	var b bytes.Buffer
	version := "HTTP/1.1 "
	if x.proto == "http/1.0" {
		version = "HTTP/1.0 "
	}
	b.WriteString(version + headerValue(x.status) + "\r\n")
	x.header.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// headerValue keeps a value on its line.
func headerValue(s string) string {
	if !strings.ContainsAny(s, "\r\n") {
		return s
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}
