package download

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/transform"

	"trawl/crawler"
	"trawl/crawler/links"
)

// pageScan finds links and title of one page in the decoded bytes that are written to it. Owned by one
// goroutine; lent by bodyKit, as a scanner is costly to make.
type pageScan struct {
	scanner *links.Scanner
	limit   int
	found   []crawler.Link
	room    []crawler.Link        // for found of the next page
	held    int                   // bytes of found, about
	counted int                   // of these, those that are counted in the fetcher's backlog
	sent    func(key uint64) bool // see Page.Sent; nil = none was
	early   func([]crawler.Link)  // takes links before the page is read to its end; nil = none leave before
	clock   *exchangeClock        // of the exchange; stands while early works, since it is not the server that is waited for
	all     Backlog
	memory  *linkMemory
	known   int               // links that the scanner remembers
	steps   int               // of freeLinks, that were counted for them
	page    io.Writer         // the scanner, nil when only the header is looked at
	decoder *transform.Writer // before the scanner, nil when it reads the bytes as they are
}

// linkSink finds the links of a page.
type linkSink struct {
	x     *exchange
	kit   *bodyKit
	clock *exchangeClock
	scan  *pageScan
}

func (s *linkSink) Open(h *bodyHead) bool {
	status := s.x.result.Status
	if h.resumed || h.opaque || status < 200 || status > 299 {
		return false
	}
	if s.scan = s.kit.newScan(s.x, h); s.scan == nil {
		return false
	}
	s.scan.clock = s.clock
	h.readers++
	return true
}

func (s *linkSink) Write(b []byte) error { s.scan.write(b); return nil }

func (s *linkSink) Close() { s.scan.finish(s.kit, s.x) }

// newScan starts the scan of an answer's body, nil when nothing of it is wanted.
func (k *bodyKit) newScan(x *exchange, h *bodyHead) *pageScan {
	format, ok := links.FormatOf(h.kind.Kind, h.first)
	wanted := ok && (x.links && format != links.CSS || x.styles && format == links.CSS)
	inHeader := x.links && (x.header.Get("Link") != "" || x.header.Get("Refresh") != "")
	if !wanted && !inHeader {
		return nil
	}
	s, ok := k.scans.Get().(*pageScan)
	if !ok || s.limit != x.limits.Links {
		s = &pageScan{limit: x.limits.Links}
		s.scanner = links.NewScanner(x.url, format, s.limit, s.take)
		s.scanner.Skip(s.skip)
	}
	s.sent, s.early, s.all, s.memory = x.sentLink, x.early, k.backlog, &k.memory
	s.scanner.Reset(x.url, format)
	s.scanner.Lazy(x.lazy)
	if x.links {
		s.scanner.Header(x.header)
	}
	if wanted {
		s.page = s.scanner
		if d := s.scanner.Sniff(h.kind.Charset, h.first); d != nil {
			s.decoder = transform.NewWriter(s.scanner, d)
			s.page = s.decoder
		}
	}
	return s
}

const (
	// maxPageLinks is how many bytes of links a page holds at once, about. Beyond it they leave while the page is
	// read, in parts of their own, so that a page with very many loses none.
	maxPageLinks = 2 * crawler.MiB
	// countedLinks is the step in which the links that a page holds are counted among what the fetcher has not sent
	// (maxUnsent). Those of most pages never are. When there is no room, they leave from here on.
	countedLinks = 64 * crawler.KiB
	// maxFoundKept is how many links a scan keeps room for between two pages.
	maxFoundKept = 1024
	// linkOverhead is what a link takes besides its text, in bytes.
	linkOverhead = 40
)

// skip reports whether a link need not be made, since it was sent before. It costs memory all the same.
func (s *pageScan) skip(key uint64) bool {
	if s.sent == nil || !s.sent(key) {
		return false
	}
	s.remember()
	return true
}

// take takes a link from the scanner. While links leave, the page is not read.
func (s *pageScan) take(l crawler.Link) {
	s.remember()
	s.found = append(s.found, l)
	s.held += linkOverhead + len(l.URL.String())
	if s.early == nil || s.held < s.counted+countedLinks {
		return
	}
	s.all.Take(s.held - s.counted)
	s.counted = s.held
	if s.held >= maxPageLinks || s.all.Full() != nil {
		found := s.found
		s.release()
		s.clock.pause()
		defer s.clock.resume()
		s.early(found)
	}
}

// remember counts a link that the scanner remembers, or lets it forget them all where there is no room for more.
func (s *pageScan) remember() {
	if s.known++; s.known <= freeLinks*(1+s.steps) {
		return
	}
	if s.memory.take() {
		s.steps++
		return
	}
	s.scanner.Forget()
	s.known = 1 // this one
}

// release gives the links that were found away.
func (s *pageScan) release() {
	if s.counted > 0 {
		s.all.Give(s.counted)
	}
	s.found, s.room, s.held, s.counted = s.room, nil, 0, 0
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
	x.found, x.counts = slices.Clone(s.found), s.scanner.Counts()
	if clear(s.found); cap(s.found) <= maxFoundKept {
		s.room = s.found[:0]
	}
	x.result.Links = x.counts.Found
	x.result.Title = oneLine(s.scanner.Title(), maxTitle)
	if x.counts.TooMany > 0 {
		x.remark(fmt.Sprintf("%d links beyond the limit of %d a page (max-links) passed over", x.counts.TooMany, s.limit))
	}
	if x.counts.Forgot > 0 {
		x.remark(fmt.Sprintf("%d links were forgotten while the page was read, since the fetcher's pages remember %d MiB of links at once: those that stand there again count again", x.counts.Forgot, maxRemembered>>20))
	}
	s.release()
	if s.steps > 0 {
		s.memory.give(s.steps)
	}
	s.page, s.decoder, s.sent, s.early, s.clock, s.all, s.known, s.steps = nil, nil, nil, nil, nil, nil, 0, 0
	k.scans.Put(s)
}

// textual reports whether a body of the type is HTML, XML or other text, which extraction may want.
func textual(kind string) bool {
	switch kind {
	case "application/xhtml+xml", "application/xml", "application/json", "application/javascript":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+xml") || strings.HasSuffix(kind, "+json")
}

const (
	// maxRemembered is how many bytes the pages under way may take together to know which of their links were found before,
	// beyond freeLinks each. A page that gets no more forgets what it found so far, and says so in its row: a link that
	// stands there again is sent again, and the ledger has it once all the same.
	maxRemembered = 64 << 20
	// freeLinks is how many links a page remembers whatever the others do; also the step in which it asks for more.
	freeLinks = 4096
	// rememberedLink is what that takes for a link, about: a word, and the room that a hash table leaves free.
	rememberedLink = 24
)

// linkMemory counts what the pages under way take to remember their links, in bytes; maxRemembered at most. Safe for
// concurrent use.
type linkMemory struct {
	mu    sync.Mutex
	bytes int
}

// take counts what a page takes to remember freeLinks more links, and reports false when there is no room for them.
func (m *linkMemory) take() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes+freeLinks*rememberedLink > maxRemembered {
		return false
	}
	m.bytes += freeLinks * rememberedLink
	return true
}

// give takes off what take counted n times.
func (m *linkMemory) give(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes -= n * freeLinks * rememberedLink
}
