package fetcher

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/transform"

	"trawl/crawler"
)

// charsetLook is how far into a page its own word about its charset is looked for, in bytes, as browsers
// do.
const charsetLook = 1024

// pageScan finds links and title of one page in the decoded bytes that are written to it. Owned by one
// goroutine; lent by bodyKit, as a scanner is costly to make.
type pageScan struct {
	scanner *crawler.LinkScanner
	limit   int
	found   []crawler.Link
	page    io.Writer         // the scanner, nil when only the header is looked at
	decoder *transform.Writer // before the scanner, nil when the page is in UTF-8
}

// newScan starts the scan of an answer's body, nil when nothing of it is wanted. kind is its media type,
// first its first bytes.
func (k *bodyKit) newScan(x *exchange, kind string, first []byte) *pageScan {
	format, ok := crawler.LinkFormatOf(kind)
	wanted := ok && (x.links && format != crawler.LinkCSS || x.styles && format == crawler.LinkCSS)
	inHeader := x.links && (x.header.Get("Link") != "" || x.header.Get("Refresh") != "")
	if !wanted && !inHeader {
		return nil
	}
	s, ok := k.scans.Get().(*pageScan)
	if !ok || s.limit != x.limits.Links {
		s = &pageScan{limit: x.limits.Links}
		s.scanner = crawler.NewLinkScanner(x.url, format, s.limit, func(l crawler.Link) { s.found = append(s.found, l) })
	}
	s.scanner.Reset(x.url, format)
	if x.links {
		s.scanner.Header(x.header)
	}
	if wanted {
		s.page = s.scanner
		if e := foreignCharset(x.header, first); e != nil {
			s.decoder = transform.NewWriter(s.scanner, e)
			s.page = s.decoder
		}
	}
	return s
}

// write passes decoded bytes on. A scanner never fails; a decoder of a charset may, and then the rest of
// the page is passed over.
func (s *pageScan) write(b []byte) {
	if s.page == nil {
		return
	}
	if _, err := s.page.Write(b); err != nil {
		s.page = nil
	}
}

// finish hands what was found to the exchange and the scan back to the kit.
func (s *pageScan) finish(k *bodyKit, x *exchange) {
	if s.decoder != nil {
		s.decoder.Close() // an unfinished character at the end is passed over
	}
	s.scanner.Close()
	x.found, x.counts = s.found, s.scanner.Counts()
	x.result.Links = len(x.found)
	x.result.Title = oneLine(s.scanner.Title(), maxTitle)
	if x.counts.TooMany > 0 {
		x.remark(fmt.Sprintf("%d links beyond the limit of %d a page passed over", x.counts.TooMany, s.limit))
	}
	s.found, s.page, s.decoder = nil, nil, nil
	k.scans.Put(s)
}

// foreignCharset is the decoder for a page that says it is in a charset other than UTF-8, by byte order
// mark, header or meta element; nil when it does not say so. The question is put only where an answer
// stands, since the looking costs as much as the scanning.
func foreignCharset(h http.Header, first []byte) transform.Transformer {
	first = first[:min(len(first), charsetLook)]
	said := h.Get("Content-Type")
	_, params, _ := mime.ParseMediaType(said)
	mark := bytes.HasPrefix(first, []byte("\xfe\xff")) || bytes.HasPrefix(first, []byte("\xff\xfe"))
	low := bytes.ToLower(first)
	switch {
	case mark:
	case strings.EqualFold(params["charset"], "utf-8"):
		return nil
	case params["charset"] == "" && !bytes.Contains(low, []byte("charset")):
		return nil
	}
	e, name, certain := charset.DetermineEncoding(first, said)
	if name == "utf-8" || name == "windows-1252" && !certain && !saysLatin(low) {
		return nil
	}
	return e.NewDecoder()
}

// saysLatin reports whether the beginning of a page names the charset that is also the answer when nothing
// is known.
func saysLatin(low []byte) bool {
	for _, name := range []string{"1252", "8859-1", "latin1"} {
		if bytes.Contains(low, []byte(name)) {
			return true
		}
	}
	return false
}

// mediaType is the type of a body in lower case without parameters: what the server says, or what the
// first bytes look like when it says nothing.
func mediaType(h http.Header, first []byte) string {
	said := h.Get("Content-Type")
	if strings.TrimSpace(said) == "" {
		said = http.DetectContentType(first)
	}
	kind, _, err := mime.ParseMediaType(said)
	if err != nil {
		kind, _, _ = strings.Cut(said, ";")
	}
	return strings.ToLower(strings.TrimSpace(kind))
}

// textual reports whether a body of the type is HTML, XML or other text, which extraction may want.
func textual(kind string) bool {
	switch kind {
	case "application/xhtml+xml", "application/xml", "application/json", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+json")
}
