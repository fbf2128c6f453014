package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// site is the synthetic web of the simulation, with the audit of its politeness.
type site struct {
	mu     sync.Mutex
	hosts  int
	pages  int
	delay  time.Duration
	ended  map[weburl.Host]time.Time
	open   map[weburl.Host]int
	robots map[weburl.Host]int
	asked  map[string]int
	faults []string
}

func (w *site) begin(h weburl.Host, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[h]++; w.open[h] > 1 {
		w.faults = append(w.faults, fmt.Sprintf("two exchanges at once at %s", h))
	}
	if last, asked := w.ended[h]; asked && time.Since(last) < w.delay {
		w.faults = append(w.faults, fmt.Sprintf("%s asked after %v", h, time.Since(last)))
	}
	if what == "robots" {
		w.robots[h]++
	}
	w.asked[what]++
}

func (w *site) end(h weburl.Host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[h]--
	w.ended[h] = time.Now()
}

func (w *site) links(u weburl.URL) []crawler.Link {
	var h, p int
	fmt.Sscanf(u.String(), "http://h%d.test/%d", &h, &p)
	var links []crawler.Link
	for _, n := range []int{2*p + 1, 2*p + 2, p / 2} {
		if n < w.pages {
			links = append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://h%d.test/%d", h, n))})
		}
	}
	return append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://h%d.test/0", (h+1)%w.hosts))})
}

func mustURL(s string) weburl.URL {
	u, err := weburl.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// simFetcher works as the protocol says, and dies at a random step when it is told to.
type simFetcher struct {
	name  string
	q     *schedulertest.Queues
	w     *site
	sched func() *Scheduler // nil while it is down
	rng   *rand.Rand
	dies  int               // one in so many steps; 0 = never
	loses int               // one in so many answers to asks for more; 0 = never
	added atomic.Int64      // URLs that came with answers
	asks  func(weburl.Host) // hears of each request; nil = nobody
}

func (f *simFetcher) dead() bool { return f.dies > 0 && f.rng.IntN(f.dies) == 0 }

func (f *simFetcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		task, ok := f.q.Take()
		if !ok {
			wait(ctx, 20*time.Millisecond)
			continue
		}
		f.turn(ctx, task)
	}
}

func (f *simFetcher) ask(ctx context.Context, a crawler.Ask) (crawler.Answer, bool) {
	s := f.sched()
	if s == nil {
		wait(ctx, time.Second)
		return crawler.Answer{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	answer, err := s.Ask(ctx, a)
	return answer, err == nil
}

func (f *simFetcher) turn(ctx context.Context, task crawler.Task) {
	a := crawler.Ask{Turn: task.Turn, Host: task.Host, Fetcher: f.name}
	for i := range a.Holder {
		a.Holder[i] = byte(f.rng.Uint32())
	}
	if f.dead() {
		return // before the ask: the message is lost, published again after a minute
	}
	t0 := time.Now()
	answer, ok := f.ask(ctx, a)
	if !ok || answer.Verdict != crawler.Granted || f.dead() {
		return
	}
	end := t0.Add(answer.Lease)
	number := 0
	send := func(p crawler.Part) {
		if f.dies > 0 && f.rng.IntN(f.dies) == 0 {
			wait(ctx, 40*time.Second) // stopped for longer than a lease, with a part in hand
		}
		number++
		p.Turn, p.Holder, p.Host, p.Fetcher, p.Number, p.Wait = task.Turn, a.Holder, task.Host, f.name, number, f.w.delay
		f.q.Send(p)
	}
	urls := task.URLs
	renew := func() bool {
		for ctx.Err() == nil {
			t0 := time.Now()
			again, ok := f.ask(ctx, a)
			if ok && a.More && f.loses > 0 && f.rng.IntN(f.loses) == 0 {
				ok = false // what it leased is the turn's, and nobody knows
			}
			if ok && again.Verdict != crawler.Granted {
				return false
			}
			if ok {
				end = t0.Add(again.Lease)
				urls = append(urls, again.More...)
				f.added.Add(int64(len(again.More)))
				return true
			}
		}
		return false
	}
	a.Renewal = true
	fetch := func(what string) bool {
		if time.Until(end) < 2*time.Second && !renew() {
			return false
		}
		if f.asks != nil {
			f.asks(task.Host)
		}
		f.w.begin(task.Host, what)
		wait(ctx, 30*time.Millisecond)
		f.w.end(task.Host)
		return true
	}
	wait(ctx, answer.Wait)
	if len(answer.Robots) == 0 {
		if !fetch("robots") || f.dead() {
			return
		}
		send(crawler.Part{State: crawler.HostReport{Requests: 1, Robots: []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsRules}}}})
		wait(ctx, f.w.delay)
	}
	for i := 0; i < len(urls); i++ {
		u := urls[i]
		if !fetch(u.URL.String()) || f.dead() {
			return
		}
		r := crawler.Result{URL: u.URL, Outcome: crawler.Fetched, Status: 200}
		send(crawler.Part{Results: []crawler.Result{r}, Links: []crawler.PageLinks{{Page: u.URL, Links: f.w.links(u.URL)}}, State: crawler.HostReport{Requests: 1}})
		if f.dead() {
			return
		}
		if a.More, a.Part = i+1 == len(urls), number; a.More && !renew() {
			return
		}
		wait(ctx, f.w.delay)
	}
	if f.dead() {
		return
	}
	send(crawler.Part{End: true})
}

func TestACrawlUnderRandomFaultsBalancesAndStaysPolite(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := &site{hosts: 4, pages: 30, delay: 200 * time.Millisecond, ended: map[weburl.Host]time.Time{}, open: map[weburl.Host]int{}, robots: map[weburl.Host]int{}, asked: map[string]int{}}
	q := schedulertest.NewQueues(seed)
	q.Lossy = seed%2 == 1
	led := schedulertest.NewLedger()
	job := crawler.NewJob(crawler.Crawl)
	job.Scope, job.Delay = crawler.ScopeAny, w.delay
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()

	var mu sync.Mutex
	var current *Scheduler
	var wg sync.WaitGroup
	var fetchers []*simFetcher
	for i := range 3 {
		f := &simFetcher{name: fmt.Sprint("f", i), q: q, w: w, rng: rand.New(rand.NewPCG(seed, uint64(i)+100)), sched: func() *Scheduler {
			mu.Lock()
			defer mu.Unlock()
			return current
		}}
		if seed > 2 {
			f.dies, f.loses = 60, 8
		}
		fetchers = append(fetchers, f)
		wg.Go(func() { f.run(ctx) })
	}
	lives := 0
	for done := false; !done; {
		s, err := New(ctx, Options{Job: job, Ledger: led, Tasks: q, Results: q, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 8}})
		mu.Lock()
		current = s
		mu.Unlock()
		lives++
		life, kill := context.WithCancel(ctx)
		if seed > 5 && lives < 6 {
			life, kill = context.WithTimeout(ctx, time.Duration(rng.IntN(20_000))*time.Millisecond)
		}
		var run sync.WaitGroup
		run.Go(func() {
			if err := s.Run(life); err != nil {
				t.Error(err)
			}
		})
		s.Seed(life, []Seed{{URL: mustURL("http://h0.test/0"), Text: "h0.test"}}, true)
		select {
		case <-s.Done():
			done = true
		case <-life.Done():
			done = ctx.Err() != nil
		}
		kill()
		run.Wait()
		mu.Lock()
		current = nil
		mu.Unlock()
	}
	cancel()
	wg.Wait()
	report(t, led, w, lives)
	added := int64(0)
	for _, f := range fetchers {
		added += f.added.Load()
	}
	if added == 0 {
		t.Error("no turn was topped up")
	}
	t.Logf("%d URLs came to running turns", added)
}

func report(t *testing.T, led *schedulertest.Ledger, w *site, lives int) {
	if led.Broken != nil {
		t.Errorf("the ledger does not balance: %v", led.Broken)
	}
	c := led.State.Tallies.Counts
	if want := int64(w.hosts * w.pages); c[crawler.Fetched] != want || led.State.Tallies.Seen() != want {
		t.Errorf("fetched %d of %d rows, want %d of %d", c[crawler.Fetched], led.State.Tallies.Seen(), want, want)
	}
	if len(w.faults) > 0 {
		t.Errorf("%d breaches of politeness, first: %s", len(w.faults), w.faults[0])
	}
	t.Logf("%d lives, %d commits, %d lapses, %d late parts", lives, led.Commits, led.State.Tallies.Lapses, led.State.Tallies.LateParts)
}
