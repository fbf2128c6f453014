package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

func TestATurnIsAsLargeAsItsTimeAndTheLimitsAllow(t *testing.T) {
	inBubble(t, "by the host's pace", func(t *testing.T) {
		for name, tt := range map[string]struct {
			job  func(*crawler.Job)
			host crawler.HostState
			want int
		}{
			"one that was never asked":         {nil, crawler.HostState{}, 9},
			"by its mean time":                 {nil, crawler.HostState{MeanTime: time.Second}, 5},
			"one with a back-off":              {nil, crawler.HostState{MeanTime: time.Second, Penalty: 4 * time.Second}, 2},
			"one slower than a turn":           {nil, crawler.HostState{MeanTime: time.Hour}, 1},
			"one as slow as a turn":            {nil, crawler.HostState{MeanTime: 9 * time.Second}, 1},
			"several at once, by the delay":    {func(j *crawler.Job) { j.PerHost = 4 }, crawler.HostState{MeanTime: 2 * time.Second}, 10},
			"several at once, by what they do": {func(j *crawler.Job) { j.PerHost, j.Delay = 4, 0 }, crawler.HostState{MeanTime: 2 * time.Second}, 20},
			"without a pause, as many as may":  {func(j *crawler.Job) { j.Delay = 0 }, crawler.HostState{MeanTime: time.Nanosecond}, crawler.MaxTurnURLs},
			"what the job leaves":              {func(j *crawler.Job) { j.MaxPages = 3 }, crawler.HostState{}, 3},
			"what the host's share leaves":     {func(j *crawler.Job) { j.MaxPerHost = 5 }, crawler.HostState{Counts: [7]int64{crawler.Fetched: 3}}, 2},
			"a share of one":                   {func(j *crawler.Job) { j.MaxPerHost = 1 }, crawler.HostState{}, 1},
			"a share that is used up":          {func(j *crawler.Job) { j.MaxPerHost = 5 }, crawler.HostState{Counts: [7]int64{crawler.Fetched: 5}}, 0},
			"careful, one":                     {func(j *crawler.Job) { j.Name = "careful" }, crawler.HostState{}, 1},
			"careful, and none is left":        {func(j *crawler.Job) { j.Name, j.MaxPerHost = "careful", 1 }, crawler.HostState{Counts: [7]int64{crawler.Fetched: 1}}, 0},
		} {
			job := schedulertest.Job()
			job.TurnTime = 10 * time.Second
			if tt.job != nil {
				tt.job(&job)
			}
			s := &state{committed: committed{job: crawler.JobState{Job: job}}}
			if job.Name == "careful" {
				s.job.Careful = 1
			}
			tt.host.Host = "a.test"
			st := &Step{s: s}
			if got := st.turnSize(&tt.host); got != tt.want {
				t.Errorf("%s: %d URLs, want %d", name, got, tt.want)
			}
		}
	})
}

func TestWhetherAHostHasURLsOfItsOwn(t *testing.T) {
	now := time.Unix(1000, 0)
	counts := func(waiting int64) [7]int64 { return [7]int64{crawler.Waiting: waiting} }
	for name, tt := range map[string]struct {
		h    crawler.HostState
		want bool
	}{
		"none":                       {crawler.HostState{}, false},
		"one":                        {crawler.HostState{Counts: counts(1)}, true},
		"one that is parked":         {crawler.HostState{Counts: counts(1), Parked: 1}, false},
		"a retry that is due":        {crawler.HostState{Counts: counts(1), Retry: 1, RetryAt: now}, true},
		"a retry that is not due":    {crawler.HostState{Counts: counts(1), Retry: 1, RetryAt: now.Add(1)}, false},
		"a retry that is parked":     {crawler.HostState{Counts: counts(1), Retry: 1, Parked: 1, RetryAt: now}, false},
		"a retry and one beside it":  {crawler.HostState{Counts: counts(2), Retry: 1, RetryAt: now.Add(1)}, true},
		"a retry that is leased":     {crawler.HostState{Retry: 1, RetryAt: now}, false},
		"one retry, another is late": {crawler.HostState{Counts: counts(2), Retry: 2, RetryAt: now.Add(-1)}, true},
	} {
		st := &Step{now: now}
		if got := st.hasOwn(&tt.h); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhichURLsATurnHas(t *testing.T) {
	const n = 9 // by the pace
	inBubble(t, "the first of the queue, and the host learns how deep the rest is", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers(nil)
		for _, tt := range []struct {
			waiting, want, depth int
		}{{n - 1, n - 1, crawler.NoDepth}, {n, n, crawler.NoDepth}, {n + 1, n, 0}} {
			h := weburl.Host(fmt.Sprintf("h%d.test", tt.waiting))
			d.seed(urlsOf(string(h), tt.waiting)...)
			st := d.s.newStep()
			host, made := st.host(h), &credit.Turn{}
			st.s.job.Job.TurnTime = 10 * time.Second
			st.fillTurn(host, made)
			if len(made.URLs) != tt.want || len(made.Task.URLs) != tt.want || host.Depth != tt.depth || made.Depth != 0 {
				t.Errorf("of %d: %d URLs, %d in the message, depth %d, then %d", tt.waiting, len(made.URLs), len(made.Task.URLs), made.Depth, host.Depth)
			}
		}
	})
	inBubble(t, "of a size that the message takes, and one in any case", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay = 0
		d := newDesk(t, job, schedulertest.NewLedger())
		d.s.SetFetchers(nil)
		const each = 4000
		var urls []string
		for i := range 100 {
			u := fmt.Sprintf("http://a.test/%03d/", i)
			urls = append(urls, u+strings.Repeat("x", each-len(u)))
		}
		d.seed(urls...)
		st := d.s.newStep()
		made := &credit.Turn{}
		st.host("a.test").MeanTime = time.Millisecond
		st.fillTurn(st.host("a.test"), made)
		if want := crawler.MaxTaskBytes / (each + taskOverhead); len(made.URLs) != want {
			t.Errorf("%d URLs, want %d", len(made.URLs), want)
		}
		st.publish(made)
		if want := len(made.URLs)*(each+taskOverhead) + taskOverhead; st.taskBytes != want {
			t.Errorf("counted as %d bytes, want %d", st.taskBytes, want)
		}
		errands := &credit.Turn{Task: crawler.Task{Errands: []crawler.RobotsHop{{For: "b.test", URL: mustURL("http://a.test/r")}}}}
		before := st.taskBytes
		if st.publish(errands); st.taskBytes-before != len("b.test")+len("http://a.test/r")+2*taskOverhead {
			t.Errorf("an errand is counted as %d bytes", st.taskBytes-before)
		}
	})
	inBubble(t, "with the names of their files and what leads to them counted", func(t *testing.T) {
		const each = 4000
		long := func(begin string) string { return begin + strings.Repeat("x", each/2-len(begin)) }
		for name, more := range map[string]func(*crawler.Row){
			"names":     func(r *crawler.Row) { r.Name = long("n") },
			"referrers": func(r *crawler.Row) { r.Via = long("http://a.test/via/") },
		} {
			job := schedulertest.Job()
			job.Delay = 0
			d := newDesk(t, job, schedulertest.NewLedger())
			d.s.SetFetchers(nil)
			var urls []string
			for i := range 100 {
				urls = append(urls, long(fmt.Sprintf("http://a.test/%03d/", i)))
			}
			d.seed(urls...)
			for _, row := range d.led.AllRows {
				more(row)
			}
			st := d.s.newStep()
			made := &credit.Turn{}
			st.host("a.test").MeanTime = time.Millisecond
			st.fillTurn(st.host("a.test"), made)
			if want := crawler.MaxTaskBytes / (each + taskOverhead); len(made.URLs) != want {
				t.Errorf("%s: %d URLs, want %d", name, len(made.URLs), want)
			}
		}
	})
	inBubble(t, "none that the same step settled", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers(nil)
		d.seed(urlsOf("a.test", 3)...)
		st := d.s.newStep()
		old := d.row("http://a.test/1")
		fresh := *old
		fresh.Outcome, fresh.Reason = crawler.Failed, crawler.ReasonLost
		st.put(old, &fresh, false)
		made := &credit.Turn{}
		st.fillTurn(st.host("a.test"), made)
		if want := []uint64{mustURL("http://a.test/0").Key().URL, mustURL("http://a.test/2").Key().URL}; !slices.Equal(made.URLs, want) {
			t.Errorf("%v", made.Task.URLs)
		}
	})
	inBubble(t, "one alone that was lost often", func(t *testing.T) {
		for lapses, want := range map[int]int{aloneLapses - 1: 3, aloneLapses: 1} {
			for _, which := range []int{0, 1, 2} {
				d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
				d.s.SetFetchers(nil)
				d.seed(urlsOf("a.test", 3)...)
				d.led.AllRows[mustURL(urlsOf("a.test", 3)[which]).Key()].Lapses = lapses
				st := d.s.newStep()
				made := &credit.Turn{}
				st.fillTurn(st.host("a.test"), made)
				most := want
				if want == 1 && which > 0 {
					most = 2 // the others
				}
				lost := slices.Contains(made.URLs, mustURL(urlsOf("a.test", 3)[which]).Key().URL)
				if len(made.URLs) != most || lost != (want == 3 || which == 0) {
					t.Errorf("lost %d times, at %d: %d URLs, it is among them: %v", lapses, which, len(made.URLs), lost)
				}
			}
		}
	})
	inBubble(t, "a probe has the one whose turn it is", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers(nil)
		d.seed(urlsOf("a.test", 3)...)
		for failed := range 7 {
			st := d.s.newStep()
			h := st.host("a.test")
			h.Away, h.Failed = crawler.ReasonConnect, failed
			made := &credit.Turn{TurnState: crawler.TurnState{Probe: true}}
			st.fillTurn(h, made)
			if want := mustURL(urlsOf("a.test", 3)[failed%3]).Key().URL; len(made.URLs) != 1 || made.URLs[0] != want {
				t.Errorf("after %d: %v", failed, made.Task.URLs)
			}
		}
	})
	inBubble(t, "none, and it looks again in a second, or when the next retry is due", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		st := d.s.newStep()
		h := st.host("a.test")
		h.Counts[crawler.Waiting] = 1
		st.fillTurn(h, &credit.Turn{})
		if wait := h.Next.Sub(st.now); wait != idleRecheck || !h.RetryAt.IsZero() {
			t.Errorf("it is looked at in %v, the next retry at %v", wait, h.RetryAt)
		}
	})
}

func TestWhatBecomesOfAHostThatIsDue(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(d *desk, h *crawler.HostState)
		made   int
		says   func(d *desk, h crawler.HostState) bool
	}{
		"a turn":                                 {nil, 1, func(_ *desk, h crawler.HostState) bool { return !h.Turn.IsZero() && !h.ErrandsLast }},
		"nothing, where nothing waits any more":  {func(_ *desk, h *crawler.HostState) { h.Counts[crawler.Waiting] = 0 }, 0, nil},
		"nothing yet, where its clock was moved": {func(d *desk, h *crawler.HostState) { h.Next = d.s.clock.now().Add(1) }, 0, nil},
		"a turn, at the moment it may":           {func(d *desk, h *crawler.HostState) { h.Next = d.s.clock.now() }, 1, nil},
		"a wait, where it was asked before": {func(_ *desk, h *crawler.HostState) { h.Asked = true }, 0, func(d *desk, h crawler.HostState) bool {
			return h.Next.Equal(d.s.core.state.startedAt.Add(time.Second))
		}},
		"its URLs fail, where it is given up": {func(_ *desk, h *crawler.HostState) { h.GivenUp, h.GivenUpDetail = crawler.ReasonConnect, "gone" }, 0, func(d *desk, h crawler.HostState) bool {
			return h.Counts[crawler.Failed] == 1 && d.row("http://a.test/1").Detail == "gone"
		}},
		"nothing, while its robots.txt is waited": {func(_ *desk, h *crawler.HostState) { h.RobotsWait = true }, 0, nil},
		"a probe, where it is away": {func(_ *desk, h *crawler.HostState) { h.Away = crawler.ReasonConnect }, 1, func(d *desk, h crawler.HostState) bool {
			return d.led.Turns["a.test"].Probe && d.led.State.Tallies.Away == 1
		}},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
			d.s.SetFetchers(nil)
			d.seed("http://a.test/1")
			d.led.Lenient = true
			d.led.Broken = nil
			st := d.s.newStep()
			h := st.host("a.test")
			if tt.change != nil {
				tt.change(d, h)
			}
			if made := st.offerDue(1); made != tt.made || len(st.tasks) != tt.made {
				t.Errorf("%d turns, %d messages", made, len(st.tasks))
			}
			if err := d.s.seal(st); err != nil {
				t.Fatal(err)
			}
			if tt.says != nil && !tt.says(d, d.host("a.test")) {
				t.Errorf("host %+v", d.host("a.test"))
			}
		})
	}
	inBubble(t, "no more turns than there is credit, and none for a queue that is full", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers(nil)
		d.seed("http://a.test/1", "http://b.test/1", "http://c.test/1")
		for _, tt := range []struct{ credit, unsent, want int }{{0, 0, 0}, {1, 0, 1}, {2, 0, 2}, {9, 0, 3}, {9, maxUnsent, 0}, {9, maxUnsent - 1, 1}, {-1, 0, 0}} {
			d.s.core.state.unsent = tt.unsent
			hosts, _ := d.led.Due(10)
			d.s.core.state.window.Fill(hosts, 100)
			if made := d.s.newStep().offerDue(tt.credit); made != tt.want {
				t.Errorf("credit %d, %d bytes unsent: %d turns, want %d", tt.credit, tt.unsent, made, tt.want)
			}
		}
	})
}
