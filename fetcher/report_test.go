package fetcher

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
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
		links[i].URL = mustURL(t, u+strings.Repeat("x", max(0, size-len(u))))
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
	page := mustURL(t, "http://a.test/page")
	first := &crawler.Result{URL: mustURL(t, "http://a.test/first")}
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
	r.add(&crawler.Result{URL: mustURL(t, "http://a.test/")}, 0, testLinks(t, 10_000, 0), false)
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
	r.add(&crawler.Result{URL: mustURL(t, "http://a.test/"), Detail: strings.Repeat("x", crawler.MaxPartBytes)}, 0, nil, false)
	if parts := takeAll(t, r); len(parts) != 3 {
		t.Errorf("%d parts", len(parts))
	}
}

func TestLinksAreSentOnceATurnUnlessThePageIsNearerToTheSeeds(t *testing.T) {
	r := newReport()
	page := func(s string, depth int, links ...crawler.Link) {
		r.add(&crawler.Result{URL: mustURL(t, "http://a.test/"+s)}, depth, links, false)
	}
	a := crawler.Link{URL: mustURL(t, "http://a.test/a")}
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
	r.add(&crawler.Result{URL: mustURL(t, "http://a.test/")}, 0, testLinks(t, 2000, 300), false)
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
