package links

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Limits of link scanning, in bytes unless said otherwise. Each leaves a mark in [Counts].
const (
	// MaxLinkCarry is the longest attribute, CSS string or CSS url() that is looked at. A longer one is
	// passed over (Cut). It bounds what a scanner keeps between two writes.
	MaxLinkCarry = 64 * crawler.KiB
	// MaxLinksHeld is how many bytes of references (at most 4,096 of them) are kept back for a base element
	// that comes after them. A base that comes later than that counts only for what follows it (LateBase).
	MaxLinksHeld = 64 * crawler.KiB
	// MaxTitleBytes is the longest title that is kept.
	MaxTitleBytes = 512

	maxHeldCount = MaxLinksHeld / 16 // references kept back, however short
	maxKept      = 16 * crawler.KiB  // memory kept by Reset, about
)

// RawLink is a reference as it stands in a document: character references and CSS escapes decoded, white
// space around it cut, not resolved.
type Raw struct {
	Ref  string
	Kind crawler.LinkKind // LinkPage or LinkRequisite
}

// LinkFormat says how a document is read for links.
type Format uint8

const (
	// LinkHTML: markup, tokenized as the HTML standard says.
	HTML Format = iota
	// LinkXML: markup in which self-closing tags close and CDATA sections count everywhere (XHTML, SVG).
	XML
	// LinkCSS: a style sheet.
	CSS
)

// LinkCounts count what a scanner found and what it left out.
type Counts struct {
	Found    int  // links handed over or skipped
	TooMany  int  // references beyond the limit; those to links handed over do not count
	NotHTTP  int  // references of another scheme
	TooLong  int  // references longer than MaxURLBytes
	Invalid  int  // references that are no URL
	Cut      int  // attributes and CSS values longer than MaxLinkCarry: their links are lost
	LateBase bool // a base element came too late for the links before it
	Forgot   int  // links handed over that were forgotten: one that stands there again is handed over again (Forget)
}

// LinkScanner finds the links of a document that is written to it in pieces of any size, and hands each
// over as soon as the document's base is certain, at the latest in Close. How the document is cut into
// pieces makes no difference. Malformed documents are read as browsers read them; no document is an error.
// It belongs to one goroutine at a time and may be used again after Reset.
type Scanner struct {
	page    linkBase
	format  Format
	charset linkCharset
	limit   int
	emit    func(crawler.Link)
	raw     func(base string, link Raw) // instead of emit
	lazy    bool

	carry []byte // the unfinished end of what was written
	wake  int    // size of carry at which it is worth another look
	max   int    // MaxLinkCarry

	html   htmlScanner
	css    cssScanner
	links  linkQueue
	draft  weburl.Draft
	seen   map[uint64]struct{} // links handed over or skipped, by their keys
	skip   func(key uint64) bool
	counts Counts
}

// NewLinkScanner makes a scanner for the document at page. It calls emit with each link, made canonical,
// once for each of its kinds, in the order of the document, at most limit times (0 = no limit).
func NewScanner(page weburl.URL, format Format, limit int, emit func(crawler.Link)) *Scanner {
	s := &Scanner{limit: limit, emit: emit, seen: make(map[uint64]struct{}), max: MaxLinkCarry}
	s.Reset(page, format)
	return s
}

// NewRawLinkScanner makes a scanner that hands over every reference as it stands, with the base URL that
// is current for it. page is the URL of the document, as text.
func NewRawScanner(page string, format Format, emit func(base string, link Raw)) *Scanner {
	s := &Scanner{raw: emit, max: MaxLinkCarry}
	s.reset(linkBase{text: page}, format)
	return s
}

// Skip makes the scanner ask about each link that it is about to hand over, by its key ([crawler.Link.Key]). One that is to be
// skipped is counted as found, and never made. It stays so over Reset.
func (s *Scanner) Skip(skip func(key uint64) bool) { s.skip = skip }

// Reset makes the scanner ready for another document; a modest part of what it has allocated is kept.
func (s *Scanner) Reset(page weburl.URL, format Format) {
	s.reset(linkBase{text: page.String(), url: page}, format)
}

func (s *Scanner) reset(page linkBase, format Format) {
	s.page, s.format, s.charset = page, format, linkCharset{certain: true}
	s.carry, s.wake = s.carry[:0], 0
	s.counts = Counts{}
	if cap(s.carry) > maxKept { // one odd page must not cost memory for good
		s.carry = nil
	}
	if len(s.seen) > maxKept/16 {
		s.seen = make(map[uint64]struct{})
	} else {
		clear(s.seen)
	}
	s.links.reset(page)
	s.html.reset(s)
	s.css.reset(s)
}

// minLinkWake is how much more must have been written before an unfinished end is looked at again, at
// the least: it keeps the work linear when a document comes byte by byte.
const minLinkWake = 4 * crawler.KiB

// Write reads on. It never fails and always takes all of p.
func (s *Scanner) Write(p []byte) (int, error) {
	s.write(p, minLinkWake)
	return len(p), nil
}

func (s *Scanner) write(p []byte, wake int) {
	for len(p) > 0 {
		if len(s.carry) == 0 {
			used := s.scan(p, false)
			s.keep(append(s.carry, p[used:]...), wake)
			return
		}
		take := min(len(p), s.wake-len(s.carry))
		s.carry = append(s.carry, p[:take]...)
		if len(s.carry) < s.wake {
			return
		}
		used := s.scan(s.carry, false)
		if rest := len(s.carry) - used; rest <= take {
			p = p[take-rest:]
			s.carry = s.carry[:0]
		} else {
			p = p[take:]
			s.keep(s.carry[:copy(s.carry, s.carry[used:])], wake)
		}
	}
}

// keep keeps an unfinished end, and says how much more must come before it is worth another look.
func (s *Scanner) keep(carry []byte, wake int) {
	s.carry = carry
	s.wake = len(carry) + max(len(carry), wake)
}

// Close reads what is left and hands over the links that are still kept back. It never fails.
func (s *Scanner) Close() error {
	s.scan(s.carry, true)
	s.carry = s.carry[:0]
	s.html.endTitle()
	s.html.title.finish(s)
	s.release()
	return nil
}

// scan reads b as far as it can and reports how far that was. What is left is the beginning of something
// whose end is not there yet, shorter than the limit; with final there is no more, and nothing is left.
func (s *Scanner) scan(b []byte, final bool) int {
	if s.format == CSS {
		return s.css.scan(b, final)
	}
	return s.html.scan(b, final)
}

// Header reads the links of a response's header: Link (RFC 8288) and Refresh. It is called before Write;
// a base element has no influence on these links.
func (s *Scanner) Header(h http.Header) {
	for _, v := range h.Values("Link") {
		scanLinkHeader(v, func(ref string, kind crawler.LinkKind) { s.resolve(s.page, ref, kind, nil) })
	}
	for _, v := range h.Values("Refresh") {
		if ref, ok := refreshTarget(v); ok {
			s.resolve(s.page, cmp.Or(ref, s.page.text), crawler.LinkPage, nil)
		}
	}
}

// Title is the text of the document's title, white space folded, cut at MaxTitleBytes on a rune border.
// It is whole after Close.
func (s *Scanner) Title() string { return s.html.title.text }

// Forget forgets which links were handed over, so that their memory is free: a word for each. Those that come again are
// handed over again, and count again; the limit is twice as high from then on.
func (s *Scanner) Forget() {
	s.counts.Forgot += len(s.seen)
	s.seen = make(map[uint64]struct{})
}

// Counts reports what was found and left out so far.
func (s *Scanner) Counts() Counts { return s.counts }

// InspectLinks lists the absolute http and https links of a document or of a response's header: fragment
// cut, credentials kept, in order, each once. kind is "html", "css" or "headers"; with "headers" the target
// of a redirect (Location) is listed too.
func Inspect(base string, content []byte, header http.Header, kind string) []string {
	links := []string{}
	seen := make(map[string]bool)
	add := func(base string, link Raw) {
		href, ok := weburl.Inspect(link.Ref, base)
		href, _, _ = strings.Cut(href, "#")
		if ok && (strings.HasPrefix(href, "http://") || strings.HasPrefix(href, "https://")) && !seen[href] {
			seen[href] = true
			links = append(links, href)
		}
	}
	format := HTML
	if kind == "css" {
		format = CSS
	}
	s := NewRawScanner(base, format, add)
	if kind == "headers" {
		if to := header.Get("Location"); to != "" {
			add(base, Raw{Ref: to, Kind: crawler.LinkRedirect})
		}
		s.Header(header)
		return links
	}
	s.scan(content, true)
	s.release()
	return links
}

// LinkFormatOf reports how a body of the kind that begins with head is read, and false when it has no links for us.
func FormatOf(kind string, head []byte) (Format, bool) {
	switch kind {
	case "text/html":
		return HTML, true
	case "application/xhtml+xml", "image/svg+xml":
		return XML, true
	case "text/css":
		return CSS, true
	}
	if kind != "text/xml" && kind != "application/xml" && !strings.HasSuffix(kind, "+xml") {
		return 0, false
	}
	for _, space := range []string{"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"} {
		if bytes.Contains(head, []byte(space)) {
			return XML, true
		}
	}
	return 0, false
}
