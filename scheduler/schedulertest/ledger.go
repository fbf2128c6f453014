package schedulertest

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

// Ledger is a ledger in memory that checks the balance at every commit: what the tallies and the host
// records say must be what the rows and turns say.
type Ledger struct {
	mu         sync.Mutex
	State      crawler.LedgerState
	AllRows    map[weburl.URLKey]*crawler.Row
	AllHosts   map[weburl.Host]crawler.HostState
	Turns      map[weburl.Host]crawler.TurnState
	AllRobots  map[weburl.Host]map[string]crawler.HostRobots
	AllErrands map[weburl.Host][]crawler.RobotsHop
	AllAnswers map[weburl.URLKey]crawler.HopAnswer
	Scope      map[crawler.ScopeSeed]bool
	Owed       []crawler.OwedRow
	AllDomains map[string]session.DomainState
	Commits    int
	Broken     error                  // what the balance check found
	Refuse     error                  // returned by Commit
	Dies       error                  // returned by Commit once it is applied
	MostSeeds  int                    // that Load gives; 0 = crawler.MaxScopeSeeds
	Lenient    bool                   // no balance: the test put something into it
	Watch      func(*crawler.Changes) // sees each change once it is applied; nil = nobody
}

func NewLedger() *Ledger {
	return &Ledger{
		State:   crawler.LedgerState{Fresh: true, Life: crawler.Life{1}},
		AllRows: map[weburl.URLKey]*crawler.Row{}, AllHosts: map[weburl.Host]crawler.HostState{},
		Turns: map[weburl.Host]crawler.TurnState{}, AllRobots: map[weburl.Host]map[string]crawler.HostRobots{},
		AllErrands: map[weburl.Host][]crawler.RobotsHop{}, AllAnswers: map[weburl.URLKey]crawler.HopAnswer{}, AllDomains: map[string]session.DomainState{}, Scope: map[crawler.ScopeSeed]bool{},
	}
}

func (l *Ledger) Load(context.Context) (crawler.LedgerState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.State
	s.Tallies, s.Work = l.State.Tallies.Clone(), l.State.Work.Clone()
	for seed := range l.Scope {
		if s.ScopeMore = len(s.Scope) == l.scopeSeedsMost(); s.ScopeMore {
			break
		}
		s.Scope = append(s.Scope, seed.Key())
	}
	s.Turns = slices.Collect(maps.Values(l.Turns))
	for i := range s.Turns {
		s.Turns[i].URLs = slices.Clone(s.Turns[i].URLs)
	}
	return s, nil
}

func (l *Ledger) Commit(c *crawler.Changes) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Refuse != nil {
		return l.Refuse
	}
	l.Commits++
	l.State.Fresh = false
	l.State.Clock = c.Now
	for _, r := range c.Rows {
		old := l.AllRows[r.New.Key()]
		if (old == nil) != (r.Old == nil) {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("row %s: old value does not match the ledger", r.New.URL))
		}
		if old != nil && old.Outcome.Final() && r.New.Outcome != crawler.Waiting && !nameChange(old, r.New) {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("row %s: written again after it was final", r.New.URL))
		}
		fresh := *r.New
		l.AllRows[r.New.Key()] = &fresh
	}
	for _, h := range c.Hosts {
		l.AllHosts[h.New.Host] = *h.New
	}
	for _, h := range c.EndTurns {
		delete(l.Turns, h)
	}
	for _, t := range c.Turns {
		t.URLs = slices.Clone(t.URLs)
		l.Turns[t.Host] = t
	}
	for _, r := range c.Robots {
		if l.AllRobots[r.Host] == nil {
			l.AllRobots[r.Host] = map[string]crawler.HostRobots{}
		}
		l.AllRobots[r.Host][r.File.Scheme] = r.File
	}
	for i := range c.Domains {
		l.AllDomains[c.Domains[i].Domain] = c.Domains[i].Clone()
	}
	for _, e := range c.EndErrands {
		h := e.URL.Host()
		l.AllErrands[h] = slices.DeleteFunc(l.AllErrands[h], func(x crawler.RobotsHop) bool { return sameErrand(x, e) })
	}
	for _, e := range c.Errands {
		h := e.URL.Host()
		l.AllErrands[h] = slices.DeleteFunc(l.AllErrands[h], func(x crawler.RobotsHop) bool { return sameErrand(x, e) })
		l.AllErrands[h] = append(l.AllErrands[h], e)
	}
	for _, a := range c.Answers {
		l.AllAnswers[a.URL.Key()] = a
	}
	l.Owed = slices.DeleteFunc(l.Owed, func(o crawler.OwedRow) bool { return o.Number <= c.Delivered })
	l.Owed = append(l.Owed, c.Owed...)
	for _, seed := range c.Scope {
		l.Scope[seed] = true
	}
	if c.Tallies != nil {
		l.State.Tallies = c.Tallies.Clone()
	}
	l.State.Position = max(l.State.Position, c.Position)
	l.State.Sequence = max(l.State.Sequence, c.Sequence)
	l.State.Ran = max(l.State.Ran, c.Ran)
	if c.State != nil {
		l.State.State = *c.State
	}
	if c.Work != nil {
		l.State.Work = c.Work.Clone()
	}
	if !c.Quiet.IsZero() {
		l.State.Quiet, l.State.Recall = c.Quiet, false
	}
	if !l.Lenient {
		l.balance()
	}
	if l.Watch != nil {
		l.Watch(c)
	}
	return l.Dies
}

// Balance recounts everything, as each commit does that is not lenient.
func (l *Ledger) Balance() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.balance()
}

// balance recounts everything.
func (l *Ledger) balance() {
	var total crawler.Tallies
	hosts := map[weburl.Host]*crawler.HostState{}
	leased := map[weburl.URLKey]bool{}
	for h, t := range l.Turns {
		for _, u := range t.URLs {
			leased[weburl.URLKey{Host: h.Key(), URL: u}] = true
		}
		if l.AllHosts[h].Turn != t.ID {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("host %s does not know its turn", h))
		}
	}
	for k, r := range l.AllRows {
		h := hosts[r.URL.Host()]
		if h == nil {
			h = &crawler.HostState{}
			hosts[r.URL.Host()] = h
		}
		o := r.Outcome
		if leased[k] {
			if o != crawler.Waiting {
				l.Broken = errors.Join(l.Broken, fmt.Errorf("row %s is leased and %v", r.URL, o))
			}
			o = crawler.Leased
			delete(leased, k)
		}
		h.Counts[o]++
		total.Counts[o]++
		if r.Retrying() {
			h.Retry++
		}
		if depth := l.State.State.Job.Depth; r.Outcome == crawler.Waiting && depth >= 0 && r.Depth > depth {
			h.Deep++
		}
	}
	if len(leased) > 0 {
		l.Broken = errors.Join(l.Broken, fmt.Errorf("%d leased URLs have no row", len(leased)))
	}
	if total.Counts != l.State.Tallies.Counts {
		l.Broken = errors.Join(l.Broken, fmt.Errorf("tallies say %v, rows %v", l.State.Tallies.Counts, total.Counts))
	}
	var parked, gone int64
	for name, h := range l.AllHosts {
		want := hosts[name]
		if want == nil {
			want = &crawler.HostState{}
		}
		if park := h; !l.State.Work.Counts(name.Key()) {
			if park.Park(&l.State.State.Job); h.Deep != want.Deep || h.Parked != park.Parked {
				l.Broken = errors.Join(l.Broken, fmt.Errorf("host %s says %d deep and %d parked, rows %d and %d", name, h.Deep, h.Parked, want.Deep, park.Parked))
			}
		}
		if h.Counts != want.Counts || h.Retry != want.Retry {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("host %s says %v retry %d, rows %v retry %d", name, h.Counts, h.Retry, want.Counts, want.Retry))
		}
		if h.Errands != len(l.AllErrands[name]) {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("host %s says %d errands, has %d", name, h.Errands, len(l.AllErrands[name])))
		}
		handing := 0
		for _, a := range l.AllAnswers {
			if a.Handing && a.URL.Host() == name {
				handing++
			}
		}
		if h.Handing != handing {
			l.Broken = errors.Join(l.Broken, fmt.Errorf("host %s says %d answers are handed on, %d are", name, h.Handing, handing))
		}
		parked += h.Parked
		if h.Gone() {
			gone++
		}
	}
	if gone != l.State.Tallies.Away {
		l.Broken = errors.Join(l.Broken, fmt.Errorf("tallies say %d hosts are away, hosts %d", l.State.Tallies.Away, gone))
	}
	if parked != l.State.Tallies.Parked {
		l.Broken = errors.Join(l.Broken, fmt.Errorf("tallies say %d parked, hosts %d", l.State.Tallies.Parked, parked))
	}
}

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

// nameChange: a row that is final may still get its file, a further name, or fail for what became of its body, until a line takes it.
func nameChange(old, new *crawler.Row) bool {
	forBody := func(r *crawler.Row) bool {
		return r.Reason == crawler.ReasonArchive || r.Reason == crawler.ReasonDigest
	}
	return old.Outcome == new.Outcome || forBody(new) || forBody(old) && new.Outcome == crawler.Fetched
}

// Restored is a copy of the ledger as a restore leaves it.
func (l *Ledger) Restored() *Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := NewLedger()
	c.State = l.State
	c.State.Tallies = l.State.Tallies.Clone()
	c.State.Scope = slices.Clone(l.State.Scope)
	c.State.Life, c.State.Origin, c.State.Recall, c.State.Restored = crawler.Life{2}, l.State.Life, true, time.Now()
	c.AllRows, c.AllHosts, c.Turns = maps.Clone(l.AllRows), maps.Clone(l.AllHosts), maps.Clone(l.Turns)
	for h, t := range c.Turns {
		t.URLs = slices.Clone(t.URLs)
		c.Turns[h] = t
	}
	for h, files := range l.AllRobots {
		c.AllRobots[h] = maps.Clone(files)
	}
	for h, e := range l.AllErrands {
		c.AllErrands[h] = slices.Clone(e)
	}
	return c
}
