package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

func TestMemoryOfTheLoopIsBounded(t *testing.T) {
	inBubble(t, "seeds open so many private addresses, and the rest is counted", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(privateSeeds(maxSeedAddresses + 3)...)
		if n := len(d.s.core.state.job.Job.SeedPrivate); n != maxSeedAddresses {
			t.Errorf("%d addresses are open", n)
		}
		if n := d.s.core.state.tallies.Bounds[boundAddresses]; n != 3 {
			t.Errorf("%d were counted", n)
		}
		again := newDesk(t, schedulertest.Job(), d.led)
		again.seed(privateSeeds(10)...)
		if n := len(again.s.core.state.job.Job.SeedPrivate); n != maxSeedAddresses {
			t.Errorf("%d addresses are open after a restart with the same seeds", n)
		}
	})
	inBubble(t, "what --allow-private opens is listed too, for a run without it, and counts no limit", func(t *testing.T) {
		job := schedulertest.Job()
		job.AllowPrivate = []string{"10.0.0.0/8"}
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://10.1.2.3/", "http://127.0.0.1:8080/")
		if got := d.s.core.state.job.Job.SeedPrivate; len(got) != 2 {
			t.Errorf("open: %q", got)
		}
		job.AllowPrivate = []string{"all"}
		d = newDesk(t, job, schedulertest.NewLedger())
		d.seed(privateSeeds(maxSeedAddresses + 3)...)
		if n := d.s.core.state.tallies.Bounds[boundAddresses]; n != 0 {
			t.Errorf("%d were counted", n)
		}
	})
	inBubble(t, "a scope that is too large to be told does not change for fetchers", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		hosts := func(from, to int) (urls []string) {
			for n := from; n < to; n++ {
				urls = append(urls, fmt.Sprintf("http://h%d.test/", n))
			}
			return urls
		}
		d.seed(hosts(0, maxNoticeSeeds)...)
		if n := d.s.notice.Load(); !n.ScopeWhole || len(n.ScopeKeys) != maxNoticeSeeds {
			t.Fatalf("the scope is not told: %d keys", len(n.ScopeKeys))
		}
		d.seed(hosts(maxNoticeSeeds, maxNoticeSeeds+1)...)
		large := d.s.notice.Load()
		if large.ScopeWhole {
			t.Fatal("fetchers cut links by a part of the scope")
		}
		d.seed(hosts(maxNoticeSeeds+1, maxNoticeSeeds+9)...)
		if n := d.s.notice.Load(); n.ScopeEpoch != large.ScopeEpoch {
			t.Errorf("epoch %d became %d", large.ScopeEpoch, n.ScopeEpoch)
		}
	})
	inBubble(t, "no turns are made while the queue does not take those there are", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay = 0
		d := newDesk(t, job, schedulertest.NewLedger())
		d.s.core.state.unsent = maxUnsent
		d.seed("http://a.test/")
		d.s.publishStatus()
		if got := d.s.Status().WaitsFor; len(d.out) != 0 || !strings.Contains(got, "queue") {
			t.Errorf("%d turns were made; it waits for %q", len(d.out), got)
		}
		if got := d.s.core.UntilDue(d.s.clock.now()); got < time.Minute {
			t.Errorf("the loop looks again in %v", got)
		}
		d.s.core.state.unsent = 0
		if task := d.take(); len(task.URLs) != 1 {
			t.Errorf("then: %+v", task)
		}
	})
	inBubble(t, "a task that was handed to the queue is not kept, and is the same when it comes again", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2")
		first := d.take()
		if kept := d.s.core.state.turns.Get("a.test").Task; len(kept.URLs) != 0 {
			t.Errorf("kept: %+v", kept)
		}
		time.Sleep(credit.RepublishAfter)
		d.step(gathered{tick: true})
		if again := d.take(); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("first %+v, then %+v", first, again)
		}
	})
}

func privateSeeds(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://127.1.%d.%d/", i/250, i%250))
	}
	return urls
}
