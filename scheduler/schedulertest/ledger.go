package schedulertest

import (
	"context"
	"errors"
	"fmt"
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
