package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

// awayStep is a step about one host with three URLs, "http://a.test/0" and on.
func awayStep(t *testing.T) (*desk, *Step, *crawler.HostState) {
	t.Helper()
	d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
	d.s.SetFetchers(nil)
	d.seed(urlsOf("a.test", 3)...)
	st := d.s.newStep()
	d.s.core.o.Jitter = func() float64 { return 0.5 } // a probe comes exactly when it should
	return d, st, st.host("a.test")
}

func TestWhatAResultSaysOfItsHost(t *testing.T) {
	silent := func(status int) crawler.Result { return failed("http://a.test/0", crawler.ReasonTimeout, status) }
	for name, tt := range map[string]struct {
		r           crawler.Result
		host        func(*crawler.HostState)
		spared      int
		spare, wait bool
		says        func(*crawler.HostState) bool
	}{
		"a page":                          {schedulertest.Fetched("http://a.test/0"), nil, 0, false, false, func(h *crawler.HostState) bool { return h.Answered.Has("http") && !h.Gone() && h.Refused == 0 }},
		"a page, while it was away":       {schedulertest.Fetched("http://a.test/0"), func(h *crawler.HostState) { h.Away, h.Failed = crawler.ReasonConnect, 3 }, 0, false, false, func(h *crawler.HostState) bool { return h.Away == "" && h.Failed == 0 }},
		"an error page":                   {failed("http://a.test/0", crawler.ReasonHTTPStatus, 404), nil, 0, false, false, func(h *crawler.HostState) bool { return h.Answered.Has("http") && !h.Answered.Has("https") }},
		"nothing of the server's":         {failed("http://a.test/0", crawler.ReasonPrivateAddress, 0), nil, 0, false, false, func(h *crawler.HostState) bool { return h.Answered == 0 }},
		"a refusal":                       {failed("http://a.test/0", crawler.ReasonHTTPStatus, 503), nil, 0, true, false, func(h *crawler.HostState) bool { return h.Refused == 503 && h.Answered.Has("http") }},
		"the ninth refusal":               {failed("http://a.test/0", crawler.ReasonHTTPStatus, 429), nil, crawler.MaxSpared - 1, true, false, nil},
		"the tenth":                       {failed("http://a.test/0", crawler.ReasonHTTPStatus, 429), nil, crawler.MaxSpared, false, false, func(h *crawler.HostState) bool { return h.Refused == 429 }},
		"no connection":                   {refused("http://a.test/0"), nil, 0, true, true, func(h *crawler.HostState) bool { return h.Gone() && h.Failed == 1 && h.AwayDetail != "" }},
		"none by this scheme only":        {refused("http://a.test/0"), func(h *crawler.HostState) { h.Answered = h.Answered.With("https") }, 0, false, false, func(h *crawler.HostState) bool { return !h.Gone() }},
		"none, which answered by it":      {refused("http://a.test/0"), func(h *crawler.HostState) { h.Answered = h.Answered.With("http") }, 0, true, true, func(h *crawler.HostState) bool { return h.Gone() }},
		"none by this scheme while away":  {refused("http://a.test/0"), func(h *crawler.HostState) { h.Answered, h.Away = h.Answered.With("https"), crawler.ReasonDNS }, 0, true, true, func(h *crawler.HostState) bool { return h.Away == crawler.ReasonDNS }},
		"no answer":                       {silent(0), nil, 0, false, false, func(h *crawler.HostState) bool { return !h.Gone() && len(h.Silent) == 1 }},
		"no answer while away":            {silent(0), func(h *crawler.HostState) { h.Away = crawler.ReasonDNS }, crawler.MaxSpared - 1, true, true, func(h *crawler.HostState) bool { return len(h.Silent) == 0 }},
		"no answer by one with its share": {silent(0), func(h *crawler.HostState) { h.Away = crawler.ReasonDNS }, crawler.MaxSpared, false, false, func(h *crawler.HostState) bool { return h.Failed == 0 }},
		"a gateway's word for no answer":  {failed("http://a.test/0", crawler.ReasonHTTPStatus, 502), nil, 0, false, false, func(h *crawler.HostState) bool { return h.Answered == 0 && len(h.Silent) == 1 }},
		"no answer, the third of two URLs": {silent(0), func(h *crawler.HostState) {
			h.Silent = crawler.Streak{mustURL("http://a.test/1").Key().URL, mustURL("http://a.test/2").Key().URL}
		}, 0, true, true, func(h *crawler.HostState) bool {
			return h.Away == crawler.ReasonTimeout && strings.HasPrefix(h.AwayDetail, "3 tries in a row") && h.Silent == nil
		}},
		"no answer, the third of one alone": {silent(0), func(h *crawler.HostState) { u := mustURL("http://a.test/0").Key().URL; h.Silent = crawler.Streak{u, u} }, 0, false, false, func(h *crawler.HostState) bool { return !h.Gone() }},
	} {
		inBubble(t, name, func(t *testing.T) {
			_, st, h := awayStep(t)
			if tt.host != nil {
				tt.host(h)
			}
			row := *st.load([]weburl.URLKey{tt.r.URL.Key()})[tt.r.URL.Key()]
			row.Spared = tt.spared
			spare, wait := st.fault(h, &credit.Turn{}, &tt.r, &row)
			if spare != tt.spare || wait != tt.wait || tt.says != nil && !tt.says(h) {
				t.Errorf("spare %v, wait %v, host %+v", spare, wait, h)
			}
		})
	}
	inBubble(t, "what others paid for an away host is given back, but not to those that are done", func(t *testing.T) {
		_, st, h := awayStep(t)
		key := func(n int) weburl.URLKey { return mustURL(urlsOf("a.test", 3)[n]).Key() }
		change := func(n int, f func(*crawler.Row)) {
			row := st.load([]weburl.URLKey{key(n)})[key(n)]
			fresh := *row
			f(&fresh)
			st.put(row, &fresh, false)
		}
		change(1, func(r *crawler.Row) { r.Tries, r.Reason, r.RetryAt = 2, crawler.ReasonRetry, st.now.Add(time.Hour) })
		change(2, func(r *crawler.Row) { r.Outcome, r.Reason, r.Tries = crawler.Failed, crawler.ReasonTimeout, 1 })
		h.Silent = crawler.Streak{key(1).URL, key(2).URL}
		r := failed("http://a.test/0", crawler.ReasonTimeout, 0)
		own := *st.load([]weburl.URLKey{key(0)})[key(0)]
		st.fault(h, &credit.Turn{}, &r, &own)
		for n, want := range map[int][2]int{1: {1, 1}, 2: {0, 1}} { // the last try of 2 was made final by this very step
			row := st.rows[key(n)].new
			if got := [2]int{row.Tries, row.Spared}; got != want || row.Outcome != crawler.Waiting || row.Reason != "" || !row.RetryAt.IsZero() {
				t.Errorf("%d: %+v", n, row)
			}
		}
		if own.Tries != 0 || own.Spared != 0 {
			t.Errorf("its own: %d tries, %d spared", own.Tries, own.Spared)
		}
		d, st, _ := awayStep(t)
		d.led.AllRows[key(1)].Outcome = crawler.Failed // in an earlier step
		st.giveBack(key(1))
		st.giveBack(weburl.URLKey{URL: 7})
		if len(st.rows) != 0 || st.err != nil {
			t.Errorf("changed: %v, %v", st.rows, st.err)
		}
		st.giveBack(key(2)) // has paid nothing
		if row := st.rows[key(2)].new; row.Tries != 0 || row.Spared != 1 {
			t.Errorf("%+v", row)
		}
	})
	inBubble(t, "its own tries of the streak are given back to it", func(t *testing.T) {
		_, st, h := awayStep(t)
		own, other := mustURL("http://a.test/0").Key(), mustURL("http://a.test/1").Key()
		h.Silent = crawler.Streak{own.URL, other.URL}
		r := failed("http://a.test/0", crawler.ReasonTimeout, 0)
		row := *st.load([]weburl.URLKey{own})[own]
		row.Tries = 2
		st.fault(h, &credit.Turn{}, &r, &row)
		if row.Tries != 1 || row.Spared != 1 {
			t.Errorf("%d tries, %d spared", row.Tries, row.Spared)
		}
	})
}

func TestAHostThatIsAwayIsProbedAndGivenUp(t *testing.T) {
	inBubble(t, "a turn counts once, and only a probe counts while it is away", func(t *testing.T) {
		_, st, h := awayStep(t)
		for n, tt := range []struct {
			probe  bool
			failed int
			wait   time.Duration
		}{{false, 1, time.Second}, {false, 1, time.Second}, {true, 2, 2 * time.Second}, {false, 2, 2 * time.Second}, {true, 3, 4 * time.Second}} {
			st.missed(h, &credit.Turn{TurnState: crawler.TurnState{Probe: tt.probe}}, crawler.ReasonConnect, fmt.Sprint("no ", n))
			if h.Failed != tt.failed || h.Next.Sub(st.now) != tt.wait || !h.AwaySince.Equal(st.now) || h.GivenUp != "" {
				t.Errorf("%d: failed %d, next in %v, %q", n, h.Failed, h.Next.Sub(st.now), h.GivenUp)
			}
		}
		if h.AwayDetail != "no 4" {
			t.Errorf("it says %q", h.AwayDetail)
		}
		st.missed(h, &credit.Turn{TurnState: crawler.TurnState{Probe: true}}, crawler.ReasonDNS, "no more")
		if h.GivenUp != crawler.ReasonDNS || h.GivenUpDetail != "the host never answered in 4 attempts, the last: no more" || h.Failed != crawler.AttemptsNever {
			t.Errorf("%q: %q after %d", h.GivenUp, h.GivenUpDetail, h.Failed)
		}
	})
	inBubble(t, "one that has answered, after its patience and five probes", func(t *testing.T) {
		_, st, h := awayStep(t)
		patience := st.s.job.Job.HostPatience
		st.s.ran = 2 * patience
		for _, tt := range []struct {
			answered time.Duration // at
			failed   int
			over     bool
		}{
			{patience, crawler.ProbesAtLeast + 1, true}, {patience, crawler.ProbesAtLeast, false},
			{patience + 1, crawler.ProbesAtLeast + 1, false}, {patience - 1, crawler.ProbesAtLeast + 1, true},
		} {
			h.Answered, h.AnsweredAt, h.Failed = h.Answered.With("http"), tt.answered, tt.failed
			if over, told := st.patienceOver(h); over != tt.over || !strings.Contains(told, fmt.Sprintf("the last of %d attempts", tt.failed)) {
				t.Errorf("answered at %v, failed %d: %v, %q", tt.answered, tt.failed, over, told)
			}
		}
	})
	inBubble(t, "an answer to a robots.txt brings it back", func(t *testing.T) {
		for name, tt := range map[string]struct {
			f    crawler.RobotsFile
			back bool
		}{
			"rules":          {crawler.RobotsFile{HTTP: 200}, true},
			"an error":       {crawler.RobotsFile{HTTP: 500}, true},
			"nothing":        {crawler.RobotsFile{}, false},
			"no connection":  {crawler.RobotsFile{HTTP: 200, Fault: crawler.ReasonConnect}, false},
			"a gateway's":    {crawler.RobotsFile{HTTP: 502}, false},
			"the least code": {crawler.RobotsFile{HTTP: 1}, true},
		} {
			_, st, h := awayStep(t)
			h.Away, st.s.ran = crawler.ReasonConnect, time.Minute
			if st.robotsAnswered(h, "https", &tt.f); h.Gone() == tt.back || h.Answered.Has("https") != tt.back || tt.back && h.AnsweredAt != time.Minute {
				t.Errorf("%s: %+v", name, h)
			}
		}
	})
}

func TestRunningTime(t *testing.T) {
	begin := time.Unix(1000, 0)
	for name, tt := range map[string]struct {
		s      state
		passed time.Duration
		want   time.Duration
	}{
		"counts":                         {state{}, time.Second, time.Second},
		"counts the longest spell":       {state{}, maxSpell, maxSpell},
		"not beyond":                     {state{}, maxSpell + 1, maxSpell},
		"not backwards":                  {state{}, -time.Second, 0},
		"not while paused":               {state{committed: committed{job: crawler.JobState{Paused: true}}}, time.Second, 0},
		"not while stopping":             {state{seen: seen{stopping: true}}, time.Second, 0},
		"not while no network is there":  {state{seen: seen{fetchers: credit.NewFetchers()}}, time.Second, 0},
		"counts on from what was before": {state{seen: seen{ran: time.Hour}}, time.Second, time.Hour + time.Second},
	} {
		if tt.s.fetchers == nil {
			tt.s.fetchers = credit.NewFetchers()
			tt.s.fetchers.See([]crawler.FetcherStatus{{Name: "f", Slots: 1}})
		}
		tt.s.ranAt = begin
		if tt.s.advance(begin.Add(tt.passed)); tt.s.ran != tt.want || !tt.s.ranAt.Equal(begin.Add(tt.passed)) {
			t.Errorf("%s: %v", name, tt.s.ran)
		}
	}
	for name, tt := range map[string]struct {
		st     Step
		stored bool
	}{
		"is stored with what else is":        {Step{changes: crawler.Changes{Position: 1}}, true},
		"not while nothing happens":          {Step{}, false},
		"but for hosts that are away":        {Step{edits: edits{tallies: crawler.Tallies{Away: 1}}}, true},
		"and those not more often than this": {Step{edits: edits{tallies: crawler.Tallies{Away: 1}, owed: 1}}, false},
	} {
		tt.st.s = &state{seen: seen{ran: time.Hour}, committed: committed{ranStored: time.Hour - ranEvery}}
		if tt.st.owed > 0 {
			tt.st.s.ranStored++
		}
		if tt.st.sealRan(); (tt.st.changes.Ran == time.Hour) != tt.stored || !tt.stored && tt.st.changes.Ran != 0 {
			t.Errorf("running time %s: %v", name, tt.st.changes.Ran)
		}
	}
}
