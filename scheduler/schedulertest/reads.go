package schedulertest

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

func (l *Ledger) Host(h weburl.Host) (crawler.HostState, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.AllHosts[h]
	return s, ok, nil
}

func (l *Ledger) Rows(keys []weburl.URLKey) ([]*crawler.Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*crawler.Row, len(keys))
	for i, k := range keys {
		if r := l.AllRows[k]; r != nil {
			c := *r
			out[i] = &c
		}
	}
	return out, nil
}

func (l *Ledger) Queue(h weburl.Host, now time.Time, maxDepth, n int) (rows []*crawler.Row, next time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.AllRows {
		if r.URL.Host() != h || r.Outcome != crawler.Waiting || (maxDepth >= 0 && r.Depth > maxDepth) {
			continue
		}
		if r.RetryAt.After(now) {
			if next.IsZero() || r.RetryAt.Before(next) {
				next = r.RetryAt
			}
			continue
		}
		c := *r
		rows = append(rows, &c)
	}
	slices.SortFunc(rows, func(a, b *crawler.Row) int {
		if a.Retrying() != b.Retrying() {
			if a.Retrying() {
				return -1
			}
			return 1
		}
		return cmp.Or(a.RetryAt.Compare(b.RetryAt), cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Sequence, b.Sequence))
	})
	return rows[:min(n, len(rows))], next, nil
}

func (l *Ledger) Robots(h weburl.Host) ([]crawler.HostRobots, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.AllRobots[h])), nil
}

func (l *Ledger) Domain(name string) (session.DomainState, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.AllDomains[name]
	return d.Clone(), !d.Empty(), nil
}

func (l *Ledger) Errands(h weburl.Host, n int) ([]crawler.RobotsHop, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []crawler.RobotsHop
	taken := map[uint64]bool{}
	for _, e := range l.errandsOf(h) {
		k := e.URL.Key()
		if !taken[k.URL] && !l.AllAnswers[k].Handing && len(out) < n {
			out = append(out, e)
		}
		taken[k.URL] = true
	}
	return out, nil
}

// errandsOf are a host's errands in key order.
func (l *Ledger) errandsOf(h weburl.Host) []crawler.RobotsHop {
	all := slices.Clone(l.AllErrands[h])
	slices.SortFunc(all, func(a, b crawler.RobotsHop) int {
		return cmp.Or(cmp.Compare(a.URL.Key().URL, b.URL.Key().URL), cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.For, b.For))
	})
	return all
}

func (l *Ledger) Waiters(u weburl.URL, n int) ([]crawler.RobotsHop, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.DeleteFunc(l.errandsOf(u.Host()), func(e crawler.RobotsHop) bool { return e.URL.Key() != u.Key() })
	return all[:min(n, len(all))], nil
}

func (l *Ledger) Waits(hop crawler.RobotsHop) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.AllErrands[hop.URL.Host()], func(e crawler.RobotsHop) bool { return sameErrand(e, hop) }), nil
}

func sameErrand(a, b crawler.RobotsHop) bool {
	return a.URL.Key() == b.URL.Key() && a.Scheme == b.Scheme && a.For == b.For
}

func (l *Ledger) Answer(u weburl.URL) (crawler.HopAnswer, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.AllAnswers[u.Key()]
	return a, ok, nil
}

func (l *Ledger) Handing(h weburl.Host, n int) ([]crawler.HopAnswer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []crawler.HopAnswer
	for _, a := range l.AllAnswers {
		if a.Handing && a.URL.Host() == h {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b crawler.HopAnswer) int { return cmp.Compare(a.URL.Key().URL, b.URL.Key().URL) })
	return out[:min(n, len(out))], nil
}

func (l *Ledger) Due(n int) ([]crawler.DueHost, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var due []crawler.DueHost
	for _, h := range l.AllHosts {
		if at, ok := h.Due(); ok {
			due = append(due, crawler.DueHost{Due: at, Rank: h.Rank(at), Host: h.Host})
		}
	}
	slices.SortFunc(due, func(a, b crawler.DueHost) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Host, b.Host))
	})
	return due[:min(n, len(due))], nil
}

func (l *Ledger) HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error] {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.AllHosts))
	l.mu.Unlock()
	all = slices.DeleteFunc(all, func(h crawler.HostState) bool { return h.Host.Key() < from })
	slices.SortFunc(all, func(a, b crawler.HostState) int { return cmp.Compare(a.Host.Key(), b.Host.Key()) })
	return func(yield func(crawler.HostState, error) bool) {
		for _, h := range all {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func (l *Ledger) RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error] {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.AllRows))
	l.mu.Unlock()
	all = slices.DeleteFunc(all, func(r *crawler.Row) bool { return r.Key().Compare(from) < 0 })
	slices.SortFunc(all, func(a, b *crawler.Row) int { return a.Key().Compare(b.Key()) })
	return func(yield func(*crawler.Row, error) bool) {
		for _, r := range all {
			c := *r
			if !yield(&c, nil) {
				return
			}
		}
	}
}

func (l *Ledger) Beyond(h weburl.Host, depth int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, r := range l.AllRows {
		if r.URL.Host() == h && r.Outcome == crawler.Waiting && depth >= 0 && r.Depth > depth {
			n++
		}
	}
	return n, nil
}

func (l *Ledger) Opened(seed crawler.ScopeSeed) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Scope[seed], nil
}

func (l *Ledger) scopeSeedsMost() int {
	if l.MostSeeds > 0 {
		return l.MostSeeds
	}
	return crawler.MaxScopeSeeds
}

// scopeSeeds are the texts that opened the scope, in order.
func (l *Ledger) ScopeSeeds() []crawler.ScopeSeed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.Scope))
}
