package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// How hosts of the outage simulation fail while they are away.
const (
	refuses  = iota // at once
	silent          // no connection within the time for one
	nameless        // the resolver says so
	hangs           // connects and says nothing
	gateway         // 502 in their place
	faults
)

// outage is a web whose hosts are away for a time, some for good, and the audit of what they were asked.
type outage struct {
	hosts, pages int
	delay        time.Duration
	from, to     time.Time
	dead         func(host int) bool // never there

	mu    sync.Mutex
	asked map[weburl.Host][]attempt
	wrong []string
}

// attempt is one exchange with a host.
type attempt struct {
	begin, end time.Time
	bad        bool
}

func (w *outage) host(i int) string { return fmt.Sprintf("h%d.test", i) }

// exchange says how an exchange with a host that begins now ends, and how long it takes.
func (w *outage) exchange(h weburl.Host, now time.Time) (fault int, took time.Duration) {
	var i int
	fmt.Sscanf(string(h), "h%d.test", &i)
	gone := w.dead != nil && w.dead(i)
	if !gone && (now.Before(w.from) || !now.Before(w.to)) {
		return -1, 30 * time.Millisecond
	}
	kind := i % faults
	if gone {
		kind = i % hangs // no robots.txt without a connection; a host that hangs there is another story
	}
	switch kind {
	case silent:
		return kind, 10 * time.Second
	case hangs:
		return kind, 30 * time.Second
	}
	return kind, 5 * time.Millisecond
}

// connects reports whether the host takes connections also while it is away.
func (w *outage) connects(h weburl.Host) bool {
	var i int
	fmt.Sscanf(string(h), "h%d.test", &i)
	return i%faults >= hangs && (w.dead == nil || !w.dead(i))
}

// ask carries out an exchange.
func (w *outage) ask(ctx context.Context, h weburl.Host, delay time.Duration) (fault int) {
	begin := time.Now()
	w.mu.Lock()
	if all := w.asked[h]; len(all) > 0 {
		if last := all[len(all)-1]; last.end.IsZero() || begin.Sub(last.end) < delay {
			w.wrong = append(w.wrong, fmt.Sprintf("%s asked %v after its last exchange", h, begin.Sub(last.end)))
		}
	}
	n := len(w.asked[h])
	w.asked[h] = append(w.asked[h], attempt{begin: begin})
	w.mu.Unlock()
	fault, took := w.exchange(h, begin)
	wait(ctx, took)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[h][n].end, w.asked[h][n].bad = time.Now(), fault >= 0
	return fault
}

// result is what a fetcher says of an exchange.
func (w *outage) result(u weburl.URL, fault int) crawler.Result {
	r := crawler.Result{URL: u, Outcome: crawler.Failed}
	switch fault {
	case refuses:
		r.Reason, r.Unsent, r.Detail = crawler.ReasonConnect, true, "connection refused"
	case silent:
		r.Reason, r.Unsent, r.Detail = crawler.ReasonTimeout, true, "no connection within 10s"
	case nameless:
		r.Reason, r.Unsent, r.Detail = crawler.ReasonDNS, true, "no such host"
	case hangs:
		r.Reason, r.Detail = crawler.ReasonTimeout, "no answer within 30s"
	case gateway:
		r.Reason, r.Status = crawler.ReasonHTTPStatus, 502
	default:
		r.Outcome, r.Status = crawler.Fetched, 200
	}
	return r
}

// outageFetchers are fetchers with a slot for each turn: they hear of turns at once.
type outageFetchers struct {
	*schedulertest.Queues
	w     *outage
	rng   *rand.Rand
	ctx   context.Context
	turns sync.WaitGroup
	mu    sync.Mutex
	sched *Scheduler // nil while it is down
}

func (f *outageFetchers) current() *Scheduler {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sched
}

func (f *outageFetchers) Offer(_ context.Context, tasks []crawler.Task) error {
	for _, t := range tasks {
		var holder crawler.HolderID
		for i := range holder {
			holder[i] = byte(f.rng.Uint32())
		}
		f.turns.Go(func() { f.turn(t, holder) })
	}
	return nil
}

func (f *outageFetchers) question(a crawler.Ask) (crawler.Answer, bool) {
	s := f.current()
	if s == nil {
		wait(f.ctx, 100*time.Millisecond)
		return crawler.Answer{}, false
	}
	ctx, cancel := context.WithTimeout(f.ctx, time.Second)
	defer cancel()
	answer, err := s.Ask(ctx, a)
	return answer, err == nil
}

// turn works as a fetcher does, and ends at the fault that makes its host away.
func (f *outageFetchers) turn(task crawler.Task, holder crawler.HolderID) {
	ask := crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: holder, Fetcher: "f"}
	answer, ok := f.question(ask)
	if !ok || answer.Verdict != crawler.Granted {
		return
	}
	ctx, end := context.WithCancel(f.ctx)
	defer end()
	var renewals sync.WaitGroup
	defer renewals.Wait()
	defer end()
	renewals.Go(func() {
		for ctx.Err() == nil {
			wait(ctx, 5*time.Second)
			f.question(ask)
		}
	})
	number, delay := 0, max(answer.Delay, f.w.delay)
	send := func(p crawler.Part) {
		number++
		p.Turn, p.Holder, p.Host, p.Fetcher, p.Number, p.Wait = task.Turn, holder, task.Host, "f", number, delay
		f.Send(p)
	}
	wait(ctx, answer.Wait)
	if len(answer.Robots) == 0 && len(task.URLs) > 0 {
		fault := f.w.ask(ctx, task.Host, f.w.delay)
		switch r := f.w.result(task.URLs[0].URL, fault); {
		case r.Unsent:
			send(crawler.Part{End: true, Results: []crawler.Result{r}})
			return
		case fault >= 0:
			send(crawler.Part{End: true, State: crawler.HostReport{Robots: []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnreachable, HTTP: r.Status}}}})
			return
		}
		send(crawler.Part{State: crawler.HostReport{Requests: 1, Robots: []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnavailable, HTTP: 404}}}})
		wait(ctx, delay)
	}
	var streak crawler.Streak
	for i, u := range task.URLs {
		if i > 0 {
			wait(ctx, delay)
		}
		r := f.w.result(u.URL, f.w.ask(ctx, task.Host, f.w.delay))
		away := r.Fault() == crawler.FaultNoConnection
		if r.Fault() == crawler.FaultNoAnswer {
			streak, away = streak.Add(u.URL.Key().URL)
		}
		p := crawler.Part{Results: []crawler.Result{r}, State: crawler.HostReport{Requests: 1}}
		if r.Outcome == crawler.Fetched && !f.w.listed() {
			p.Links = []crawler.PageLinks{{Page: u.URL, Links: f.w.links(u.URL)}}
		}
		send(p)
		if away || ctx.Err() != nil {
			break
		}
	}
	send(crawler.Part{End: true})
}

// listed reports whether all pages are seeds: a download.
func (w *outage) listed() bool { return w.delay == 0 }

func (w *outage) links(u weburl.URL) (links []crawler.Link) {
	var h, p int
	fmt.Sscanf(u.String(), "http://h%d.test/%d", &h, &p)
	for _, n := range []int{2*p + 1, 2*p + 2} {
		if n < w.pages {
			links = append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://h%d.test/%d", h, n))})
		}
	}
	return links
}

// hostLedger finds the rows of a host without looking at all of them, and is balanced now and then.
type hostLedger struct {
	*schedulertest.Ledger
	mu sync.Mutex
	of map[weburl.Host]*schedulertest.Ledger // rows of one host each
}

func newHostLedger() *hostLedger {
	l := &hostLedger{Ledger: schedulertest.NewLedger(), of: map[weburl.Host]*schedulertest.Ledger{}}
	l.Lenient = true
	return l
}

func (l *hostLedger) Commit(c *crawler.Changes) error {
	if err := l.Ledger.Commit(c); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range c.Rows {
		h := r.New.URL.Host()
		if l.of[h] == nil {
			l.of[h] = schedulertest.NewLedger()
		}
		l.of[h].AllRows[r.New.Key()] = l.AllRows[r.New.Key()]
	}
	if l.Commits%2000 == 0 {
		l.Balance()
	}
	return nil
}

func (l *hostLedger) Queue(h weburl.Host, now time.Time, maxDepth, n int) ([]*crawler.Row, time.Time, error) {
	l.mu.Lock()
	one := l.of[h]
	l.mu.Unlock()
	if one == nil {
		return nil, time.Time{}, nil
	}
	return one.Queue(h, now, maxDepth, n)
}

// run crawls the web to its end, over restarts of the scheduler every so often (0 = none), and returns the ledger and the time.
func (w *outage) run(t *testing.T, restarts time.Duration) (*hostLedger, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	led := newHostLedger()
	f := &outageFetchers{Queues: schedulertest.NewQueues(1), w: w, rng: rand.New(rand.NewPCG(1, 2)), ctx: ctx}
	w.asked = map[weburl.Host][]attempt{}
	job := crawler.NewJob(crawler.Crawl)
	var seeds []Seed
	pages := 1
	if w.listed() {
		job, pages = crawler.NewJob(crawler.Download), w.pages
	}
	job.Delay = w.delay
	for i := range w.hosts {
		for p := range pages {
			u := fmt.Sprintf("http://%s/%d", w.host(i), p)
			seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
		}
	}
	begin := time.Now()
	for done := false; !done; {
		s, err := New(ctx, Options{Job: job, Ledger: led, Tasks: f, Results: f.Queues, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 1024}})
		f.mu.Lock()
		f.sched = s
		f.mu.Unlock()
		life, kill := context.WithCancel(ctx)
		if restarts > 0 {
			life, kill = context.WithTimeout(ctx, restarts)
		}
		var run sync.WaitGroup
		run.Go(func() {
			if err := s.Run(life); err != nil {
				t.Error(err)
			}
		})
		for part := range slices.Chunk(seeds, 500) {
			s.Seed(life, part, false)
		}
		s.Seed(life, nil, true)
		select {
		case <-s.Done():
			done = true
		case <-life.Done():
		}
		kill()
		run.Wait()
		f.mu.Lock()
		f.sched = nil
		f.mu.Unlock()
		if time.Since(begin) > 4*time.Hour {
			t.Error("the job does not end")
			break
		}
	}
	took := time.Since(begin)
	cancel()
	f.turns.Wait()
	led.Balance()
	if led.Broken != nil {
		t.Errorf("the ledger does not balance: %v", led.Broken)
	}
	if len(w.wrong) > 0 {
		t.Errorf("%d hosts were asked too early, first: %s", len(w.wrong), w.wrong[0])
	}
	return led, took
}

// waits checks that a host that came back was asked again within 1.2 times the wait that ran then, and that nobody waited longer
// than its failures say.
func (w *outage) waits(t *testing.T) {
	for h, all := range w.asked {
		failed, first := 0, 1
		if w.connects(h) {
			first = crawler.MaxNoAnswers // before it is away its URLs wait for their own retries
		}
		for i, a := range all {
			if i > 0 && failed >= first {
				most := max(crawler.ProbeWait(failed-first+1, 0.5), w.delay)
				if all[i-1].begin.Before(w.to) && !a.begin.Before(w.to) && a.begin.Sub(all[i-1].end) > most*12/10 {
					t.Errorf("%s was asked again %v after attempt %d failed, want at most 1.2 times %v", h, a.begin.Sub(all[i-1].end), failed, most)
				}
			}
			switch {
			case !a.bad:
				failed = 0
			default:
				failed++
			}
		}
	}
}

// nobodyPaid checks that nobody paid for a connection that was not there, and for a missing answer only before the host was found to
// be away.
func (w *outage) nobodyPaid(t *testing.T, led *hostLedger) {
	for _, r := range led.AllRows {
		if !w.connects(r.URL.Host()) && (r.Tries > 0 || r.Attempts != 1) || r.Tries >= crawler.MaxNoAnswers {
			t.Errorf("%s was asked %d times, and %d tries count", r.URL, r.Attempts, r.Tries)
		}
	}
}

func TestHostsThatComeBackLoseNothing(t *testing.T) {
	for _, hosts := range []int{3, 50, 1000} {
		for _, gone := range []time.Duration{5 * time.Second, 30 * time.Second, 300 * time.Second} {
			for _, delay := range []time.Duration{time.Second, 0} {
				if raced && (hosts > 100 || gone > time.Minute) {
					continue
				}
				kind := map[bool]string{true: "a download", false: "a crawl"}[delay == 0]
				inBubble(t, fmt.Sprintf("%d hosts, away for %v, %s", hosts, gone, kind), func(t *testing.T) {
					w := &outage{hosts: hosts, pages: 8, delay: delay}
					if hosts > 100 {
						w.pages = 4 // enough for a turn that is interrupted
					}
					w.from = time.Now().Add(3*delay/2 + 70*time.Millisecond) // each host has answered, and two URLs of it wait
					w.to = w.from.Add(gone)
					led, took := w.run(t, 0)
					if n := led.State.Tallies.Counts[crawler.Fetched]; n != int64(hosts*w.pages) {
						t.Errorf("%d of %d are fetched: %v", n, hosts*w.pages, led.State.Tallies.Reasons)
					}
					w.waits(t)
					w.nobodyPaid(t, led)
					t.Logf("%v, %d commits", took, led.Commits)
				})
			}
		}
	}
}

func TestAnOutageOverRestartsOfTheScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &outage{hosts: 20, pages: 8, delay: time.Second}
		w.from = time.Now().Add(3 * time.Second)
		w.to = w.from.Add(4 * time.Minute)
		led, _ := w.run(t, 47*time.Second)
		if n := led.State.Tallies.Counts[crawler.Fetched]; n != int64(w.hosts*w.pages) {
			t.Errorf("%d of %d are fetched: %v", n, w.hosts*w.pages, led.State.Tallies.Reasons)
		}
	})
}

func TestAListOfDeadHostsEndsWithinThreeMinutes(t *testing.T) {
	if raced {
		t.Skip("a thousand hosts are too many for the race detector: the race run has the smaller outages")
	}
	synctest.Test(t, func(t *testing.T) {
		w := &outage{hosts: 500, pages: 3, dead: func(int) bool { return true }}
		led, took := w.run(t, 0)
		c := led.State.Tallies
		if took > 3*time.Minute || c.Counts[crawler.Failed] != 1500 || c.Reasons[crawler.ReasonRobotsUnreachable] != 0 {
			t.Errorf("after %v: %v %v", took, c.Counts, c.Reasons)
		}
		for _, why := range []crawler.Reason{crawler.ReasonConnect, crawler.ReasonTimeout, crawler.ReasonDNS} {
			if c.Reasons[why] < 450 {
				t.Errorf("reasons %v", c.Reasons)
			}
		}
	})
}

func TestDeadHostsDoNotHoldUpThoseThatComeBack(t *testing.T) {
	if raced {
		t.Skip("a thousand hosts are too many for the race detector: the race run has the smaller outages")
	}
	synctest.Test(t, func(t *testing.T) {
		w := &outage{hosts: 1000, pages: 5, delay: time.Second, dead: func(i int) bool { return i%2 == 1 }}
		w.from = time.Now().Add(3 * time.Second)
		w.to = w.from.Add(30 * time.Second)
		led, took := w.run(t, 0)
		if c := led.State.Tallies.Counts; c[crawler.Fetched] != 2500 || c[crawler.Failed] != 500 || took > 5*time.Minute {
			t.Errorf("after %v: %v %v", took, c, led.State.Tallies.Reasons)
		}
		w.waits(t)
	})
}
