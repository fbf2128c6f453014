package webfarm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// allFaults are options with something of everything.
func allFaults() Options {
	return Options{
		Hosts: 20, PagesPerHost: 150, Seed: 7, MinBytes: 5000, MaxBytes: 9000, Gzip: 0.5, Chunked: 0.3, HTTPS: 0.2,
		Faults: Faults{
			NotFound: 0.05, ServerError: 0.05, Flaky: 0.05, Throttled: 0.05, Reset: 0.03, Truncated: 0.03, Slow: 0.01,
			Redirect: 0.05, RedirectCross: 0.05, RedirectChain: 0.05, RedirectLoop: 0.05,
			Times: 2, SlowFor: 20 * time.Millisecond,
		},
		Robots: RobotsOptions{Disallowed: 0.1, Missing: 0.1, Error: 0.2, Redirect: 0.2},
	}
}

// newSite is a web without sockets.
func newSite(o Options) *site {
	o = o.withDefaults()
	s := &site{o: o, faults: o.Faults.fractions(), text: newText(o.Seed)}
	for i := range o.Hosts {
		c := face{https: unit(s.hash(saltHTTPS, i, 0)) < o.HTTPS, authority: fmt.Sprintf("127.1.1.%d:8000", i+1)}
		c.base = "http://" + c.authority
		if c.https {
			c.base = "https://" + c.authority
		}
		s.faces = append(s.faces, c)
	}
	return s
}

func TestTheSameOptionsMakeTheSameWeb(t *testing.T) {
	a, b := newSite(allFaults()), newSite(allFaults())
	pages := slices.Collect(a.Expect())
	if !reflect.DeepEqual(pages, slices.Collect(b.Expect())) {
		t.Error("two webs of the same options differ")
	}
	if len(pages) != a.Total() {
		t.Errorf("%d pages, and %d in total", len(pages), a.Total())
	}
	o := allFaults()
	o.Seed++
	if reflect.DeepEqual(pages, slices.Collect(newSite(o).Expect())) {
		t.Error("another seed makes the same web")
	}
	urls := make(map[string]bool)
	bodies := make(map[[32]byte]bool)
	for _, p := range pages {
		if urls[p.URL] {
			t.Errorf("%s comes twice", p.URL)
		}
		urls[p.URL] = true
		if found, ok := a.Page(p.URL); !ok || found != p {
			t.Errorf("%s is found as %+v, %v", p.URL, found, ok)
		}
		if p.Outcome == "fetched" {
			if bodies[p.SHA256] {
				t.Errorf("%s has the body of another", p.URL)
			}
			bodies[p.SHA256] = true
		}
	}
}

func TestEveryKindIsThereInAboutItsFraction(t *testing.T) {
	o := allFaults()
	o.Assets = 0.2
	s := newSite(o)
	count := make(map[Kind]int)
	leaves := 0
	for host := range o.Hosts {
		for page := s.trunk(); page < o.PagesPerHost; page++ {
			count[s.kind(host, page)]++
			leaves++
		}
	}
	faulty := 0
	for i, k := range faultKinds {
		faulty += count[k]
		if count[k] == 0 {
			t.Errorf("no page is %s, want %.2f of them", k, o.Faults.fractions()[i])
		}
	}
	part := func(n int) float64 { return float64(n) / float64(leaves) }
	if a := part(count[KindAsset]); a < 0.17 || a > 0.23 {
		t.Errorf("%.2f of the leaves are assets, want 0.2", a)
	}
	if d := part(count[KindDisallowed]); d < 0.04 || d > 0.09 { // of what is no asset, on hosts with rules, and not in open
		t.Errorf("%.2f of the leaves are disallowed, want some 0.06", d)
	}
	if f := part(faulty); f < 0.2 || f > 0.4 { // 0.47 of what is neither asset nor in a section
		t.Errorf("%.2f of the leaves are faulty, want some 0.3", f)
	}
}

func TestPagesHaveTheSizesAskedFor(t *testing.T) {
	s := newSite(Options{Hosts: 2, PagesPerHost: 300})
	smallest, largest := 1<<30, 0
	for host := range 2 {
		for page := range 300 {
			n := len(s.appendBody(nil, ref{host: host, page: page}))
			smallest, largest = min(smallest, n), max(largest, n)
		}
	}
	if smallest < 7_900 || smallest > 9_000 || largest > 30_100 || largest < 29_000 {
		t.Errorf("pages have %d to %d bytes, want 8,000 to 30,000", smallest, largest)
	}
}

func TestWhatDoesNotBelongToTheFarmIsNotFound(t *testing.T) {
	s := newSite(allFaults())
	base := s.faces[0].base
	for _, u := range []string{
		"", "http://example.com/", base, base + "/nothing", base + "/-", base + "/s1/page-1.htm", base + "/s1/page-999999.html",
		base + "/hop-3/", base + "/hop-0/1", base + "/hop-99999999999999999999/1", base + "/s2/page-00.html", base + "/?", base + "/robots.txt",
	} {
		if p, ok := s.Page(u); ok {
			t.Errorf("%q is %+v", u, p)
		}
	}
}

func TestTextCompressesLikeRealPages(t *testing.T) {
	f, err := New(Options{Hosts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body := f.appendBody(nil, ref{page: 1})
	if ratio := float64(len(body)) / float64(len(f.compress(body))); ratio < 2 || ratio > 6 {
		t.Errorf("gzip makes a page %.1f times smaller, want 2 to 6", ratio)
	}
}

func TestRobotsMatcher(t *testing.T) {
	rules := []rule{{prefix: "/tmp/"}, {prefix: "/tmp/open/", allow: true}}
	for target, want := range map[string]bool{
		"/": true, "/tmp": true, "/tmp/": false, "/tmp/x": false, "/tmp/open": false, "/tmp/open/": true, "/tmp/open/x?y": true, "/x/tmp/": true,
	} {
		if allowedBy(rules, target) != want {
			t.Errorf("%s is allowed: %v, want %v", target, !want, want)
		}
	}
	if !allowedBy(nil, "/tmp/") {
		t.Error("no rules forbid something")
	}
}

func TestRulesAgreeWithTheKinds(t *testing.T) {
	s := newSite(allFaults())
	forbidden, opened := 0, 0
	for r := range s.refs() {
		target := string(s.appendTarget(nil, r))
		disallowed := s.kind(r.host, r.page) == KindDisallowed
		if allowedBy(s.rules(r.host), target) == disallowed {
			t.Errorf("%s on host %d: disallowed %v, by its rules %v", target, r.host, disallowed, s.rules(r.host))
		}
		if disallowed {
			forbidden++
		}
		if strings.Contains(target, "/open/") {
			opened++
		}
	}
	if forbidden == 0 || opened == 0 {
		t.Errorf("%d URLs are forbidden and %d allowed by a longer rule", forbidden, opened)
	}
	if body := string(s.robotsBody(3)); !strings.Contains(body, "Disallow: "+s.rules(3)[0].prefix+"\n") {
		t.Errorf("the rules are not in %q", body)
	}
}

func TestBadOptionsAreToldAllAtOnce(t *testing.T) {
	_, err := New(Options{
		Hosts: MaxHosts + 1, PagesPerHost: -1, MinBytes: 10, MaxBytes: 5, Gzip: 1.5, Bandwidth: -1, Latency: -1,
		Faults: Faults{NotFound: 0.7, Reset: 0.7, RetryAfter: 1500 * time.Millisecond}, Robots: RobotsOptions{Disallowed: 0.6},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, what := range []string{"Hosts", "PagesPerHost", "MaxBytes", "Gzip", "bandwidth", "negative", "Faults:", "RetryAfter", "Disallowed"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("nothing about %s in: %v", what, err)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, c := range [][3]string{
		{"/", "/", "./"}, {"/", "/a/b", "a/b"}, {"/a/b", "/a/c", "c"}, {"/a/b", "/", "../"}, {"/a/b/", "/a/c?d/e", "../c?d/e"},
		{"/a/b?c/d/e", "/a/", "./"}, {"/a/b/c", "/d", "../../d"}, {"/a/b", "/a/b", "b"}, {"/ab/c", "/ac/c", "../ac/c"},
	} {
		if got := string(relative([]byte(c[0]), []byte(c[1]))); got != c[2] {
			t.Errorf("%s seen from %s is %q, want %q", c[1], c[0], got, c[2])
		}
	}
}

func TestNoTwoHostsShareText(t *testing.T) {
	s := newSite(Options{Hosts: 2, PagesPerHost: 2, Links: -1})
	a, b := s.appendBody(nil, ref{host: 0, page: 1}), s.appendBody(nil, ref{host: 1, page: 1})
	if sha256.Sum256(a) == sha256.Sum256(b) || bytes.Contains(a, b[len(b)/2:len(b)/2+200]) {
		t.Error("pages of two hosts are alike")
	}
}

func BenchmarkBody(b *testing.B) {
	s := newSite(Options{Hosts: 10, PagesPerHost: 200, Assets: -1})
	var body []byte
	i, n := 0, int64(0)
	for b.Loop() {
		body = s.appendBody(body[:0], ref{host: i % 10, page: i % 200})
		n += int64(len(body))
		i++
	}
	b.SetBytes(n / int64(i))
}
