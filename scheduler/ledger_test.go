package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// memLedger is a ledger in memory that checks the balance at every commit: what the tallies and the host
// records say must be what the rows and turns say.
type memLedger struct {
	mu        sync.Mutex
	state     crawler.LedgerState
	rows      map[weburl.URLKey]*crawler.Row
	hosts     map[weburl.Host]crawler.HostState
	turns     map[weburl.Host]crawler.TurnState
	robots    map[weburl.Host]map[string]crawler.HostRobots
	errands   map[weburl.Host][]crawler.RobotsHop
	answers   map[weburl.URLKey]crawler.HopAnswer
	scope     map[crawler.ScopeSeed]bool
	owed      []crawler.OwedRow
	domains   map[string]session.DomainState
	commits   int
	broken    error                  // what the balance check found
	refuse    error                  // returned by Commit
	dies      error                  // returned by Commit once it is applied
	mostSeeds int                    // that Load gives; 0 = crawler.MaxScopeSeeds
	lenient   bool                   // no balance: the test put something into it
	watch     func(*crawler.Changes) // sees each change once it is applied; nil = nobody
}

func newMemLedger() *memLedger {
	return &memLedger{
		state: crawler.LedgerState{Fresh: true, Life: crawler.Life{1}},
		rows:  map[weburl.URLKey]*crawler.Row{}, hosts: map[weburl.Host]crawler.HostState{},
		turns: map[weburl.Host]crawler.TurnState{}, robots: map[weburl.Host]map[string]crawler.HostRobots{},
		errands: map[weburl.Host][]crawler.RobotsHop{}, answers: map[weburl.URLKey]crawler.HopAnswer{}, domains: map[string]session.DomainState{}, scope: map[crawler.ScopeSeed]bool{},
	}
}

func (l *memLedger) Load(context.Context) (crawler.LedgerState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	s.Tallies, s.Work = l.state.Tallies.Clone(), l.state.Work.Clone()
	for seed := range l.scope {
		if s.ScopeMore = len(s.Scope) == l.scopeSeedsMost(); s.ScopeMore {
			break
		}
		s.Scope = append(s.Scope, seed.Key())
	}
	s.Turns = slices.Collect(maps.Values(l.turns))
	for i := range s.Turns {
		s.Turns[i].URLs = slices.Clone(s.Turns[i].URLs)
	}
	return s, nil
}

func (l *memLedger) Commit(c *crawler.Changes) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	l.commits++
	l.state.Fresh = false
	l.state.Clock = c.Now
	for _, r := range c.Rows {
		old := l.rows[r.New.Key()]
		if (old == nil) != (r.Old == nil) {
			l.broken = errors.Join(l.broken, fmt.Errorf("row %s: old value does not match the ledger", r.New.URL))
		}
		if old != nil && old.Outcome.Final() && r.New.Outcome != crawler.Waiting && !nameChange(old, r.New) {
			l.broken = errors.Join(l.broken, fmt.Errorf("row %s: written again after it was final", r.New.URL))
		}
		fresh := *r.New
		l.rows[r.New.Key()] = &fresh
	}
	for _, h := range c.Hosts {
		l.hosts[h.New.Host] = *h.New
	}
	for _, h := range c.EndTurns {
		delete(l.turns, h)
	}
	for _, t := range c.Turns {
		t.URLs = slices.Clone(t.URLs)
		l.turns[t.Host] = t
	}
	for _, r := range c.Robots {
		if l.robots[r.Host] == nil {
			l.robots[r.Host] = map[string]crawler.HostRobots{}
		}
		l.robots[r.Host][r.File.Scheme] = r.File
	}
	for i := range c.Domains {
		l.domains[c.Domains[i].Domain] = c.Domains[i].Clone()
	}
	for _, e := range c.EndErrands {
		h := e.URL.Host()
		l.errands[h] = slices.DeleteFunc(l.errands[h], func(x crawler.RobotsHop) bool { return sameErrand(x, e) })
	}
	for _, e := range c.Errands {
		h := e.URL.Host()
		l.errands[h] = slices.DeleteFunc(l.errands[h], func(x crawler.RobotsHop) bool { return sameErrand(x, e) })
		l.errands[h] = append(l.errands[h], e)
	}
	for _, a := range c.Answers {
		l.answers[a.URL.Key()] = a
	}
	l.owed = slices.DeleteFunc(l.owed, func(o crawler.OwedRow) bool { return o.Number <= c.Delivered })
	l.owed = append(l.owed, c.Owed...)
	for _, seed := range c.Scope {
		l.scope[seed] = true
	}
	if c.Tallies != nil {
		l.state.Tallies = c.Tallies.Clone()
	}
	l.state.Position = max(l.state.Position, c.Position)
	l.state.Sequence = max(l.state.Sequence, c.Sequence)
	l.state.Ran = max(l.state.Ran, c.Ran)
	if c.State != nil {
		l.state.State = *c.State
	}
	if c.Work != nil {
		l.state.Work = c.Work.Clone()
	}
	if !c.Quiet.IsZero() {
		l.state.Quiet, l.state.Recall = c.Quiet, false
	}
	if !l.lenient {
		l.balance()
	}
	if l.watch != nil {
		l.watch(c)
	}
	return l.dies
}

// balance recounts everything.
func (l *memLedger) balance() {
	var total crawler.Tallies
	hosts := map[weburl.Host]*crawler.HostState{}
	leased := map[weburl.URLKey]bool{}
	for h, t := range l.turns {
		for _, u := range t.URLs {
			leased[weburl.URLKey{Host: h.Key(), URL: u}] = true
		}
		if l.hosts[h].Turn != t.ID {
			l.broken = errors.Join(l.broken, fmt.Errorf("host %s does not know its turn", h))
		}
	}
	for k, r := range l.rows {
		h := hosts[r.URL.Host()]
		if h == nil {
			h = &crawler.HostState{}
			hosts[r.URL.Host()] = h
		}
		o := r.Outcome
		if leased[k] {
			if o != crawler.Waiting {
				l.broken = errors.Join(l.broken, fmt.Errorf("row %s is leased and %v", r.URL, o))
			}
			o = crawler.Leased
			delete(leased, k)
		}
		h.Counts[o]++
		total.Counts[o]++
		if r.Retrying() {
			h.Retry++
		}
		if depth := l.state.State.Job.Depth; r.Outcome == crawler.Waiting && depth >= 0 && r.Depth > depth {
			h.Deep++
		}
	}
	if len(leased) > 0 {
		l.broken = errors.Join(l.broken, fmt.Errorf("%d leased URLs have no row", len(leased)))
	}
	if total.Counts != l.state.Tallies.Counts {
		l.broken = errors.Join(l.broken, fmt.Errorf("tallies say %v, rows %v", l.state.Tallies.Counts, total.Counts))
	}
	var parked, gone int64
	for name, h := range l.hosts {
		want := hosts[name]
		if want == nil {
			want = &crawler.HostState{}
		}
		if park := h; !l.state.Work.Counts(name.Key()) {
			if park.Park(&l.state.State.Job); h.Deep != want.Deep || h.Parked != park.Parked {
				l.broken = errors.Join(l.broken, fmt.Errorf("host %s says %d deep and %d parked, rows %d and %d", name, h.Deep, h.Parked, want.Deep, park.Parked))
			}
		}
		if h.Counts != want.Counts || h.Retry != want.Retry {
			l.broken = errors.Join(l.broken, fmt.Errorf("host %s says %v retry %d, rows %v retry %d", name, h.Counts, h.Retry, want.Counts, want.Retry))
		}
		if h.Errands != len(l.errands[name]) {
			l.broken = errors.Join(l.broken, fmt.Errorf("host %s says %d errands, has %d", name, h.Errands, len(l.errands[name])))
		}
		handing := 0
		for _, a := range l.answers {
			if a.Handing && a.URL.Host() == name {
				handing++
			}
		}
		if h.Handing != handing {
			l.broken = errors.Join(l.broken, fmt.Errorf("host %s says %d answers are handed on, %d are", name, h.Handing, handing))
		}
		parked += h.Parked
		gone += away(&h)
	}
	if gone != l.state.Tallies.Away {
		l.broken = errors.Join(l.broken, fmt.Errorf("tallies say %d hosts are away, hosts %d", l.state.Tallies.Away, gone))
	}
	if parked != l.state.Tallies.Parked {
		l.broken = errors.Join(l.broken, fmt.Errorf("tallies say %d parked, hosts %d", l.state.Tallies.Parked, parked))
	}
}

func (l *memLedger) Host(h weburl.Host) (crawler.HostState, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.hosts[h]
	return s, ok, nil
}

func (l *memLedger) Rows(keys []weburl.URLKey) ([]*crawler.Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*crawler.Row, len(keys))
	for i, k := range keys {
		if r := l.rows[k]; r != nil {
			c := *r
			out[i] = &c
		}
	}
	return out, nil
}

func (l *memLedger) Queue(h weburl.Host, now time.Time, maxDepth, n int) (rows []*crawler.Row, next time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rows {
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

func (l *memLedger) Robots(h weburl.Host) ([]crawler.HostRobots, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.robots[h])), nil
}

func (l *memLedger) Domain(name string) (session.DomainState, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.domains[name]
	return d.Clone(), !d.Empty(), nil
}

func (l *memLedger) Errands(h weburl.Host, n int) ([]crawler.RobotsHop, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []crawler.RobotsHop
	taken := map[uint64]bool{}
	for _, e := range l.errandsOf(h) {
		k := e.URL.Key()
		if !taken[k.URL] && !l.answers[k].Handing && len(out) < n {
			out = append(out, e)
		}
		taken[k.URL] = true
	}
	return out, nil
}

// errandsOf are a host's errands in key order.
func (l *memLedger) errandsOf(h weburl.Host) []crawler.RobotsHop {
	all := slices.Clone(l.errands[h])
	slices.SortFunc(all, func(a, b crawler.RobotsHop) int {
		return cmp.Or(cmp.Compare(a.URL.Key().URL, b.URL.Key().URL), cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.For, b.For))
	})
	return all
}

func (l *memLedger) Waiters(u weburl.URL, n int) ([]crawler.RobotsHop, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.DeleteFunc(l.errandsOf(u.Host()), func(e crawler.RobotsHop) bool { return e.URL.Key() != u.Key() })
	return all[:min(n, len(all))], nil
}

func (l *memLedger) Waits(hop crawler.RobotsHop) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.errands[hop.URL.Host()], func(e crawler.RobotsHop) bool { return sameErrand(e, hop) }), nil
}

func sameErrand(a, b crawler.RobotsHop) bool {
	return a.URL.Key() == b.URL.Key() && a.Scheme == b.Scheme && a.For == b.For
}

func (l *memLedger) Answer(u weburl.URL) (crawler.HopAnswer, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.answers[u.Key()]
	return a, ok, nil
}

func (l *memLedger) Handing(h weburl.Host, n int) ([]crawler.HopAnswer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []crawler.HopAnswer
	for _, a := range l.answers {
		if a.Handing && a.URL.Host() == h {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b crawler.HopAnswer) int { return cmp.Compare(a.URL.Key().URL, b.URL.Key().URL) })
	return out[:min(n, len(out))], nil
}

func (l *memLedger) Due(n int) ([]crawler.DueHost, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var due []crawler.DueHost
	for _, h := range l.hosts {
		if at, ok := h.Due(); ok {
			due = append(due, crawler.DueHost{Due: at, Rank: h.Rank(at), Host: h.Host})
		}
	}
	slices.SortFunc(due, func(a, b crawler.DueHost) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Host, b.Host))
	})
	return due[:min(n, len(due))], nil
}

func (l *memLedger) HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error] {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.hosts))
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

func (l *memLedger) RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error] {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.rows))
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

func (l *memLedger) Beyond(h weburl.Host, depth int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, r := range l.rows {
		if r.URL.Host() == h && r.Outcome == crawler.Waiting && depth >= 0 && r.Depth > depth {
			n++
		}
	}
	return n, nil
}

func (l *memLedger) Opened(seed crawler.ScopeSeed) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.scope[seed], nil
}

func (l *memLedger) scopeSeedsMost() int {
	if l.mostSeeds > 0 {
		return l.mostSeeds
	}
	return crawler.MaxScopeSeeds
}

// scopeSeeds are the texts that opened the scope, in order.
func (l *memLedger) scopeSeeds() []crawler.ScopeSeed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.scope))
}

// nameChange: a row that is final may still get its file, a further name, or fail for what became of its body, until a line takes it.
func nameChange(old, new *crawler.Row) bool {
	forBody := func(r *crawler.Row) bool {
		return r.Reason == crawler.ReasonArchive || r.Reason == crawler.ReasonDigest
	}
	return old.Outcome == new.Outcome || forBody(new) || forBody(old) && new.Outcome == crawler.Fetched
}
