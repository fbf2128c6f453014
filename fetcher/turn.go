package fetcher

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/lease"
)

// Why a turn was dropped.
var (
	errRefused  = errors.New("the right was refused")
	errTurnDone = errors.New("the turn is over")
)

// turn is one turn in work. Its goroutines: send (run's own), renew, the watches of lease and ends, and the lanes.
type turn struct {
	ends

	f      *Fetcher
	task   crawler.Task
	holder crawler.HolderID
	life   crawler.Life
	job    *crawler.Job         // as of the grant
	own    crawler.HostSettings // of the job for this host
	token  string               // of its User-Agent
	log    *slog.Logger

	lease  *lease.Lease
	pace   *pace
	report *report
	rules  rules
	list   list
	site   site

	scope      atomic.Pointer[crawler.Scope]    // nil: links are not cut
	validators map[weburl.URL]crawler.Validator // read only
	parts      int                              // the number of the last part; owned by send
	sent       time.Time                        // when that was stored; owned by send
	stored     atomic.Int64                     // the number of the last part that is stored
	wants      chan struct{}                    // one slot: further URLs are to be asked for now

	mu     sync.Mutex
	silent crawler.Streak // tries without an answer, in a row
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
		f: f, task: task, holder: holder, life: a.Life, job: &v.Job, own: own, token: v.token,
		lease:  lease.New(t0, a.Lease).WithOffset(f.ClockOffset),
		pace:   newPace(baseDelay(a, own.Delay), a.Penalty, lanes, received.Add(a.Wait)),
		report: newReport(), wants: make(chan struct{}, 1),
		validators: validators(a.Validators),
		log:        f.Logger.With("host", task.Host, "turn", task.Turn),
	}
	t.ends.init(hard)
	t.scope.Store(v.scope)
	t.report.all = &f.unsent
	t.pace.margin = f.margin
	t.report.host, t.sent = task.Host, received
	t.list.init(task.URLs, lanes)
	t.list.found, t.list.hungry = t.report.leads, func() { poke(t.report.wake) }
	t.rules.fetching = make(chan struct{}, 1)
	t.rules.read(a.Robots, v.token, received)
	t.crawlDelay()
	t.accept(&crawler.Ask{}, a)
	t.site = f.open(download.SiteOptions{
		Job: &v.Job, Host: task.Host, Guard: v.guard, TLS: v.tls, Lease: t.lease, Lanes: lanes, Addresses: a.Addresses,
		Cookies: a.Cookies, Seeds: a.Seeds, Credentials: a.Credentials,
	})
	return t
}

// baseDelay is the current delay without the back-off, which the turn keeps itself. An answer whose delay
// is all back-off does not contain it; then it is the job's, and robots.txt adds its own.
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
		t.site.Rest(t.pace.wait()) // before the last part: the host's next turn may follow on it at once
	})
	ordered := t.send()
	t.drop(errTurnDone)
	wg.Wait()
	t.report.drop()
	t.site.Close(ordered)
}

// renew asks again and again, until the turn is over. Without an answer the right ends by itself; the
// question stays.
func (t *turn) renew() {
	ask := crawler.Ask{Turn: t.task.Turn, Holder: t.holder, Host: t.task.Host, Fetcher: t.f.Name, Renewal: true}
	interval := t.job.Renew
	wait := interval
	for t.untilAsk(wait) {
		ask.More, ask.Part = t.list.need(t.low()) != enough, int(t.stored.Load())
		a, t0, err := t.f.askOnce(t.hard, ask)
		switch {
		case err != nil:
			t.list.despair()
			wait = min(interval, askAgain)
		case a.Verdict == crawler.Granted && a.Life == t.life:
			t.lease.Extend(t0, a.Lease)
			t.accept(&ask, &a)
			t.refreshScope(&a)
			wait = max(0, interval-time.Since(t0))
			if t.list.need(t.low()) == dry && t.list.hoping() { // the answer came before the part was settled
				wait = min(wait, partGap)
			}
		default:
			if a.Verdict == crawler.Over {
				t.f.over()
			}
			t.log.Info("turn dropped", "why", errRefused)
			t.drop(errRefused)
		}
	}
}

// untilAsk waits until the next question is to be put: after wait, or when URLs are short. It reports false when the turn is over.
func (t *turn) untilAsk(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.wants:
	case <-t.hard.Done():
		return false
	}
	return t.hard.Err() == nil
}

// accept takes what a granting answer says beyond the right itself. The delay only grows: what the
// scheduler knows of the back-off came from here.
func (t *turn) accept(ask *crawler.Ask, a *crawler.Answer) {
	t.pace.lengthen(baseDelay(a, t.own.Delay))
	t.list.accept(ask, a)
	if a.Stop {
		t.stop()
	}
}

// refreshScope reads the scope again when an answer says that it changed; until it has been read, links
// are not cut.
func (t *turn) refreshScope(a *crawler.Answer) {
	t.scope.Store(t.f.current(t.hard, a).scope)
}

// inScope leaves out the links that the job's scope does not take, and counts them by reason. Redirects
// stay: where a seed's redirects end may open the scope, which the scheduler decides. A download follows
// nothing else.
func (t *turn) inScope(page crawler.TaskURL, links []crawler.Link) (keep []crawler.Link, dropped download.Tally) {
	scope := t.scope.Load()
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
