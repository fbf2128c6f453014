package fetcher

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/lease"
)

// Why a turn was dropped.
var (
	errRefused  = errors.New("the right was refused")
	errTurnLate = errors.New("the last part could not be stored in time")
	errTurnDone = errors.New("the turn is over")
)

// turn is one turn in work. Its goroutines: send (run's own), renew, watch, the lead and the lanes.
//
// Three contexts, each ending the ones after it: hard ends with the turn or when it is dropped; flight
// ends exchanges under way; going ends when no further request may be started.
type turn struct {
	f      *Fetcher
	task   crawler.Task
	holder crawler.HolderID
	life   crawler.Life
	job    *crawler.Job         // as of the grant
	own    crawler.HostSettings // of the job for this host
	token  string               // of its User-Agent
	lease  *lease.Lease
	pace   *pace
	report *report
	rules  rules
	list   list
	site   site
	log    *slog.Logger

	hard   context.Context
	drop   context.CancelCauseFunc
	flight context.Context
	cut    context.CancelFunc
	going  context.Context
	end    context.CancelFunc

	gone <-chan struct{} // closed when the network is found to be away

	stopOnce sync.Once
	stop     chan struct{} // closed when the scheduler says stop
	worked   chan struct{} // closed when no lane runs any more

	mu     sync.Mutex
	scope  *crawler.Scope // nil: links are not cut
	again  chan struct{}  // closed by the next granting answer
	silent crawler.Streak // tries without an answer, in a row

	validators map[weburl.URL]crawler.Validator // read only
	parts      int                              // the number of the last part; owned by send
}

// work takes a task through its turn: ask, ack, and when it is granted, work. ctx ends gently, hard at once.
func (f *Fetcher) work(ctx, hard context.Context, d crawler.Delivery) {
	var holder crawler.HolderID
	rand.Read(holder[:]) // never fails
	ask := crawler.Ask{Turn: d.Task.Turn, Holder: holder, Host: d.Task.Host, Fetcher: f.Name}
	answer, t0, err := f.ask(ctx, hard, ask)
	if err != nil {
		return // not acked: the queue hands the task out again
	}
	received := time.Now()
	d.Ack()
	switch answer.Verdict {
	case crawler.Over:
		f.over()
	case crawler.Granted:
		f.Step(StepGrant)
		t := f.newTurn(hard, d.Task, holder, &answer, t0, received, f.current(ctx, &answer))
		gone, ok := f.network.Enter(d.Task.Host)
		if ok {
			defer f.network.Exit(d.Task.Host)
		} else {
			t.end() // its URLs go back untried
		}
		t.gone = gone
		t.run(ctx)
	}
}

// ask puts the first question for a turn until it is answered, with the same holder: a grant whose answer
// was lost is given again. The end of ctx lets the answer under way come: it may be a grant, and a turn whose
// holder is gone would keep its host until it lapses.
func (f *Fetcher) ask(ctx, hard context.Context, ask crawler.Ask) (a crawler.Answer, t0 time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for {
		if ctx.Err() != nil {
			return a, t0, ctx.Err()
		}
		a, t0, err = f.askOnce(hard, ask)
		if err == nil {
			return a, t0, nil
		}
		if err := pause(ctx, askAgain); err != nil {
			return a, t0, err
		}
	}
}

func (f *Fetcher) askOnce(ctx context.Context, ask crawler.Ask) (crawler.Answer, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t0 := time.Now()
	a, err := f.Scheduler.Ask(ctx, ask)
	return a, t0, err
}

// pause waits, and ends with the context's error when that comes first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Fetcher) newTurn(hard context.Context, task crawler.Task, holder crawler.HolderID, a *crawler.Answer, t0, received time.Time, v *view) *turn {
	lanes := max(1, a.Connections)
	own := v.Job.For(task.Host)
	t := &turn{
		f: f, task: task, holder: holder, life: a.Life, job: &v.Job, own: own, token: v.token, scope: v.scope,
		lease:  lease.New(t0, a.Lease).WithOffset(f.ClockOffset),
		pace:   newPace(baseDelay(a, own.Delay), a.Penalty, lanes, received.Add(a.Wait)),
		report: newReport(),
		stop:   make(chan struct{}), worked: make(chan struct{}), again: make(chan struct{}),
		validators: validators(a.Validators),
		log:        f.Logger.With("host", task.Host, "turn", task.Turn),
	}
	t.report.all = &f.unsent
	t.pace.margin = f.margin
	t.list.init(task.URLs, lanes)
	t.hard, t.drop = context.WithCancelCause(hard)
	t.flight, t.cut = context.WithCancel(t.hard)
	t.going, t.end = context.WithCancel(t.flight)
	t.rules.fetching = make(chan struct{}, 1)
	t.rules.read(a.Robots, v.token, received)
	t.crawlDelay()
	t.accept(a)
	t.site = f.open(download.SiteOptions{
		Job: &v.Job, Host: task.Host, Guard: v.guard, TLS: v.tls, Lease: t.lease, Lanes: lanes, Addresses: a.Addresses,
		Cookies: a.Cookies, Seeds: a.Seeds, Credentials: a.Credentials,
	})
	return t
}

// baseDelay is the delay in force without the back-off, which the turn keeps itself. An answer whose delay
// is all back-off does not tell it; then it is the job's, and robots.txt adds its own.
func baseDelay(a *crawler.Answer, own time.Duration) time.Duration {
	if a.Delay > a.Penalty {
		return a.Delay
	}
	return min(a.Delay, own)
}

func validators(vs []crawler.Validator) map[weburl.URL]crawler.Validator {
	m := make(map[weburl.URL]crawler.Validator, len(vs))
	for _, v := range vs {
		m[v.URL] = v
	}
	return m
}

// run works on the turn until its last part is stored or it is dropped.
func (t *turn) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(t.renew)
	wg.Go(func() { t.lease.Watch(t.hard, time.Now, t.site.Lapse) })
	wg.Go(func() { t.watch(ctx) })
	wg.Go(func() {
		defer close(t.worked)
		t.lanes()
		t.site.Rest() // before the last part, which may need what connections hold
	})
	t.send()
	t.drop(errTurnDone)
	wg.Wait()
	t.report.drop()
	t.site.Close()
}

// watch ends the turn early: gently when ctx ends, the scheduler says so or the network is away, and by cutting what is still
// under way after stopGrace. When ctx has ended, the last parts have lastGrace to be stored.
func (t *turn) watch(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-t.stop:
	case <-t.gone:
	case <-t.hard.Done():
		return
	}
	t.end()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-t.worked:
	case <-timer.C:
		t.cut()
	case <-t.hard.Done():
		return
	}
	select {
	case <-ctx.Done():
	case <-t.hard.Done():
		return
	}
	timer.Reset(lastGrace)
	select {
	case <-timer.C:
		t.drop(errTurnLate)
	case <-t.hard.Done():
	}
}

// renew asks again and again, until the turn is over. Without an answer the right ends by itself; the
// question stays.
func (t *turn) renew() {
	ask := crawler.Ask{Turn: t.task.Turn, Holder: t.holder, Host: t.task.Host, Fetcher: t.f.Name, Renewal: true}
	interval := t.job.Renew
	wait := interval
	for pause(t.hard, wait) == nil {
		a, t0, err := t.f.askOnce(t.hard, ask)
		switch {
		case err != nil:
			wait = min(interval, askAgain)
		case a.Verdict == crawler.Granted && a.Life == t.life:
			t.lease.Extend(t0, a.Lease)
			t.answered()
			t.accept(&a)
			t.refreshScope(&a)
			wait = max(0, interval-time.Since(t0))
		default:
			if a.Verdict == crawler.Over {
				t.f.over()
			}
			t.log.Info("turn dropped", "why", errRefused)
			t.drop(errRefused)
		}
	}
}

// accept takes what a granting answer says beyond the right itself. The delay only grows: what the
// scheduler knows of the back-off came from here.
func (t *turn) accept(a *crawler.Answer) {
	t.pace.lengthen(baseDelay(a, t.own.Delay))
	t.list.accept(a.More, a.Settled)
	if a.Stop {
		t.end()
		t.stopOnce.Do(func() { close(t.stop) })
	}
}

// refreshScope reads the scope again when an answer says that it changed; until it has been read, links
// are not cut.
func (t *turn) refreshScope(a *crawler.Answer) {
	scope := t.f.current(t.hard, a).scope
	t.mu.Lock()
	t.scope = scope
	t.mu.Unlock()
}

// answered lets lanes that wait for the right look at it again.
func (t *turn) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.again)
	t.again = make(chan struct{})
}

// answer is closed by the next granting answer.
func (t *turn) answer() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.again
}

// inScope leaves out the links that the job's scope does not take, and counts them by reason. Redirects
// stay: where a seed's redirects end may open the scope, which the scheduler decides. A download follows
// nothing else.
func (t *turn) inScope(page crawler.TaskURL, links []crawler.Link) (keep []crawler.Link, dropped download.Tally) {
	t.mu.Lock()
	scope := t.scope
	t.mu.Unlock()
	follows := t.job.Kind != crawler.Download
	ends := page.Depth == 0 && page.Redirects > 0 // a seed's redirects may end here, and then its links are in scope
	if (scope == nil || ends) && follows {
		return links, nil
	}
	keep = links[:0]
	for _, l := range links {
		if l.Kind == crawler.LinkRedirect {
			keep = append(keep, l)
		} else if follows {
			if d := scope.Decide(l.URL, l.Kind); d.In {
				keep = append(keep, l)
			} else {
				dropped.Add(d.Drop, 1)
			}
		}
	}
	return keep, dropped
}
