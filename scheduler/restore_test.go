package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// simCluster is a scheduler with fetchers in the simulation.
type simCluster struct {
	job crawler.Job
	led *schedulertest.Ledger
	q   *schedulertest.Queues
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
	s, err := New(ctx, Options{Job: c.job, Ledger: c.led, Tasks: c.q, Results: c.q, Logger: slog.New(slog.DiscardHandler)})
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

// simulateRestore reports how long the fetchers of the life before asked on.
func simulateRestore(t *testing.T, seed uint64, dies bool) time.Duration {
	w := &site{hosts: 6, pages: 120, delay: 200 * time.Millisecond, ended: map[weburl.Host]time.Time{}, open: map[weburl.Host]int{}, robots: map[weburl.Host]int{}, asked: map[string]int{}}
	job := crawler.NewJob(crawler.Crawl)
	job.Scope, job.Delay, job.TurnTime = crawler.ScopeAny, w.delay, time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var last time.Time // request of the life before
	first := &simCluster{job: job, led: schedulertest.NewLedger(), q: schedulertest.NewQueues(seed), w: w}
	first.fetchers(ctx, &wg, seed, func(weburl.Host) {
		mu.Lock()
		defer mu.Unlock()
		last = time.Now()
	}, "a", "b", "c")
	copies := make(chan *schedulertest.Ledger, 1)
	wg.Go(func() {
		wait(ctx, time.Duration(4000+300*seed)*time.Millisecond)
		copies <- first.led.Restored()
	})
	if first.run(t, ctx, 12*time.Second) {
		t.Fatal("the crawl is too short to be copied")
	}
	copied := <-copies
	if len(copied.Turns) == 0 || copied.State.Tallies.Seen() == first.led.State.Tallies.Seen() {
		t.Fatalf("the copy has %d turns, and nothing came after it", len(copied.Turns))
	}

	begin := time.Now()
	quiet := begin.Add(job.Lease + job.Grace + job.Delay)
	second := &simCluster{job: job, led: copied, q: schedulertest.NewQueues(seed + 50), w: w}
	second.q.Log = make([]crawler.LoggedPart, copied.State.Position) // a fresh store goes on where the ledger stands
	second.fetchers(ctx, &wg, seed+1, func(h weburl.Host) {
		if time.Now().Before(quiet) {
			t.Errorf("%s was asked %v after the restore", h, time.Since(begin))
		}
	}, "d", "e", "f")
	if dies {
		second.run(t, ctx, 7*time.Second)
	}
	late, parts := copied.State.Tallies.LateParts, int64(0)
	for h, turn := range first.led.Turns { // parts of the life before that come late
		second.q.Send(crawler.Part{Turn: turn.ID, Holder: turn.Holder, Host: h, Fetcher: turn.Fetcher, Number: turn.Part + 1, End: true})
		parts++
	}
	if !second.run(t, ctx, 30*time.Minute) {
		t.Fatal("the restored crawl did not end")
	}
	cancel()
	wg.Wait()
	report(t, copied, w, 2)
	if got := copied.State.Tallies.LateParts - late; got != parts {
		t.Errorf("%d of %d parts of the life before were dropped", got, parts)
	}
	return last.Sub(begin)
}
