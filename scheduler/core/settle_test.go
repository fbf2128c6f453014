package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

func TestWhatAPartSaysOfItsHost(t *testing.T) {
	inBubble(t, "is counted and kept, and what it does not say stays", func(t *testing.T) {
		_, st, h := awayStep(t)
		requests := st.tallies.Requests
		report := crawler.HostReport{
			Requests: 3, Dropped: map[string]int64{"x": 2}, Bounds: map[string]int64{"y": 4}, PenaltySet: true, Penalty: time.Minute,
			MeanTime: time.Second, Addresses: []string{"192.0.2.1"},
		}
		h.Refused = 503
		st.hostReport(h, &credit.Turn{}, &report)
		st.hostReport(h, &credit.Turn{}, &crawler.HostReport{Requests: 1, Dropped: map[string]int64{"x": 1}, Penalty: time.Hour})
		if st.tallies.Requests != requests+4 || st.tallies.Dropped["x"] != 3 || st.tallies.Bounds["y"] != 4 {
			t.Errorf("%+v", st.tallies)
		}
		if h.Penalty != time.Minute || h.Refused != 503 || h.MeanTime != time.Second || !slices.Equal(h.Addresses, []string{"192.0.2.1"}) || h.AddressesTo.Sub(st.now) != addressTTL {
			t.Errorf("%+v", h)
		}
		st.hostReport(h, &credit.Turn{}, &crawler.HostReport{PenaltySet: true})
		if h.Penalty != 0 || h.Refused != 0 {
			t.Errorf("without a back-off: %v, %d", h.Penalty, h.Refused)
		}
	})
	inBubble(t, "its wait counts, but for a longer one of an unreachable robots.txt or a host that is away", func(t *testing.T) {
		for name, tt := range map[string]struct {
			host func(*crawler.HostState)
			want time.Duration
		}{
			"a shorter one":                           {func(*crawler.HostState) {}, 2 * time.Second},
			"not with an unreachable robots.txt":      {func(h *crawler.HostState) { h.RobotsTries = 1 }, time.Minute},
			"not for a host that is away":             {func(h *crawler.HostState) { h.Away = crawler.ReasonConnect }, time.Minute},
			"a longer one for a host that is away":    {func(h *crawler.HostState) { h.Away, h.Next = crawler.ReasonConnect, time.Time{} }, 2 * time.Second},
			"a longer one, unreachable or not at all": {func(h *crawler.HostState) { h.RobotsTries, h.Next = 1, time.Time{} }, 2 * time.Second},
		} {
			_, st, h := awayStep(t)
			h.Next = st.now.Add(time.Minute)
			tt.host(h)
			st.turns["a.test"] = &credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Held: true}}
			st.settle(&crawler.Part{Host: "a.test", Number: 1, Wait: 2 * time.Second})
			if got := h.Next.Sub(st.now); got != tt.want {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
	})
}

func TestWhichPartsCount(t *testing.T) {
	inBubble(t, "the next of a turn that its holder holds, and no other", func(t *testing.T) {
		for name, tt := range map[string]struct {
			turn *credit.Turn
			part func(*crawler.Part)
			late int64
		}{
			"the next":            {&credit.Turn{}, nil, 0},
			"one of no turn":      {nil, nil, 1},
			"of one offered":      {&credit.Turn{Offered: time.Unix(1, 0)}, nil, 1},
			"of another turn":     {&credit.Turn{}, func(p *crawler.Part) { p.Turn[0]++ }, 1},
			"of another holder":   {&credit.Turn{}, func(p *crawler.Part) { p.Holder[0]++ }, 1},
			"the one before":      {&credit.Turn{}, func(p *crawler.Part) { p.Number-- }, 1},
			"the one after":       {&credit.Turn{}, func(p *crawler.Part) { p.Number++ }, 1},
			"the last":            {&credit.Turn{}, func(p *crawler.Part) { p.End = true }, 0},
			"an earlier last one": {&credit.Turn{}, func(p *crawler.Part) { p.Number, p.End = 1, true }, 1},
		} {
			_, st, _ := awayStep(t)
			st.turns["a.test"] = tt.turn
			if tt.turn != nil {
				tt.turn.Host, tt.turn.Held, tt.turn.Part = "a.test", tt.turn.Offered.IsZero(), 4
			}
			p := crawler.Part{Host: "a.test", Number: 5}
			if tt.part != nil {
				tt.part(&p)
			}
			if st.settle(&p); st.tallies.LateParts != tt.late {
				t.Errorf("%s: %d late", name, st.tallies.LateParts)
			}
			if now := st.turns["a.test"]; tt.turn != nil && (now == nil) != (p.End && tt.late == 0) || now != nil && now.Part != 5-int(tt.late) {
				t.Errorf("%s: turn %+v", name, now)
			}
		}
	})
}

func TestWhatAResultMakesOfItsRow(t *testing.T) {
	type want struct {
		outcome                 crawler.Outcome
		attempts, tries, spared int
		dropped                 int64
	}
	for name, tt := range map[string]struct {
		r    func(*crawler.Result)
		want want
	}{
		"a page":                        {nil, want{crawler.Fetched, 1, 0, 0, 0}},
		"one that is not asked for":     {func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Excluded, crawler.ReasonRobots, 0 }, want{crawler.Excluded, 0, 0, 0, 0}},
		"a failure that is tried again": {func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Failed, crawler.ReasonHTTPStatus, 500 }, want{crawler.Waiting, 1, 1, 0, 0}},
		"a failure that is not":         {func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Failed, crawler.ReasonHTTPStatus, 404 }, want{crawler.Failed, 1, 0, 0, 0}},
		"a refusal":                     {func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Failed, crawler.ReasonHTTPStatus, 503 }, want{crawler.Waiting, 1, 0, 1, 0}},
		"no connection, nothing sent": {func(r *crawler.Result) {
			r.Outcome, r.Reason, r.Status, r.Unsent = crawler.Failed, crawler.ReasonConnect, 0, true
		}, want{crawler.Waiting, 0, 0, 0, 0}},
		"no connection, something sent":  {func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Failed, crawler.ReasonConnect, 0 }, want{crawler.Waiting, 1, 0, 1, 0}},
		"of a URL that nobody knows":     {func(r *crawler.Result) { r.URL = mustURL("http://a.test/unknown") }, want{crawler.Waiting, 0, 0, 0, 1}},
		"of a URL that is not leased":    {func(r *crawler.Result) { r.URL = mustURL("http://a.test/1") }, want{crawler.Waiting, 0, 0, 0, 1}},
		"of a URL that is another's row": {func(r *crawler.Result) { r.URL = mustURL("http://b.test/0") }, want{crawler.Waiting, 0, 0, 0, 1}},
	} {
		inBubble(t, name, func(t *testing.T) {
			d, st, h := awayStep(t)
			u := mustURL("http://a.test/0")
			made := &credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Held: true, URLs: []uint64{u.Key().URL}}}
			st.lease(h, 1)
			r := schedulertest.Fetched(u.String())
			if tt.r != nil {
				tt.r(&r)
			}
			rows := st.load(weburl.Sorted([]weburl.URLKey{u.Key(), mustURL("http://a.test/1").Key()}))
			st.result(h, made, &crawler.Part{Fetcher: "f"}, &r, rows)
			row := st.current(d.led.AllRows[u.Key()])
			got := want{row.Outcome, row.Attempts, row.Tries, row.Spared, st.tallies.Dropped["result_without_lease"]}
			if got != tt.want || (len(made.URLs) == 0) != (tt.want.dropped == 0) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if tt.want.attempts > 0 && (row.Fetcher != "f" || fetchedBy(st, "f") != 1) {
				t.Errorf("by %q, counted %v", row.Fetcher, fetchedBy(st, "f"))
			}
			if row.Outcome == crawler.Waiting && row.Tries+row.Spared > 0 && row.Reason == crawler.ReasonRetry && (!row.RetryAt.After(st.now) || !h.RetryAt.Equal(row.RetryAt)) {
				t.Errorf("again at %v, the host says %v", row.RetryAt, h.RetryAt)
			}
		})
	}
	inBubble(t, "the host knows its earliest retry", func(t *testing.T) {
		_, st, h := awayStep(t)
		r := failed("http://a.test/0", crawler.ReasonHTTPStatus, 500)
		for _, tt := range []struct {
			retries int64
			at      time.Duration // of the earliest one there is
			kept    bool
		}{{0, 1, false}, {1, 1, true}, {1, time.Hour, false}} {
			h.Retry, h.RetryAt = tt.retries, st.now.Add(tt.at)
			row := crawler.Row{Result: r}
			st.retry(h, &r, &row, false)
			if kept := !h.RetryAt.Equal(row.RetryAt); kept != tt.kept || row.Reason != crawler.ReasonRetry {
				t.Errorf("%+v: the host says %v, the row %v", tt, h.RetryAt.Sub(st.now), row.RetryAt.Sub(st.now))
			}
		}
	})
}

func TestErrandsAreKeptInStep(t *testing.T) {
	u := mustURL("http://hub.test/robots.txt")
	hop := func(host string, scheme string) crawler.RobotsHop {
		return crawler.RobotsHop{For: weburl.Host(host), Scheme: scheme, URL: u, Count: 1}
	}
	inBubble(t, "how many redirects are followed", func(t *testing.T) {
		for count, want := range map[int]bool{1: true, maxRobotsHops: true, maxRobotsHops + 1: false} {
			_, st, h := awayStep(t)
			one := hop("", "http")
			one.Count = count
			if st.addErrand(h, one); h.RobotsWait != want || (len(st.changes.Robots) == 1) == want {
				t.Errorf("hop %d: waits %v, %+v", count, h.RobotsWait, st.changes.Robots)
			}
		}
		_, st, h := awayStep(t)
		if st.addErrand(h, crawler.RobotsHop{Scheme: "http", Count: 1}); h.RobotsWait {
			t.Error("one that leads nowhere is waited for")
		}
	})
	inBubble(t, "one that waits already, that ends, and that comes again", func(t *testing.T) {
		_, st, _ := awayStep(t)
		hub := st.host("hub.test")
		for n, tt := range []struct {
			end  bool
			hop  crawler.RobotsHop
			want int
		}{{false, hop("a.test", "http"), 1}, {false, hop("a.test", "http"), 1}, {false, hop("a.test", "https"), 2}, {false, hop("b.test", "http"), 3},
			{true, hop("a.test", "http"), 2}, {false, hop("a.test", "http"), 3}, {true, hop("a.test", "https"), 2}} {
			if tt.end {
				st.endErrand(hub, tt.hop)
			} else {
				st.putErrand(hub, tt.hop)
			}
			if hub.Errands != tt.want {
				t.Errorf("%d: %d errands, want %d", n, hub.Errands, tt.want)
			}
		}
		if got := len(st.currentWaiters(u, nil)); got != 2 {
			t.Errorf("%d wait", got)
		}
		if got := len(st.currentWaiters(mustURL("http://hub.test/"), []crawler.RobotsHop{hop("a.test", "https"), hop("c.test", "http")})); got != 1 {
			t.Errorf("%d of the stored ones wait", got)
		}
		st.sealErrands()
		if len(st.changes.Errands) != 2 || len(st.changes.EndErrands) != 2 {
			t.Errorf("%+v", st.changes)
		}
	})
	inBubble(t, "an answer is handed out in batches, by number and by bytes", func(t *testing.T) {
		for name, tt := range map[string]struct {
			waiting, body, handed int // handed: in this step, before
			want                  int
		}{
			"to all":                      {5, 0, 0, 5},
			"to as many as a step takes":  {maxHandOn, 0, 0, maxHandOn},
			"to no more":                  {maxHandOn + 1, 0, 0, maxHandOn},
			"less those before":           {5, 0, maxHandOn - 2, 2},
			"to none when a step is full": {5, 0, maxHandOn, 0},
			"by bytes":                    {5, maxHandOnBytes / 3, 0, 3},
			"one in any case":             {5, maxHandOnBytes + 1, 0, 1},
		} {
			_, st, _ := awayStep(t)
			hub := st.host("hub.test")
			for i := range tt.waiting {
				st.putErrand(hub, hop(fmt.Sprintf("h%d.test", i), "http"))
			}
			st.handed = tt.handed
			a := &crawler.HopAnswer{URL: u, Until: st.now.Add(time.Hour), File: crawler.RobotsFile{Status: crawler.RobotsRules, Body: make([]byte, tt.body)}}
			st.handOut(hub, a)
			left := tt.waiting - tt.want
			if st.handed-tt.handed != tt.want || hub.Errands != left || (hub.Handing == 1) != (left > 0) || st.answers[u.Key()].Handing != (left > 0) {
				t.Errorf("%s: handed %d, %d wait, %d are handed on", name, st.handed-tt.handed, hub.Errands, hub.Handing)
			}
			if tt.want > 0 && (st.changes.Robots[0].File.TTL != time.Hour || st.changes.Robots[0].File.Scheme != "http") {
				t.Errorf("%s: %+v", name, st.changes.Robots[0])
			}
			if st.handed = 0; tt.body == 0 && left > 0 {
				if st.handOut(hub, a); hub.Errands != 0 || hub.Handing != 0 || st.answers[u.Key()].Handing {
					t.Errorf("%s, and then: %d wait, %d are handed on", name, hub.Errands, hub.Handing)
				}
			}
		}
	})
	inBubble(t, "an answer counts for as long as its kind does", func(t *testing.T) {
		for status, want := range map[crawler.RobotsStatus]time.Duration{
			crawler.RobotsRules: 20 * time.Minute, crawler.RobotsUnavailable: 20 * time.Minute, crawler.RobotsUnreachable: schedulertest.Job().Robots.Backoff,
		} {
			_, st, _ := awayStep(t)
			hub, e := st.host("hub.test"), hop("a.test", "http")
			st.putErrand(hub, e)
			made := &credit.Turn{TurnState: crawler.TurnState{Host: "hub.test", Errands: []crawler.RobotsHop{hop("z.test", "http"), e}}}
			st.errandAnswer(hub, made, crawler.RobotsAnswer{Hop: hop("x.test", "http")})
			if len(made.Errands) != 2 || len(st.answers) != 0 {
				t.Error("an answer to what nobody asked counts")
			}
			st.errandAnswer(hub, made, crawler.RobotsAnswer{Hop: e, File: crawler.RobotsFile{Status: status, HTTP: 200, TTL: 20 * time.Minute}})
			if got := st.answers[u.Key()].Until.Sub(st.now); got != want || len(made.Errands) != 1 || !hub.Answered.Has("http") {
				t.Errorf("%v: for %v, want %v; left %+v", status, got, want, made.Errands)
			}
			st.errandAnswer(hub, made, crawler.RobotsAnswer{Hop: made.Errands[0], Next: mustURL("http://on.test/")})
			if a := st.answers[u.Key()]; a.Until.Sub(st.now) != st.s.job.Job.Robots.TTL || a.File.Status != (crawler.RobotsFile{}).Status || a.Next.IsZero() {
				t.Errorf("one that leads on: %+v", a)
			}
		}
	})
	inBubble(t, "those of a host that was given up fail", func(t *testing.T) {
		d, _, _ := awayStep(t)
		st := d.s.newStep()
		st.putErrand(st.host("hub.test"), hop("a.test", "http"))
		st.host("a.test").RobotsWait = true
		if err := d.s.seal(st); err != nil {
			t.Fatal(err)
		}
		st = d.s.newStep()
		hub := st.host("hub.test")
		hub.GivenUp = crawler.ReasonConnect
		st.giveUpBatch(hub)
		if a := st.host("a.test"); hub.Errands != 0 || a.RobotsWait || a.RobotsTries != 1 || len(st.changes.Robots) != 1 {
			t.Errorf("%d errands, host %+v", hub.Errands, a)
		}
		before := len(st.errands)
		b := st.host("b.test")
		if st.addErrand(b, hop("", "http")); len(st.errands) != before || b.RobotsWait || b.RobotsTries != 1 {
			t.Errorf("a later one: %+v", b)
		}
	})
}

// fetchedBy is how many fetches of a fetcher's were settled, as status has it.
func fetchedBy(st *Step, name string) int64 {
	for _, f := range st.s.fetchers.Status(st.s.turns) {
		if f.Name == name {
			return f.Pages
		}
	}
	return 0
}
