package fetcher

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
)

// view is what a fetcher knows of the job, read at one time. It does not change.
type view struct {
	crawler.JobNotice
	scope *crawler.Scope // nil when links cannot be cut at the page
	guard crawler.AddressGuard
	token string // of the User-Agent, for robots.txt

	bandwidth *rate.Limiter // of the node, shared by all turns; nil = no limit
}

func newView(n crawler.JobNotice) (*view, error) {
	v := &view{JobNotice: n, guard: crawler.NewAddressGuard(&n.Job), token: crawler.ProductToken(n.Job.UserAgent)}
	if !n.ScopeWhole {
		return v, nil
	}
	scope, err := crawler.NewScope(&n.Job)
	if err != nil {
		return nil, err
	}
	for _, k := range n.ScopeKeys {
		scope.AddKey(k)
	}
	v.ScopeKeys = nil // the scope holds them
	v.scope = scope
	return v, nil
}

// refresh reads the notice. A question that somebody else put after since serves as well, also when it
// had no answer.
func (f *Fetcher) refresh(ctx context.Context, since time.Time) error {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.asked.After(since) {
		return f.askErr
	}
	f.asked = time.Now()
	f.askErr = f.readNotice(ctx)
	return f.askErr
}

func (f *Fetcher) readNotice(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n, err := f.Scheduler.Notice(ctx)
	if err != nil {
		return err
	}
	v, err := newView(n)
	if err != nil {
		return err
	}
	v.bandwidth = bandwidth(&n.Job, f.view.Load())
	f.view.Store(v)
	return nil
}

// bandwidth is the limiter that the job asks for: the one before, with its new limit, so that turns under
// way obey it too. They keep the old limit when there is none any more.
func bandwidth(job *crawler.Job, before *view) *rate.Limiter {
	if job.Bandwidth <= 0 {
		return nil
	}
	limit, burst := rate.Limit(job.Bandwidth), int(max(job.Bandwidth, crawler.MinBandwidth))
	if before == nil || before.bandwidth == nil {
		return rate.NewLimiter(limit, burst)
	}
	before.bandwidth.SetLimit(limit)
	before.bandwidth.SetBurst(burst)
	return before.bandwidth
}

// current is the view that an answer, received just now, belongs to. When it cannot be had, links are not
// cut: a copy of the scope that is out of date would lose some.
func (f *Fetcher) current(ctx context.Context, a *crawler.Answer) *view {
	v := f.view.Load()
	if v.Life == a.Life && v.ScopeEpoch == a.ScopeEpoch {
		return v
	}
	if f.refresh(ctx, time.Now()) == nil {
		return f.view.Load()
	}
	old := *v
	old.scope = nil
	return &old
}

// over notes that an answer said that the job is done.
func (f *Fetcher) over() { poke(f.done) }
