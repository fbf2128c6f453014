package core

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/names"
)

// Options are the settings of a core. Job and Read are needed; zero values of the others are their defaults.
type Options struct {
	Job          crawler.Job
	Said         crawler.Said    // settings of Job that count where the ledger holds a job; nil = all
	LocalFetcher string          // fetcher of this process, "" for none
	Stay         bool            // the job stays open for more seeds
	RetryFailed  *crawler.Reason // URLs that failed with it wait again; nil = none
	Private      session.Private // cookies and logins that the user gives
	NameRule     crawler.NameRule
	Streams      bool // somebody reads along

	WindowHosts, RecentLinks, ScopeSeeds int // bounds of memory

	Read    Reader
	Names   NameReader    // nil = bodies get no names
	Shipped ShippedReader // nil = files that are shipped are not noted

	Draw   func([]byte)   // fills it with random bytes
	Jitter func() float64 // of [0,1)
}

// Core decides. It holds a copy of the newest committed state, as far as that is kept in memory, and makes each change a step:
// [Core.Step] works a step out of what has come, its owner commits [Step.Changes], and [Core.Committed] takes it over and gives what
// may leave now. A step that could not be made or committed ends the core: a new one begins from the ledger. One goroutine owns it.
type Core struct {
	o     Options
	state *state
}

// ErrOtherJob says that a ledger holds a job that these settings do not continue.
var ErrOtherJob = errors.New("this directory holds another job")

// New makes the core of a ledger's job. It refuses a ledger of another job ([ErrOtherJob]). The orders of [Core.Start] come before
// all else.
func New(o Options, l *crawler.LedgerState, now time.Time) (*Core, error) {
	c := &Core{o: o}
	s := newState(&o, l, now)
	c.state = s
	if err := c.settings(l); err != nil {
		return nil, err
	}
	if o.Names != nil && s.job.Job.Archive == crawler.ArchiveFiles {
		s.names = names.NewBook(o.Names, *s.job.Names)
	}
	scope, err := crawler.NewScope(&s.job.Job)
	if err != nil {
		return nil, err
	}
	for _, key := range l.Scope {
		scope.AddKey(key)
	}
	most := crawler.MaxScopeSeeds
	if o.ScopeSeeds > 0 {
		most = o.ScopeSeeds
	}
	scope.Bound(most, l.ScopeMore, o.Read.Opened)
	s.scope, s.guard = scope, weburl.NewAddressGuard(s.job.Job.AllowPrivate, s.job.Job.SeedPrivate)
	s.recover(l.Turns, now, o.LocalFetcher)
	return c, nil
}

// Start are the orders that a life begins with.
func (c *Core) Start(l *crawler.LedgerState) []Order {
	orders := []Order{storeSettings}
	if l.Recall {
		orders = append(orders, recall(&l.State.Job))
	}
	return append(orders, takeBackOversized, beCareful, takePrivate(c.o.Private), traceHeld)
}

// Order is something that is done alone, in as many steps as it takes, some hundred records each; done says that it was the last.
type Order func(*Step) (done bool)

// Events are what a step is made of: what has come since the one before, and how things stand at its moment. They count in the order of
// the fields.
type Events struct {
	Now        time.Time
	Fetchers   []crawler.FetcherStatus // that there are
	Stopping   bool
	StreamFull bool // no row can be handed over
	Trace      bool // each right is to be told in the log

	Order  Order // with it nothing else is done
	Parts  []crawler.LoggedPart
	Seeds  []*Seeding
	Placed []*Placed
	Tick   *Tick
	Asks   []crawler.Ask
}

// Seeding are seeds that are to be admitted.
type Seeding struct {
	Seeds    []Seed
	Last     bool     // those of the start are whole
	Admitted Admitted // what became of them
	Refused  error    // ErrEnding: none was taken
}

// Admitted is what became of seeds.
type Admitted struct {
	New     int64
	Known   int64 // were there before
	Refused int64 // by exclude, for their length, or for a name whose hash another has
}

// ErrEnding says that it was found that the job is done, or that the scheduler has stopped.
var ErrEnding = errors.New("the job is at its end")

// Tick lets a step look at leases and publications. What the queues say is of the step's moment or later.
type Tick struct {
	Last      *uint64 // position of the newest part that was stored; nil = not known: no turn lapses
	Queued    *int    // tasks that the queue holds; nil = not known: none is published again
	Delivered uint64  // owed rows up to this number were delivered, 0 = as before
}

// Step works out what a step changes. The changes count once they are committed.
func (c *Core) Step(e *Events) (*Step, error) {
	s := c.state
	s.stopping, s.streamFull = e.Stopping, e.StreamFull
	s.fetchers.See(e.Fetchers)
	st := c.newStep(e.Now)
	st.tracing = e.Trace
	if e.Order != nil {
		st.done = e.Order(st)
	} else {
		st.events(e)
	}
	st.seal()
	return st, st.err
}

func (st *Step) events(e *Events) {
	st.refill()
	s := st.s
	s.advance(st.now)
	s.spare(st.now)
	for i := range e.Parts {
		st.part(&e.Parts[i])
	}
	for _, seeding := range e.Seeds {
		st.seeding(seeding)
	}
	st.admit()
	for _, p := range e.Placed {
		st.applyPlaced(p)
	}
	if !s.stopping {
		st.workOn()
	}
	if e.Tick != nil {
		st.changes.Delivered = e.Tick.Delivered
		st.lapseExpired(e.Tick.Last)
		st.republish(e.Tick.Queued)
		st.listen()
	}
	st.crowded = st.waitsForSlot()
	st.effects.Answers = make([]crawler.Answer, 0, len(e.Asks))
	for i := range e.Asks {
		st.effects.Answers = append(st.effects.Answers, st.grant(&e.Asks[i]))
	}
	st.offerDue(st.credit())
	st.finish()
}

// part settles the next part of the result log.
func (st *Step) part(p *crawler.LoggedPart) {
	st.changes.Position = p.Position
	if p.Err != nil {
		st.tallies.LateParts++
		st.effects.Garbled = p
		return
	}
	st.settle(&p.Part)
}

// seeding takes seeds in, unless the job is over.
func (st *Step) seeding(e *Seeding) {
	if st.s.decided && !e.Last {
		e.Refused = ErrEnding
		return
	}
	for _, one := range e.Seeds {
		st.addSeed(one, &e.Admitted)
	}
	if e.Last {
		st.s.seeded = true
		if !st.s.job.Seeded {
			st.jobState().Seeded = true
		}
	}
}

// Effects are what leaves once a step is committed. Tasks and purges are hints, made again from the ledger when they are lost.
type Effects struct {
	Answers  []crawler.Answer // to the asks, in their order
	Tasks    []crawler.Task
	Purge    uint64              // what of the result log is settled
	Final    []*crawler.Row      // rows for the reader of the stream
	First    uint64              // number of the first of them
	Unplaced []weburl.URLKey     // rows whose names are to be looked at
	Log      []Line              // what people are to know
	Garbled  *crawler.LoggedPart // the last part that could not be read
	Lapsed   bool                // a turn was taken back
}

// Line is a line of the log.
type Line struct {
	Level slog.Level
	Text  string
	Args  []any
}

// say puts a line into the log once the step is committed.
func (st *Step) say(level slog.Level, text string, args ...any) {
	st.effects.Log = append(st.effects.Log, Line{level, text, args})
}

// Committed takes a step over whose changes are in the ledger.
func (c *Core) Committed(st *Step) Effects {
	for _, t := range st.tasks {
		st.effects.Tasks = append(st.effects.Tasks, t.Task)
		t.Task = crawler.Task{} // should nobody ask for the turn, it is made again from the ledger
	}
	e := &st.effects
	e.Purge = st.changes.Position
	if owed := st.changes.Owed; len(owed) > 0 {
		e.First = owed[0].Number
		for _, o := range owed {
			e.Final = append(e.Final, st.rows[o.Key].new)
		}
	}
	for _, u := range st.changes.Names.Unplaced {
		e.Unplaced = append(e.Unplaced, u.Key)
	}
	c.state.applied(st)
	c.state.unsent += st.taskBytes
	if c.state.over() {
		c.state.decided = true
	}
	return st.effects
}

// Sent says that the queue has taken all tasks that left so far.
func (c *Core) Sent() { c.state.unsent = 0 }

// Over reports whether the job was found done, and that is in the ledger.
func (c *Core) Over() bool { return c.state.over() }

// Held is how many turns fetchers hold.
func (c *Core) Held() int { return c.state.turns.Held() }

// Delivered is the number of the last owed row that the ledger knows as delivered.
func (c *Core) Delivered() uint64 { return c.state.delivered }

// Job is the job with its current settings.
func (c *Core) Job() *crawler.Job { return &c.state.job.Job }

// newStep begins a step.
func (c *Core) newStep(now time.Time) *Step {
	s := c.state
	links := s.links
	s.links = nil // the step has the room, until it gives it back
	return &Step{
		now: now, s: s, o: &c.o, read: c.o.Read,
		edits: edits{
			tallies: s.tallies.Clone(), sequence: s.sequence, owed: s.owed, links: links,
			hosts: make(map[weburl.Host]*hostEdit), rows: make(map[weburl.URLKey]*rowEdit), domains: make(map[string]*session.DomainState), turns: make(map[weburl.Host]*credit.Turn),
			names: make(map[weburl.HostKey]weburl.Host),
		},
	}
}

// number draws a random number.
func (o *Options) number() uint64 {
	var b [8]byte
	o.Draw(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// UntilDue is how long the owner may wait with the next step: until the next host is due and there is credit for it.
func (c *Core) UntilDue(now time.Time) time.Duration {
	s := c.state
	due, ok := s.window.Next()
	switch {
	case s.work.Pending() && !s.stopping:
		return 0
	case s.window.Stale():
		return 0
	case !ok || s.stopping || s.job.Paused || s.turns.Len() >= s.mostTurns(), s.unsent >= maxUnsent, s.streamFull:
		return time.Hour
	}
	// The tick bounds the pace at which a limit that leaves no credit is looked at.
	if s.job.Job.Room(&s.tallies) <= 0 {
		return time.Hour
	}
	return max(0, due.Sub(now), s.quietFor(now))
}

// refill reads the next hosts when the window is empty.
func (st *Step) refill() {
	s := st.s
	if !s.window.Stale() {
		return
	}
	hosts, err := st.read.Due(s.window.Size())
	if st.fail(err, "read due hosts"); err == nil {
		s.window.Fill(hosts, s.window.Size())
	}
}
