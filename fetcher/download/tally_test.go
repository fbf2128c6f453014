package download

import (
	"maps"
	"testing"

	"trawl/crawler"
	"trawl/crawler/links"
)

func TestLinksCountOnPagesThatAreReportedWithThem(t *testing.T) {
	x := &exchange{content: content{counts: links.Counts{TooMany: 3, Forgot: 5000, Cut: 2, LateBase: true, NotHTTP: 1}}}
	x.result.Outcome = crawler.Fetched
	if b := x.bounds(); !maps.Equal(b, Tally{crawler.BoundLinks: 1, crawler.BoundForgot: 1, crawler.BoundCarry: 2, crawler.BoundLateBase: 1}) {
		t.Errorf("bounds %v", b)
	}
	if d := x.droppedLinks(); !maps.Equal(d, Tally{crawler.DropTooMany: 3, crawler.DropNotHTTP: 1}) {
		t.Errorf("dropped %v", d)
	}
	x.fail(crawler.ReasonTooManyRedirects, "")
	if b := x.bounds(); !maps.Equal(b, Tally{crawler.BoundRedirects: 1}) || len(x.droppedLinks()) != 0 {
		t.Errorf("of a failed page: bounds %v, dropped %v", b, x.droppedLinks())
	}
}
