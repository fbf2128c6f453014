package links

import (
	"errors"
	"strings"

	"trawl/crawler"
	"trawl/crawler/ascii"
	"trawl/crawler/weburl"
)

// linkBase is a URL against which references are resolved.
type linkBase struct {
	text string
	url  weburl.URL // zero when it is neither http nor https
}

// linkQueue keeps references back as long as a base element may still come.
type linkQueue struct {
	base    linkBase
	holding bool
	decided bool   // a base element was seen: the first one counts
	refs    []byte // one after the other
	held    []heldLink
}

type heldLink struct {
	end     int // in refs
	kind    crawler.LinkKind
	charset *Charset
}

func (q *linkQueue) reset(page linkBase) {
	*q = linkQueue{base: page, holding: true, refs: q.refs[:0], held: q.held[:0]}
}

// found takes a reference, whose query is written in c. The bytes are copied.
func (s *Scanner) found(ref []byte, kind crawler.LinkKind, c *Charset) {
	q := &s.links
	if !q.holding {
		s.resolve(q.base, string(ref), kind, c)
		return
	}
	q.refs = append(q.refs, ref...)
	q.held = append(q.held, heldLink{len(q.refs), kind, c})
	if len(q.refs) > MaxLinksHeld || len(q.held) >= maxHeldCount {
		s.release()
	}
}

// setBase takes the href of a base element. The first one counts for the whole document, also when it is
// no good and the page's own URL remains (HTML standard, "frozen base URL").
func (s *Scanner) setBase(ref string) {
	q := &s.links
	if q.decided {
		return
	}
	q.decided = true
	s.counts.LateBase = !q.holding
	href, ok := weburl.Inspect(ref, s.page.text)
	if ok && !strings.HasPrefix(href, "data:") && !strings.HasPrefix(href, "javascript:") {
		q.base = linkBase{text: href}
		if u, err := weburl.Parse(href); err == nil {
			q.base.url = u
		}
	}
	s.release()
}

// release hands over what was kept back, by the current base.
func (s *Scanner) release() {
	q := &s.links
	q.holding = false
	refs, start := string(q.refs), 0 // one text for all
	for _, h := range q.held {
		s.resolve(q.base, refs[start:h.end], h.kind, h.charset)
		start = h.end
	}
	q.refs, q.held = q.refs[:0], q.held[:0]
}

// resolve makes a reference canonical and hands it over, unless it was or must not be.
func (s *Scanner) resolve(base linkBase, ref string, kind crawler.LinkKind, c *Charset) {
	if s.raw != nil {
		s.counts.Found++
		s.raw(base.text, Raw{Ref: ref, Kind: kind})
		return
	}
	if otherScheme(ref) {
		s.counts.NotHTTP++
		return
	}
	var query weburl.QueryEncoder
	if c != nil {
		query = c
	}
	err := s.draft.Resolve(base.url, ref, query) // an absolute reference does not need a base
	switch {
	case err == nil:
		s.hand(kind)
	case errors.Is(err, weburl.ErrNotHTTP):
		s.counts.NotHTTP++
	case errors.Is(err, weburl.ErrTooLong):
		s.counts.TooLong++
	default:
		s.counts.Invalid++
	}
}

// hand hands the link in the draft over once for each of its kinds: what is out of scope as a page may belong to the job
// as a requisite, and the other way round.
func (s *Scanner) hand(kind crawler.LinkKind) {
	hash := s.draft.Hash()
	k := crawler.LinkKey(hash, kind)
	if _, known := s.seen[k]; known {
		return
	}
	if s.full() {
		if _, known := s.seen[crawler.LinkKey(hash, kind^crawler.LinkPage^crawler.LinkRequisite)]; !known {
			s.counts.TooMany++
		}
		return
	}
	s.counts.Found++
	if s.skip == nil || !s.skip(k) {
		s.emit(crawler.Link{URL: s.draft.URL(), Kind: kind})
	}
	s.seen[k] = struct{}{} // after emit and skip, which may let us forget the others
}

// full reports whether the page has had its links. One that forgot some may count a link twice and gets as many again, so
// that it loses none to that.
func (s *Scanner) full() bool {
	limit := s.limit
	if s.counts.Forgot > 0 {
		limit *= 2
	}
	return limit > 0 && s.counts.Found >= limit
}

// otherScheme reports whether a reference plainly has a scheme other than http and https, so that long
// data: URLs and the many mailto: and javascript: ones cost nothing.
func otherScheme(ref string) bool {
	for i := range len(ref) {
		c := ref[i]
		if ascii.IsLetter(c) || i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.') {
			continue
		}
		return c == ':' && i > 0 && !strings.EqualFold(ref[:i], "http") && !strings.EqualFold(ref[:i], "https")
	}
	return false
}
