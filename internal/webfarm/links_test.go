package webfarm

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// readLinks finds the links of a page with other people's code.
func readLinks(t *testing.T, page string, body []byte) []string {
	t.Helper()
	base, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	z := html.NewTokenizer(bytes.NewReader(body))
	for z.Next() != html.ErrorToken {
		for _, a := range z.Token().Attr {
			if a.Key != "href" && a.Key != "src" {
				continue
			}
			u, err := base.Parse(strings.TrimSpace(a.Val))
			if err != nil {
				t.Fatal(err)
			}
			u.Fragment = ""
			if s := u.String(); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func TestTheLinksAreReallyInThePages(t *testing.T) {
	s := newSite(allFaults())
	n := 0
	for r := range s.refs() {
		if !hasLinks(s.kind(r.host, r.page)) || r.hop > 0 || n > 300 {
			continue
		}
		n++
		u := s.url(r)
		if got, want := readLinks(t, u, s.appendBody(nil, r)), s.Links(u); !slices.Equal(got, want) {
			t.Fatalf("%s has the links\n%q, want\n%q", u, got, want)
		}
	}
}

func TestLinksAreWrittenInAllWays(t *testing.T) {
	s := newSite(allFaults())
	var all []byte
	for host := range 4 {
		for page := range 4 {
			all = s.appendBody(all, ref{host: host, page: page})
		}
	}
	for _, part := range []string{
		`<a href="/s`, `<a href='/`, `<a href="../`, `<a href="http://127.1.1.`, `<a href="//127.1.1.`, `<a href="https://127.1.1.`,
		"HTTP://", "/x/../.", "#part-", " \n\">", "&amp;sort=", "&sort=", "<img alt=x src=", "<link rel=stylesheet href=", "<script src=",
	} {
		if !bytes.Contains(all, []byte(part)) {
			t.Errorf("no link with %q", part)
		}
	}
	repeated := false
	for l := range s.links(0, 1) {
		n := 0
		for m := range s.links(0, 1) {
			if l.to == m.to {
				n++
			}
		}
		repeated = repeated || n > 1
	}
	if !repeated {
		t.Error("no link comes twice on a page")
	}
}

// reach follows links and redirects as far as within allows.
func reach(s *site, seed string, within func(string) bool) map[string]bool {
	seen := map[string]bool{seed: true}
	for todo := []string{seed}; len(todo) > 0; {
		u := todo[0]
		todo = todo[1:]
		next := s.Links(u)
		r, _ := s.find(u)
		if to, ok := s.redirect(r); ok {
			next = append(next, s.url(to))
		}
		if s.kind(r.host, r.page) == KindDisallowed {
			next = nil // nobody sees these
		}
		for _, v := range next {
			if !seen[v] && within(v) {
				seen[v] = true
				todo = append(todo, v)
			}
		}
	}
	return seen
}

func TestEverythingCanBeReachedFromTheFirstSeed(t *testing.T) {
	for name, o := range map[string]Options{
		"with faults":        allFaults(),
		"without more links": {Hosts: 40, PagesPerHost: 60, Links: -1},
		"a page a host":      {Hosts: 300, PagesPerHost: 1, Links: -1},
		"one host":           {Hosts: 1, PagesPerHost: 700, Links: -1},
		"leaves all faulty":  {Hosts: 2, PagesPerHost: 300, Links: -1, Faults: Faults{NotFound: 0.5, RedirectLoop: 0.5}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(o)
			seen := reach(s, s.url(ref{}), func(string) bool { return true })
			if len(seen) != s.Total() {
				t.Errorf("reached %d of %d URLs", len(seen), s.Total())
			}
		})
	}
}

func TestAHostCanBeReachedFromItsOwnSeed(t *testing.T) {
	s := newSite(allFaults())
	n := 0
	for host, f := range s.faces {
		n += len(reach(s, s.url(ref{host: host}), func(u string) bool { return strings.HasPrefix(u, f.base+"/") }))
	}
	if n != s.Total() {
		t.Errorf("reached %d of %d URLs", n, s.Total())
	}
}
