package webfarm

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
)

// Page is what a crawler must find at a URL, at the end of its tries. The words of Outcome and Reason are
// those of the crawler's exports.
type Page struct {
	URL         string
	Host        int // number of the host
	Kind        Kind
	Status      int
	ContentType string
	Bytes       int64    // of the decoded body that a client gets, -1 where that depends on the client (KindReset)
	SHA256      [32]byte // of that body; zero where Bytes is -1
	RedirectTo  string
	Outcome     string // fetched, redirected, failed or excluded
	Reason      string // with failed and excluded
	FailsFirst  int    // answers that tell to try again, before the final one; -1 = it fails for ever
}

// Total is the number of URLs of the farm.
func (s *site) Total() int {
	n := 0
	for host := range s.o.Hosts {
		n += s.o.PagesPerHost
		for page := range s.o.PagesPerHost {
			n += s.hops(host, page)
		}
	}
	return n
}

// refs are all URLs, by host and page.
func (s *site) refs() iter.Seq[ref] {
	return func(yield func(ref) bool) {
		for host := range s.o.Hosts {
			for page := range s.o.PagesPerHost {
				for hop := range s.hops(host, page) + 1 {
					if !yield(ref{host, page, hop}) {
						return
					}
				}
			}
		}
	}
}

// URLs are all URLs of the farm.
func (s *site) URLs() iter.Seq[string] {
	return func(yield func(string) bool) {
		for r := range s.refs() {
			if !yield(s.url(r)) {
				return
			}
		}
	}
}

// Expect is what a crawler that reaches everything finds.
func (s *site) Expect() iter.Seq[Page] {
	return func(yield func(Page) bool) {
		for r := range s.refs() {
			if !yield(s.expected(r)) {
				return
			}
		}
	}
}

// Page is what a crawler finds at a URL, if it belongs to the farm.
func (s *site) Page(url string) (Page, bool) {
	r, ok := s.find(url)
	if !ok {
		return Page{}, false
	}
	return s.expected(r), true
}

// Links are the URLs that the page at a URL links to, canonical and each once, in the order of the page.
// Only good pages have any.
func (s *site) Links(url string) []string {
	r, ok := s.find(url)
	if !ok || !hasLinks(s.kind(r.host, r.page)) {
		return nil
	}
	var out []string
	seen := make(map[ref]bool)
	for l := range s.links(r.host, r.page) {
		if !seen[l.to] {
			seen[l.to] = true
			out = append(out, s.url(l.to))
		}
	}
	return out
}

func hasLinks(k Kind) bool {
	switch k {
	case KindGood, KindDisallowed, KindFlaky, KindThrottled, KindSlow:
		return true
	}
	return false
}

func (s *site) find(url string) (ref, bool) {
	for host, f := range s.faces {
		if target, ok := strings.CutPrefix(url, f.base); ok && strings.HasPrefix(target, "/") {
			r, ok, _ := s.resolve(host, []byte(target), nil)
			return r, ok
		}
	}
	return ref{}, false
}

func (s *site) expected(r ref) Page {
	k := s.kind(r.host, r.page)
	p := Page{URL: s.url(r), Host: r.host, Kind: k, Status: 200, ContentType: s.contentType(r), Outcome: "fetched"}
	var body []byte
	switch k {
	case KindNotFound:
		p.Status, p.Outcome, p.Reason = 404, "failed", "http_status"
		body = errorBody(404)
	case KindServerError:
		p.Status, p.Outcome, p.Reason, p.FailsFirst = 500, "failed", "http_status", -1
		body = errorBody(500)
	case KindReset:
		p.Outcome, p.Reason, p.FailsFirst, p.Bytes = "failed", "reset", -1, -1
		return p
	case KindTruncated:
		p.Outcome, p.Reason, p.FailsFirst = "failed", "reset", -1
		body = s.appendBody(nil, r)
		body = body[:len(body)/2]
	case KindDisallowed:
		p.Outcome, p.Reason = "excluded", "robots"
		body = s.appendBody(nil, r)
	case KindRedirect, KindRedirectCross, KindRedirectChain, KindRedirectLoop:
		to, _ := s.redirect(r)
		p.Status, p.Outcome, p.RedirectTo = redirectStatus(r), "redirected", s.url(to)
		body = errorBody(p.Status)
		if to == (ref{host: r.host, page: r.page}) { // the loop is closed, and no cookie makes it another answer
			p.Outcome, p.Reason, p.RedirectTo = "failed", "too_many_redirects", ""
		}
	case KindFlaky, KindThrottled:
		p.FailsFirst = s.o.Faults.Times
		body = s.appendBody(nil, r)
	default:
		body = s.appendBody(nil, r)
	}
	p.Bytes, p.SHA256 = int64(len(body)), sha256.Sum256(body)
	return p
}

// redirectStatus is one of the statuses of redirects, all of which count.
func redirectStatus(r ref) int {
	return [...]int{301, 302, 303, 307, 308}[(r.page+r.hop)%5]
}

func errorBody(status int) []byte {
	return fmt.Appendf(nil, "<!doctype html>\n<title>%d</title>\n<h1>%d</h1>\n", status, status)
}
