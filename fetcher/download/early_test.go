package download

import (
	"fmt"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/fetchertest"
)

// testBacklog is a backlog that is full from the beginning, or never.
type testBacklog struct {
	bytes int
	full  chan struct{}
}

func (b *testBacklog) Take(n int)            { b.bytes += n }
func (b *testBacklog) Give(n int)            { b.bytes -= n }
func (b *testBacklog) Full() <-chan struct{} { return b.full }

// listing is a page with n links to names of some length.
func listing(n, length int) string {
	var b strings.Builder
	pad := strings.Repeat("x", length)
	for i := range n {
		fmt.Fprintf(&b, "<a href=/%s%d>x</a><a href=/%s%d>y</a>\n", pad, i, pad, i)
	}
	return b.String()
}

func TestLinksOfALongPageLeaveWhileItIsRead(t *testing.T) {
	const n, length = 5_000, 2_000 // 10 MB of links
	x := testExchange(t, serveBody(t, []byte(listing(n, length)), "Content-Type", "text/html"))
	var all testBacklog
	seen, most := make(map[weburl.URL]bool), 0
	x.early = func(links []crawler.Link) {
		held := 0
		for _, l := range links {
			held += linkOverhead + len(l.URL.String())
			seen[l.URL] = true
		}
		most = max(most, held)
	}
	ask(t, testTransport(t, func(o *transportOptions) { o.Kit.backlog = &all }), x)
	wantOutcome(t, x, crawler.Fetched, "")
	early := len(seen)
	for _, l := range x.found {
		seen[l.URL] = true
	}
	if len(seen) != n || x.result.Links != n {
		t.Errorf("%d links, the result says %d", len(seen), x.result.Links)
	}
	if early == 0 || most > maxPageLinks+countedLinks {
		t.Errorf("%d left early, %d bytes at once", early, most)
	}
	if all.bytes != 0 {
		t.Errorf("%d bytes stay counted", all.bytes)
	}
}

func TestLinksOfAPageLeaveEarlierWhenTheFetcherHoldsMuch(t *testing.T) {
	x := testExchange(t, serveBody(t, []byte(listing(2_000, 100)), "Content-Type", "text/html"))
	all := testBacklog{full: make(chan struct{})}
	calls := 0
	x.early = func([]crawler.Link) { calls++ }
	ask(t, testTransport(t, func(o *transportOptions) { o.Kit.backlog = &all }), x)
	if calls < 2 || len(x.found) > countedLinks/linkOverhead || all.bytes != 0 {
		t.Errorf("left in %d steps, %d remain, %d bytes counted", calls, len(x.found), all.bytes)
	}
}

func TestAPageRemembersItsLinksAsLongAsTheFetcherHasRoomForThem(t *testing.T) {
	const n = 2*freeLinks + 10
	page := listing(n, 1)
	page += page[:strings.Index(page, "\n")] // the first link once more
	for _, c := range []struct {
		name          string
		before, links int
		mark          int64
	}{
		{"with room", 0, n, 0},
		{"with room for one step", maxRemembered - freeLinks*rememberedLink, n + 1, 1},
		{"without room", maxRemembered, n + 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, []byte(page), "Content-Type", "text/html"))
			x.early = func([]crawler.Link) {}
			kit := testKit(t)
			kit.memory.bytes = c.before
			ask(t, testTransport(t, func(o *transportOptions) { o.Kit = kit }), x)
			wantOutcome(t, x, crawler.Fetched, "")
			if x.result.Links != c.links || x.bounds()[crawler.BoundForgot] != c.mark || strings.Contains(x.result.Detail, "forgotten") != (c.mark > 0) {
				t.Errorf("%d links, want %d; limits hit %v, detail %q", x.result.Links, c.links, x.bounds(), x.result.Detail)
			}
			if kit.memory.bytes != c.before {
				t.Errorf("%d bytes stay counted", kit.memory.bytes-c.before)
			}
		})
	}
}

func TestWaitingForTheQueueIsNotTheServersTime(t *testing.T) {
	clock, stood := &exchangeClock{}, false
	s := &pageScan{clock: clock, all: &testBacklog{}, held: maxPageLinks}
	s.early = func([]crawler.Link) { stood = !clock.paused.IsZero() }
	s.take(crawler.Link{URL: fetchertest.MustURL(t, "http://a.test/")})
	if !stood || !clock.paused.IsZero() {
		t.Errorf("the clock stood: %v, since %v", stood, clock.paused)
	}
}
