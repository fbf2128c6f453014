package core

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

func TestHostsInMemoryAreBounded(t *testing.T) {
	c := &hostCache{m: make(map[weburl.Host]*crawler.HostState)}
	for n := range maxCachedHosts - 1 {
		c.m[weburl.Host(fmt.Sprint(n))] = nil
	}
	for _, h := range []weburl.Host{"last", "last", "further", "last"} {
		if c.put(&crawler.HostState{Host: h}); len(c.m) != maxCachedHosts || c.get(h) == nil {
			t.Errorf("%s: %d hosts, there: %v", h, len(c.m), c.get(h) != nil)
		}
	}
}

func TestDomainsInMemoryAreBoundedByTheirBytes(t *testing.T) {
	domain := func(name string, value int) *session.DomainState {
		return &session.DomainState{Domain: name, Logins: []session.Login{{Credentials: string(make([]byte, value))}}}
	}
	c := newDomainCache()
	most := maxCachedDomainBytes - domain("a", 0).Bytes()
	for range 2 {
		if c.put(domain("a", most)); c.bytes != maxCachedDomainBytes || len(c.m) != 1 {
			t.Errorf("%d domains with %d bytes", len(c.m), c.bytes)
		}
	}
	if c.put(domain("b", 0)); len(c.m) != 1 {
		t.Errorf("%d domains beyond the limit", len(c.m))
	}
	for _, left := range c.m { // either of them
		if c.bytes != left.Bytes() {
			t.Errorf("%d bytes are counted as %d", left.Bytes(), c.bytes)
		}
	}
}

func TestHostsThatAreAwayAreNamedUpToALimit(t *testing.T) {
	s := &state{kept: kept{away: make(map[weburl.Host]struct{})}}
	for n := range maxAwayNamed + 1 {
		s.nameAway(&crawler.HostState{Host: weburl.Host(fmt.Sprint(n)), Away: crawler.ReasonConnect})
	}
	if len(s.away) != maxAwayNamed {
		t.Errorf("%d are named", len(s.away))
	}
}

func TestCountsOfReasonsThatAreNoneAreLeftOut(t *testing.T) {
	var m map[crawler.Reason]int64
	if addCount(&m, "x", 2); m["x"] != 2 {
		t.Errorf("%v", m)
	}
	if addCount(&m, "x", -2); len(m) != 0 {
		t.Errorf("%v", m)
	}
}

func TestTheEarliestHostIsNamedWhetherItIsDueOrNot(t *testing.T) {
	begin := time.Unix(1000, 0)
	f := newFront(4)
	f.fill(nil, 4)
	if h, ok := f.first(); ok {
		t.Errorf("%q of none", h)
	}
	f.set("a", begin, crawler.Rank{Lag: crawler.NoLag})
	if h, ok := f.first(); h != "a" || !ok {
		t.Errorf("%q, %v", h, ok)
	}
	f.set("b", begin, crawler.Rank{Lag: crawler.NoLag})
	one, _ := f.pop(begin)
	if h, ok := f.first(); h == one || !ok {
		t.Errorf("%q, %v, and %q was taken", h, ok, one)
	}
}

func TestSettingsOfTwoStartsAreJoined(t *testing.T) {
	if got := fmt.Sprint(union([]string{"a", "b"}, []string{"b", "c"})); got != "[a b c]" {
		t.Error(got)
	}
}

func TestTheWorkOnAWholeLedgerIsSaidOnlyWhileThereIsSome(t *testing.T) {
	s := &state{}
	if w := s.workWord(); w != "" {
		t.Error(w)
	}
	s.work.Retry = []crawler.RetryWork{{}}
	if s.workWord() == "" {
		t.Error("nothing is said of failed URLs that are taken up")
	}
	for from, want := range map[weburl.HostKey]string{0: " 0 %", 1 << 63: " 50 %", math.MaxUint64: " 99 %"} {
		s.work.Retry[0].From.Host = from
		if w := s.workWord(); !strings.Contains(w, want) {
			t.Errorf("at %x it says %q", from, w)
		}
	}
}

func TestARenewalOfATurnEndsItsLapse(t *testing.T) {
	inBubble(t, "in this step and for those that follow", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.ask(d.take(), 1)
		for _, edited := range []bool{false, true} {
			st := d.s.newStep()
			committed := d.s.core.state.turns["a.test"]
			committed.lapsing, committed.spared = true, true
			now := committed
			if edited {
				now = st.editTurn("a.test")
			}
			st.renew("a.test", now)
			for _, turn := range []*turn{committed, now} {
				if turn.lapsing || turn.spared || !turn.until.Equal(st.now.Add(d.s.core.state.job.Job.Lease)) {
					t.Errorf("edited %v: lapsing %v, spared %v, until %v", edited, turn.lapsing, turn.spared, turn.until)
				}
			}
		}
	})
}

func TestURLsKnownOfLateAreRemembered(t *testing.T) {
	r := newRecent(4)
	a := mustURL("http://a.test/1").Key()
	b := a
	for n := 2; a == b || r.place(a) != r.place(b); n++ {
		b = mustURL(fmt.Sprintf("http://a.test/%d", n)).Key()
	}
	if r.has(a) || r.has(weburl.URLKey{}) {
		t.Error("one is known at the beginning")
	}
	if r.add(a); !r.has(a) || r.has(b) {
		t.Errorf("the first: %v, another at its place: %v", r.has(a), r.has(b))
	}
	if r.add(b); r.has(a) || !r.has(b) {
		t.Errorf("the first: %v, the one that took its place: %v", r.has(a), r.has(b))
	}
}

func TestCachesAreAsLargeAsIsAskedFor(t *testing.T) {
	for _, tt := range []struct{ front, links, wantFront, wantLinks int }{
		{0, 0, DefaultFrontHosts, DefaultRecentLinks}, {3, 8, 3, 8},
	} {
		led, q := schedulertest.NewLedger(), schedulertest.NewQueues(1)
		s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, FrontHosts: tt.front, RecentLinks: tt.links})
		if err != nil {
			t.Fatal(err)
		}
		if front, links := s.core.state.front.size, len(s.core.state.recent.keys); front != tt.wantFront || links != tt.wantLinks {
			t.Errorf("%+v: %d hosts, %d links", tt, front, links)
		}
	}
}

func TestAFrontThatIsJustFullGivesUpNoHost(t *testing.T) {
	const size = 4
	begin := time.Unix(1000, 0)
	rank := crawler.Rank{Lag: crawler.NoLag}
	f := newFront(size)
	f.fill(nil, size)
	for n := range 9 * size { // each makes an entry that is stale soon
		f.set(weburl.Host(fmt.Sprint("h", n%size)), begin.Add(time.Duration(n)*time.Second), rank)
	}
	if n := f.later.Len(); n >= 8*size {
		t.Fatalf("%d entries, stale ones among them", n)
	}
	f.set("late", begin.Add(time.Hour), rank)
	if _, known := f.at["late"]; !known {
		t.Error("a later host is left to the ledger")
	}
}
