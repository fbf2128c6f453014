package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// restored is a copy of the ledger as a restore leaves it.
func (l *memLedger) restored() *memLedger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := newMemLedger()
	c.state = l.state
	c.state.Tallies = l.state.Tallies.Clone()
	c.state.Scope = slices.Clone(l.state.Scope)
	c.state.Life, c.state.Origin, c.state.Recall, c.state.Restored = crawler.Life{2}, l.state.Life, true, time.Now()
	c.rows, c.hosts, c.turns = maps.Clone(l.rows), maps.Clone(l.hosts), maps.Clone(l.turns)
	for h, t := range c.turns {
		t.URLs = slices.Clone(t.URLs)
		c.turns[h] = t
	}
	for h, files := range l.robots {
		c.robots[h] = maps.Clone(files)
	}
	for h, e := range l.errands {
		c.errands[h] = slices.Clone(e)
	}
	return c
}

// simCluster is a scheduler with fetchers in the simulation.
type simCluster struct {
	job crawler.Job
	led *memLedger
	q   *queues
	w   *site

	mu      sync.Mutex
	current *Scheduler
}

func (c *simCluster) scheduler() *Scheduler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

func (c *simCluster) put(s *Scheduler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
}

func (c *simCluster) fetchers(ctx context.Context, wg *sync.WaitGroup, seed uint64, asks func(weburl.Host), names ...string) {
	for i, name := range names {
		f := &simFetcher{name: name, q: c.q, w: c.w, rng: rand.New(rand.NewPCG(seed, uint64(i))), sched: c.scheduler, asks: asks}
		wg.Go(func() { f.run(ctx) })
	}
}

// run schedules until the job is done or the time is over, and reports whether it is done.
func (c *simCluster) run(t *testing.T, ctx context.Context, d time.Duration) bool {
	t.Helper()
	s, err := New(ctx, Options{Job: c.job, Ledger: c.led, Index: c.led, Tasks: c.q, Results: c.q, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 8}})
	life, kill := context.WithTimeout(ctx, d)
	defer kill()
	c.put(s)
	defer c.put(nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(life); err != nil {
			t.Error(err)
		}
	})
	s.Seed(life, []Seed{{URL: mustURL("http://h0.test/0"), Text: "h0.test"}}, true)
	done := false
	select {
	case <-s.Done():
		done = true
	case <-life.Done():
	}
	kill()
	wg.Wait()
	return done
}

// TestARestoredCrawlAsksNobodyTooEarly: a copy is made, the crawl goes on and its scheduler dies; the copy goes on at
// once, elsewhere, with other fetchers, while those of the first work on as long as they have the right to.
func TestARestoredCrawlAsksNobodyTooEarly(t *testing.T) {
	var longest time.Duration
	for seed := range uint64(6) {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed %d, dies in the wait: %v", seed, dies), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { longest = max(longest, simulateRestore(t, seed, dies)) })
			})
		}
	}
	if longest < 5*time.Second {
		t.Errorf("the fetchers of the life before asked for %v only, so this proves little", longest)
	}
}

// simulateRestore tells how long the fetchers of the life before asked on.
func simulateRestore(t *testing.T, seed uint64, dies bool) time.Duration {
	w := &site{hosts: 6, pages: 120, delay: 200 * time.Millisecond, ended: map[weburl.Host]time.Time{}, open: map[weburl.Host]int{}, robots: map[weburl.Host]int{}, asked: map[string]int{}}
	job := crawler.NewJob(crawler.Crawl)
	job.Scope, job.Delay, job.TurnTime = crawler.ScopeAny, w.delay, time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var last time.Time // request of the life before
	first := &simCluster{job: job, led: newMemLedger(), q: newQueues(seed), w: w}
	first.fetchers(ctx, &wg, seed, func(weburl.Host) {
		mu.Lock()
		defer mu.Unlock()
		last = time.Now()
	}, "a", "b", "c")
	copies := make(chan *memLedger, 1)
	wg.Go(func() {
		wait(ctx, time.Duration(4000+300*seed)*time.Millisecond)
		copies <- first.led.restored()
	})
	if first.run(t, ctx, 12*time.Second) {
		t.Fatal("the crawl is too short to be copied")
	}
	copied := <-copies
	if len(copied.turns) == 0 || copied.state.Tallies.Seen() == first.led.state.Tallies.Seen() {
		t.Fatalf("the copy has %d turns, and nothing came after it", len(copied.turns))
	}

	begin := time.Now()
	quiet := begin.Add(job.Lease + job.Grace + job.Delay)
	second := &simCluster{job: job, led: copied, q: newQueues(seed + 50), w: w}
	second.q.log = make([]crawler.LoggedPart, copied.state.Position) // a fresh store goes on where the ledger stands
	second.fetchers(ctx, &wg, seed+1, func(h weburl.Host) {
		if time.Now().Before(quiet) {
			t.Errorf("%s was asked %v after the restore", h, time.Since(begin))
		}
	}, "d", "e", "f")
	if dies {
		second.run(t, ctx, 7*time.Second)
	}
	late, parts := copied.state.Tallies.LateParts, int64(0)
	for h, turn := range first.led.turns { // parts of the life before that come late
		second.q.send(crawler.Part{Turn: turn.ID, Holder: turn.Holder, Host: h, Fetcher: turn.Fetcher, Number: turn.Part + 1, End: true})
		parts++
	}
	if !second.run(t, ctx, 30*time.Minute) {
		t.Fatal("the restored crawl did not end")
	}
	cancel()
	wg.Wait()
	report(t, copied, w, 2)
	if got := copied.state.Tallies.LateParts - late; got != parts {
		t.Errorf("%d of %d parts of the life before were dropped", got, parts)
	}
	return last.Sub(begin)
}

func TestARecallThatIsCutOffIsDoneAgain(t *testing.T) {
	led := newMemLedger()
	job := crawler.NewJob(crawler.Crawl)
	led.state = crawler.LedgerState{Life: crawler.Life{2}, Origin: crawler.Life{1}, Recall: true, State: crawler.JobState{Job: job, Given: job}}
	led.refuse = context.DeadlineExceeded
	o := Options{Job: job, Ledger: led, Index: led, Tasks: newQueues(1), Results: newQueues(1)}
	if _, err := New(t.Context(), o); err == nil {
		t.Fatal("a ledger that cannot be written was started")
	}
	led.refuse = nil
	before := time.Now()
	for range 2 { // the second start keeps to what the first one stored
		s, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if led.state.Recall || s.core.state.quiet.Before(before.Add(job.Lease+job.Grace)) || !s.core.state.quiet.Equal(led.state.Quiet) {
			t.Errorf("recall %v, quiet until %v, stored %v", led.state.Recall, s.core.state.quiet, led.state.Quiet)
		}
		if got := s.Status().WaitsFor; got == "" {
			t.Error("status does not say what it waits for")
		}
	}
}

func TestNobodyIsAskedBeforeARestoredLedgerMay(t *testing.T) {
	now := time.Unix(1000, 0)
	job := crawler.NewJob(crawler.Crawl)
	job.Delay = 2 * time.Second
	slow := crawler.HostState{Host: "slow.test", CrawlDelay: 10 * time.Second}
	for name, tt := range map[string]struct {
		s    state
		h    crawler.HostState
		want time.Time
	}{
		"never restored, never asked":   {state{startedAt: now}, crawler.HostState{}, time.Time{}},
		"never restored, asked":         {state{startedAt: now}, crawler.HostState{Asked: true}, now.Add(2 * time.Second)},
		"restored, never asked":         {state{startedAt: now, quiet: now.Add(time.Minute)}, crawler.HostState{}, now.Add(62 * time.Second)},
		"restored, with a longer delay": {state{startedAt: now, quiet: now.Add(time.Minute)}, slow, now.Add(70 * time.Second)},
		"restored long ago, asked":      {state{startedAt: now, quiet: now.Add(-time.Hour)}, crawler.HostState{Asked: true}, now.Add(2 * time.Second)},
	} {
		tt.s.job.Job = job
		if got := tt.s.notBefore(&tt.h); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
