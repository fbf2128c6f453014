package core

import (
	"context"
	"crypto/rand"
	mrand "math/rand/v2"
	"sync/atomic"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// shell stands for what is around a core: it commits each step and lets its effects leave, driven by hand.
type shell struct {
	core  *Core
	o     shellOptions
	clock shellClock

	fetchers []crawler.FetcherStatus
	stopping bool
	full     bool // no row can be handed over
	told     crawler.Status
	notice   atomic.Pointer[crawler.JobNotice]
}

type shellOptions struct {
	Job                                  crawler.Job
	Said                                 crawler.Said
	LocalFetcher                         string
	Stay                                 bool
	RetryFailed                          *crawler.Reason
	Private                              session.Private
	WindowHosts, RecentLinks, ScopeSeeds int
	NameRule                             crawler.NameRule
	Names                                NameReader
	Shipped                              ShippedReader
	Streams                              bool

	Ledger interface {
		Reader
		Load(context.Context) (crawler.LedgerState, error)
		Commit(*crawler.Changes) error
	}
	Tasks interface {
		Queued(context.Context) (int, error)
	}
	Results     *schedulertest.Queues
	ClockOffset func() time.Duration
}

type shellClock struct{ base, start time.Time }

func (c shellClock) now() time.Time { return c.base.Add(time.Since(c.start)) }

func newShell(ctx context.Context, o shellOptions) (*shell, error) {
	l, err := o.Ledger.Load(ctx)
	if err != nil {
		return nil, err
	}
	s := &shell{o: o, clock: shellClock{time.Now().Round(0), time.Now()}}
	if o.ClockOffset != nil {
		s.clock.base = s.clock.base.Add(o.ClockOffset())
	}
	if l.Clock.After(s.clock.base) {
		s.clock.base = l.Clock.Round(0)
	}
	s.core, err = New(Options{
		Job: o.Job, Said: o.Said, LocalFetcher: o.LocalFetcher, Stay: o.Stay, RetryFailed: o.RetryFailed, Private: o.Private, NameRule: o.NameRule, Streams: o.Streams,
		WindowHosts: o.WindowHosts, RecentLinks: o.RecentLinks, ScopeSeeds: o.ScopeSeeds, Read: o.Ledger, Names: o.Names, Shipped: o.Shipped,
		Draw: func(b []byte) { rand.Read(b) }, Jitter: mrand.Float64,
	}, &l, s.clock.now())
	if err != nil {
		return nil, err
	}
	for _, order := range s.core.Start(&l) {
		if err := s.carryOut(ctx, order); err != nil {
			return nil, err
		}
	}
	s.publishStatus()
	return s, nil
}

// gathered is what a step is made of.
type gathered struct {
	asks   []crawler.Ask
	parts  []crawler.LoggedPart
	seeds  []*Seeding
	placed []*Placed
	tick   bool
}

// seeding is a step's seeds; last says that those of the start are whole.
func seeding(last bool, seeds ...Seed) gathered {
	return gathered{seeds: []*Seeding{{Seeds: seeds, Last: last}}}
}

func (s *shell) events() Events {
	return Events{Now: s.clock.now(), Fetchers: s.fetchers, Stopping: s.stopping, StreamFull: s.full}
}

// runStep makes a step and commits it.
func (s *shell) runStep(ctx context.Context, g *gathered) (Effects, error) {
	e := s.events()
	e.Asks, e.Parts, e.Seeds, e.Placed = g.asks, g.parts, g.seeds, g.placed
	if g.tick {
		last, _ := s.o.Results.Last(ctx)
		e.Tick = &Tick{Last: &last, Queued: s.queued(ctx, e.Now)}
	}
	st, err := s.core.Step(&e)
	if err != nil {
		return Effects{}, err
	}
	unsent := s.core.state.unsent
	out, err := s.commit(st)
	s.core.state.unsent = unsent // the queue takes all at once
	return out, err
}

// queued asks the task queue how much it holds, where a step wants to know.
func (s *shell) queued(ctx context.Context, now time.Time) *int {
	if !s.core.Overdue(now) {
		return nil
	}
	n, err := s.o.Tasks.Queued(ctx)
	if err != nil {
		return nil
	}
	return &n
}

func (s *shell) commit(st *Step) (Effects, error) {
	if c := st.Changes(); c != nil {
		if err := s.o.Ledger.Commit(c); err != nil {
			return Effects{}, err
		}
	}
	out := s.core.Committed(st)
	s.publishStatus()
	return out, nil
}

// carryOut makes the steps of an order.
func (s *shell) carryOut(ctx context.Context, o Order) error {
	for e := s.events(); ; {
		e.Order = o
		st, err := s.core.Step(&e)
		if err == nil {
			_, err = s.commit(st)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || st.Done() {
			return err
		}
	}
}

func (s *shell) change(ctx context.Context, c *crawler.Change) (refused, err error) {
	order, refused := s.core.Change(c)
	if refused != nil {
		return refused, nil
	}
	return nil, s.carryOut(ctx, order)
}

func (s *shell) publishStatus() {
	if s.core.state.scope == nil {
		return // of a repair
	}
	s.told = s.core.Status(s.clock.now())
	s.notice.Store(s.core.Notice(s.notice.Load()))
}

func (s *shell) Status() crawler.Status                  { return s.told }
func (s *shell) SetFetchers(all []crawler.FetcherStatus) { s.fetchers = all }
func (s *shell) Stop()                                   { s.stopping = true }

// newStep begins a step of this moment.
func (s *shell) newStep() *Step {
	s.core.state.fetchers.See(s.fetchers)
	return s.core.newStep(s.clock.now())
}

// seal commits a step that was made by hand.
func (s *shell) seal(st *Step) error {
	if st.seal(); st.err != nil {
		return st.err
	}
	_, err := s.commit(st)
	return err
}

// repairLedger repairs a ledger that nobody schedules.
func repairLedger(ctx context.Context, l *schedulertest.Ledger, lost Lost) (again int64, err error) {
	loaded, err := l.Load(ctx)
	if err != nil {
		return 0, err
	}
	now := crawler.MaxTime(time.Now(), loaded.Clock)
	s := &shell{core: AtRest(l, &loaded, now), o: shellOptions{Ledger: l}, clock: shellClock{now.Round(0), time.Now()}}
	return again, s.carryOut(ctx, Repair(lost, &again))
}

func mustURL(s string) weburl.URL { return weburl.MustParse(s) }
