package fetcher

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// view is what a fetcher knows of the job, read at one time. It does not change.
type view struct {
	crawler.JobNotice
	scope *crawler.Scope // nil when links cannot be cut at the page
	guard weburl.AddressGuard
	token string      // of the User-Agent, for robots.txt
	tls   *tls.Config // with the job's own certificates; nil = the system's only
}

// newView reads a notice; before is what was known until then, nil for nothing.
func newView(n crawler.JobNotice, before *view) (*view, error) {
	n.Job.IndexHosts()
	v := &view{JobNotice: n, guard: weburl.NewAddressGuard(n.Job.AllowPrivate, n.Job.SeedPrivate), token: crawler.ProductToken(n.Job.UserAgent)}
	if before != nil && before.Job.CA == n.Job.CA {
		v.tls = before.tls // the same one: connections that were opened with it may serve on
	} else if err := v.trust(n.Job.CA); err != nil {
		return nil, err
	}
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

// trust adds certificates (PEM) to those that the system trusts; "" adds none.
func (v *view) trust(certificates string) error {
	if certificates == "" {
		return nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("read the system's certificates: %w", err)
	}
	if !roots.AppendCertsFromPEM([]byte(certificates)) {
		return errors.New("the job's certificates cannot be read")
	}
	v.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return nil
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
	v, err := newView(n, f.view.Load())
	if err != nil {
		return err
	}
	limitBandwidth(f.bandwidth, n.Job.Bandwidth)
	f.view.Store(v)
	return nil
}

// limitBandwidth applies a job's limit, in bytes a second; 0 = none. Bodies under way obey it from their
// next read on.
func limitBandwidth(l *rate.Limiter, limit int64) {
	if limit <= 0 {
		l.SetLimit(rate.Inf)
		return
	}
	l.SetBurst(int(max(limit, crawler.MinBandwidth)))
	l.SetLimit(rate.Limit(limit))
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
