package fetcher

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/fetcher/fetchertest"
)

func takeAll(t *testing.T, r *report) []crawler.Part {
	t.Helper()
	var parts []crawler.Part
	for !r.empty() {
		var p crawler.Part
		r.take(&p)
		if parts = append(parts, p); len(parts) > 1000 {
			t.Fatal("a report that is never empty")
		}
	}
	return parts
}

func testLinks(t *testing.T, n, size int) []crawler.Link {
	links := make([]crawler.Link, n)
	for i := range links {
		u := fmt.Sprintf("http://a.test/%d/", i)
		links[i].URL = fetchertest.MustURL(t, u+strings.Repeat("x", max(0, size-len(u))))
	}
	return links
}

// linkTexts is a lower bound of a part's size on the wire: the texts alone.
func linkTexts(p *crawler.Part) (n int) {
	for _, l := range p.Links {
		for _, link := range l.Links {
			n += len(link.URL.String())
		}
	}
	return n
}

func TestPageWithManyLinksIsSplitWithItsResultLast(t *testing.T) {
	r := newReport()
	page := fetchertest.MustURL(t, "http://a.test/page")
	first := &crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/first")}
	r.add(first, 0, nil, false)
	links := testLinks(t, 10_000, 300)
	r.add(&crawler.Result{URL: page}, 0, links, false)
	parts := takeAll(t, r)
	if len(parts) < 6 {
		t.Errorf("3 MB in %d parts", len(parts))
	}
	n := 0
	for i, p := range parts {
		for _, l := range p.Links {
			if l.Page != page {
				t.Errorf("links of %v", l.Page)
			}
			n += len(l.Links)
		}
		last := i == len(parts)-1
		for _, res := range p.Results {
			if res.URL == page && (!last || n != 10_000) {
				t.Errorf("the result comes in part %d of %d, after %d links", i+1, len(parts), n)
			}
		}
		if size := linkTexts(&p); size > crawler.MaxPartBytes || !last && size < crawler.MaxPartBytes/2 {
			t.Errorf("part %d has %d bytes of links", i+1, size)
		}
		if encoded, _ := json.Marshal(p.Results); len(encoded) > crawler.MaxPartBytes {
			t.Errorf("part %d has %d bytes of results", i+1, len(encoded))
		}
	}
	if n != 10_000 {
		t.Errorf("%d links sent", n)
	}
}

func TestShortLinksFillAPartByTheirOverheadToo(t *testing.T) {
	r := newReport()
	r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/")}, 0, testLinks(t, 10_000, 0), false)
	for i, p := range takeAll(t, r) {
		links := 0
		for _, l := range p.Links {
			links += len(l.Links)
		}
		if size := linkTexts(&p) + 8*links; size > crawler.MaxPartBytes {
			t.Errorf("part %d may have %d bytes", i+1, size)
		}
	}
}

func TestLargestResultAndRobotsFileFitAPart(t *testing.T) {
	r := newReport()
	r.addRobots(crawler.RobotsFile{Body: make([]byte, 500*crawler.KiB)})
	r.addRobots(crawler.RobotsFile{Body: make([]byte, 500*crawler.KiB)})
	r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/"), Detail: strings.Repeat("x", crawler.MaxPartBytes)}, 0, nil, false)
	if parts := takeAll(t, r); len(parts) != 3 {
		t.Errorf("%d parts", len(parts))
	}
}

func TestLinksAreSentOnceATurnUnlessThePageIsNearerToTheSeeds(t *testing.T) {
	r := newReport()
	page := func(s string, depth int, links ...crawler.Link) {
		r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/"+s)}, depth, links, false)
	}
	a := crawler.Link{URL: fetchertest.MustURL(t, "http://a.test/a")}
	asRequisite := crawler.Link{URL: a.URL, Kind: crawler.LinkRequisite}
	redirect := crawler.Link{URL: a.URL, Kind: crawler.LinkRedirect}
	page("1", 3, a)
	page("2", 3, a, asRequisite)
	page("3", 1, a)
	page("4", 2, a, redirect)
	page("5", 2, redirect)
	var got []string
	for _, p := range takeAll(t, r) {
		for _, l := range p.Links {
			for _, link := range l.Links {
				got = append(got, fmt.Sprintf("%s:%d", l.Page.Path(), link.Kind))
			}
		}
	}
	if s := strings.Join(got, " "); s != "/1:0 /2:1 /3:0 /4:2 /5:2" {
		t.Errorf("sent %s", s)
	}
	for depth, want := range []bool{false, true, true} {
		if got := r.knows(a.Key(), depth); got != want {
			t.Errorf("a page at depth %d need not make the link: %v, want %v", depth, got, want)
		}
	}
}

func TestCountsOfAReportAreSentOnce(t *testing.T) {
	r := newReport()
	r.addExchange(100*time.Millisecond, true, true)
	r.addExchange(200*time.Millisecond, true, false)
	r.addExchange(0, true, false)
	r.addExchange(0, false, false)
	var one, two crawler.Part
	r.take(&one)
	r.take(&two)
	if s := one.State; s.Requests != 3 || !s.PenaltySet || s.MeanTime < 100*time.Millisecond || s.MeanTime > 200*time.Millisecond {
		t.Errorf("first part: %+v", s)
	}
	if s := two.State; s.Requests != 0 || s.PenaltySet {
		t.Errorf("second part: %+v", s)
	}
}

func TestFullReportHoldsLanesBackUntilItIsTaken(t *testing.T) {
	r := newReport()
	r.room(nil)
	r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/")}, 0, testLinks(t, 2000, 300), false)
	if at, ok := r.due(); !ok || !at.IsZero() {
		t.Errorf("a full part is due %v %v", at, ok)
	}
	quit := make(chan struct{})
	close(quit)
	r.room(quit) // would hang when the end of the turn did not end it
	waited := make(chan struct{})
	go func() {
		r.room(nil)
		close(waited)
	}()
	for !r.empty() {
		select {
		case <-waited:
			t.Error("a lane went on with a full report")
		default:
		}
		var p crawler.Part
		r.take(&p)
		if r.bytes < partLimit {
			break
		}
	}
	<-waited
}

func TestCookiesTravelWithTheFirstThatIsSentOfTheirPage(t *testing.T) {
	r := newReport()
	one := func(name string) []session.CookieChange { return fetchertest.Granted("a.test", name+"=1") }
	many := make([]crawler.Link, 20_000)
	for i := range many {
		many[i].URL = fetchertest.MustURL(t, fmt.Sprintf("http://a.test/%d/%s", i, strings.Repeat("x", 50)))
	}
	add := func(page string, links []crawler.Link) {
		r.add(&crawler.Result{URL: fetchertest.MustURL(t, page)}, 0, links, false)
	}
	r.hold(one("first"))
	add("http://a.test/1", nil)
	r.hold(one("second"))
	add("http://a.test/2", many)
	r.hold(one("third"))
	add("http://a.test/3", nil)
	r.hold(one("alone"))
	seen := make(map[string]int)
	for n := 1; ; n++ {
		var p crawler.Part
		r.take(&p)
		for _, c := range p.State.Cookies {
			seen[c.Name] = n
		}
		for _, l := range p.Links {
			if seen["second"] == 0 {
				t.Fatalf("part %d has links of %s before its cookie", n, l.Page)
			}
		}
		for _, res := range p.Results {
			if name := map[string]string{"/1": "first", "/2": "second", "/3": "third"}[res.URL.Path()]; seen[name] == 0 {
				t.Errorf("part %d has the result of %s before its cookie", n, res.URL)
			}
		}
		if r.empty() {
			break
		}
	}
	if seen["second"] != 1 || seen["third"] == 1 || seen["alone"] == 0 {
		t.Errorf("sent in parts %v", seen)
	}
}

func TestLinksWithoutAResultGoIntoParts(t *testing.T) {
	r := newReport()
	page, next := fetchertest.MustURL(t, "http://a.test/"), fetchertest.MustURL(t, "http://a.test/next")
	var links []crawler.Link
	for i := range 12_000 {
		links = append(links, crawler.Link{URL: fetchertest.MustURL(t, fmt.Sprintf("http://a.test/%s%d", strings.Repeat("x", 60), i))})
	}
	r.addLinks(page, 0, links[:11_000])
	r.add(&crawler.Result{URL: page, Outcome: crawler.Fetched, Status: http.StatusOK}, 0, links[11_000:], false)
	r.add(&crawler.Result{URL: next, Outcome: crawler.Fetched}, 0, nil, false)
	got, parts, ended := 0, 0, false
	for !r.empty() {
		var p crawler.Part
		r.take(&p)
		r.stored()
		parts++
		size := 0
		for _, l := range p.Links {
			got += len(l.Links)
			size += sizeLinks(l.Page, l.Links)
			if l.Page != page || ended {
				t.Errorf("part %d: links of %s, after its result: %v", parts, l.Page, ended)
			}
		}
		for _, res := range p.Results {
			ended = ended || res.URL == page
		}
		if size > crawler.MaxPartBytes {
			t.Errorf("part %d has %d bytes of links", parts, size)
		}
	}
	if got != len(links) || parts < 2 || !ended || r.all.bytes != 0 || r.bytes != 0 {
		t.Errorf("%d links in %d parts, result %v, %d and %d bytes left", got, parts, ended, r.all.bytes, r.bytes)
	}
}
