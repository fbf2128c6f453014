package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// manyHosts is a ledger with hosts of one page at depth 0 and one at depth 1 each, and the desk of its job.
func manyHosts(t *testing.T, job crawler.Job, hosts int) (*schedulertest.Ledger, *desk) {
	t.Helper()
	led := schedulertest.NewLedger()
	d := newDesk(t, job, led)
	st := d.s.newStep()
	for i := range hosts {
		for depth := range 2 {
			u := mustURL(fmt.Sprintf("http://h%d.test/%d", i, depth))
			st.links = append(st.links, candidate{url: u, key: u.Key(), depth: depth})
		}
	}
	st.admit()
	if err := d.s.seal(st); err != nil {
		t.Fatal(err)
	}
	return led, d
}

func TestWorkOnTheWholeLedgerGoesInSteps(t *testing.T) {
	const hosts = 2*workHosts + 50
	job := schedulertest.Job()
	job.Depth = 1
	last := func() gathered { return seeding(true) }
	inBubble(t, "a changed depth is counted host by host, with asks answered in between, and a start goes on where it stood", func(t *testing.T) {
		led, d := manyHosts(t, job, hosts)
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 5}})
		d.step(last())
		task := d.take()
		if refused, err := d.s.change(t.Context(), &crawler.Change{Settings: settings("depth", 0)}); refused != nil || err != nil {
			t.Fatal(refused, err)
		}
		if got := led.State.Tallies.Parked; got != 0 {
			t.Fatalf("%d URLs are parked before the first step", got)
		}
		if a := d.ask(task, 1); a.Verdict != crawler.Granted {
			t.Fatalf("an ask meanwhile: %+v", a)
		}
		if got := led.State.Tallies.Parked; got == 0 || got > workHosts+10 {
			t.Fatalf("%d URLs are parked after one step", got)
		}
		if d.s.core.UntilDue(d.s.clock.now()) != 0 {
			t.Error("the loop waits with work to do")
		}
		d.s.publishStatus()
		at := *led.State.Work.Recount
		d = newDesk(t, job, led) // the command says depth 1; what was set stays set
		if w := led.State.Work.Recount; w == nil || *w != at {
			t.Fatalf("after a start it goes on at %v, want %v", w, at)
		}
		d.s.SetFetchers(nil)
		for range 4 {
			d.step(gathered{})
		}
		if led.State.Work.Pending() || led.State.Tallies.Parked != hosts {
			t.Errorf("%d of %d URLs are parked, work %+v", led.State.Tallies.Parked, hosts, led.State.Work)
		}
	})
	inBubble(t, "until it is through the job is not done, and a stopping scheduler leaves it to the next start", func(t *testing.T) {
		none := job
		none.Depth = 0
		led, d := manyHosts(t, none, hosts)
		for round := 0; led.State.Tallies.Counts[crawler.Waiting] > hosts; round++ {
			d.step(last())
			for len(d.out) > 0 {
				d.answeredPage(d.take())
			}
		}
		d.step(gathered{})
		if led.State.State.Finished.IsZero() {
			t.Fatal("the job is not done")
		}
		d = newDesk(t, job, led)
		d.s.SetFetchers(nil)
		d.s.Stop()
		d.step(last())
		if led.State.Work.Recount == nil || led.State.Work.Recount.From != 0 {
			t.Error("a stopping scheduler works on")
		}
		d = newDesk(t, job, led)
		d.s.SetFetchers(nil)
		d.step(last())
		if d.s.core.state.over() {
			t.Error("done in the middle of it")
		}
		for range 4 {
			d.step(gathered{})
		}
		if led.State.Tallies.Parked != 0 {
			t.Errorf("%d URLs are parked", led.State.Tallies.Parked)
		}
	})
	inBubble(t, "failed URLs are taken up in steps, over a restart without the flag", func(t *testing.T) {
		led := schedulertest.NewLedger()
		quick := schedulertest.Job()
		quick.Delay = 0
		d := newDesk(t, quick, led)
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 10_000}})
		var seeds []string
		for i := range hosts {
			seeds = append(seeds, fmt.Sprintf("http://h%d.test/", i))
		}
		d.seed(seeds...)
		for range hosts {
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				p.Results, p.End = []crawler.Result{failed(task.URLs[0].URL.String(), crawler.ReasonPrivateAddress, 0)}, true
			})
		}
		why := crawler.ReasonPrivateAddress
		q := schedulertest.NewQueues(1)
		s, err := newShell(t.Context(), shellOptions{Job: quick, Ledger: led, Tasks: q, Results: q, RetryFailed: &why})
		if err != nil {
			t.Fatal(err)
		}
		d = &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
		d.step(gathered{})
		if n := led.State.Tallies.Counts[crawler.Waiting]; n == 0 || n > workRows {
			t.Fatalf("%d URLs wait after one step", n)
		}
		d = newDesk(t, quick, led)
		d.s.SetFetchers(nil)
		for range 4 {
			d.step(gathered{})
		}
		if n := led.State.Tallies.Counts[crawler.Waiting]; n != hosts || led.State.Work.Pending() {
			t.Errorf("%d of %d wait, work %+v", n, hosts, led.State.Work)
		}
	})
}

func TestAMessageQueueThatHoldsTheTurnsIsNotFilled(t *testing.T) {
	inBubble(t, "offered turns are published again only as far as the queue does not hold them, and less and less often", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://b.test/", "http://c.test/")
		if len(d.out) != 3 {
			t.Fatalf("%d turns", len(d.out))
		}
		d.q.Tasks = append(d.q.Tasks, d.out...)
		d.out = nil
		d.pass(10 * time.Minute)
		if len(d.out) != 0 {
			t.Errorf("%d turns were published again that the queue holds", len(d.out))
		}
		d.q.Tasks = d.q.Tasks[1:] // one is lost
		var at []time.Duration
		begin := time.Now()
		for range 3600 {
			d.pass(time.Second)
			if len(d.out) > 0 {
				at = append(at, time.Since(begin))
			}
			d.out = nil // and again
		}
		if len(at) == 0 || len(at) > 20 {
			t.Errorf("published again at %v", at)
		}
	})
}

func TestAFetcherThatNeverAsksHasNoCredit(t *testing.T) {
	inBubble(t, "until it asks", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "deaf", Slots: 100}, {Name: "f", Slots: 2}})
		d.seed("http://a.test/", "http://b.test/", "http://c.test/", "http://d.test/")
		task := d.take()
		d.ask(task, 1)
		if n := d.s.core.state.slots(); n != 102 {
			t.Fatalf("%d slots at first", n)
		}
		for range 100 {
			d.pass(time.Second)
			d.ask(task, 1)
		}
		if n := d.s.core.state.slots(); n != 2 {
			t.Errorf("%d slots with a fetcher that does not ask", n)
		}
		d.s.publishStatus()
		if got := d.s.Status().WaitsFor; got == "" {
			t.Error("nothing is said")
		}
		d.step(gathered{asks: []crawler.Ask{crawler.Ask{Host: "x.test", Fetcher: "deaf"}}})
		if n := d.s.core.state.slots(); n != 102 {
			t.Errorf("%d slots when it has asked", n)
		}
	})
}

func TestWhichRowsAreTakenUpAgain(t *testing.T) {
	trap := "http://a.test" + strings.Repeat("/x", 9) + "/"
	for _, tt := range []struct {
		url     string
		outcome crawler.Outcome
		reason  crawler.Reason
		taken   []crawler.Reason // when these are named
	}{
		{"http://a.test/", crawler.Failed, crawler.ReasonTimeout, []crawler.Reason{"", crawler.ReasonTimeout}},
		{"http://a.test/", crawler.Excluded, crawler.ReasonTrap, []crawler.Reason{"", crawler.ReasonTrap}}, // under a limit that is no more
		{trap, crawler.Excluded, crawler.ReasonTrap, nil},
		{"http://a.test/", crawler.Excluded, crawler.ReasonRobots, nil},
		{"http://a.test/", crawler.Fetched, "", nil},
		{"http://a.test/", crawler.Waiting, crawler.ReasonTimeout, nil},
	} {
		st := &Step{s: &state{committed: committed{job: crawler.JobState{Job: schedulertest.Job()}}}}
		row := &crawler.Row{Result: crawler.Result{URL: mustURL(tt.url), Outcome: tt.outcome, Reason: tt.reason}}
		for _, why := range []crawler.Reason{"", crawler.ReasonTimeout, crawler.ReasonConnect, crawler.ReasonTrap, crawler.ReasonRobots} {
			if got := st.retries(row, why); got != slices.Contains(tt.taken, why) {
				t.Errorf("%s, %v %s, when %q is named: %v", tt.url, tt.outcome, tt.reason, why, got)
			}
		}
	}
}
