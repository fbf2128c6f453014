package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// Options of a scheduler. Ledger, Index, Tasks, Results and Job are needed; zero values of the others are
// their defaults.
type Options struct {
	Job crawler.Job
	// Said names the settings of Job that count where the ledger holds a job already; the others stay as they are there.
	// nil = all.
	Said    crawler.Said
	Ledger  Ledger
	Index   Index
	Tasks   Tasks
	Results Results

	// LocalFetcher is the name of the fetcher in the scheduler's own process, "" for none. Turns that it
	// held when the process died lapse at once.
	LocalFetcher string
	// Stay keeps the job open for more seeds when everything is done.
	Stay bool
	// RetryFailed lets URLs that failed with this reason ("" = any) wait again; nil = none.
	RetryFailed *crawler.Reason
	// Private are cookies and logins of the user's. They stay in the ledger, so later starts need not give them again.
	Private session.Private
	// FrontHosts and RecentLinks bound memory; 0 = DefaultFrontHosts, DefaultRecentLinks.
	FrontHosts, RecentLinks int
	// ScopeSeeds is how many seeds of the scope are kept in memory; 0 = crawler.MaxScopeSeeds. The others are looked up.
	ScopeSeeds int
	Logger     *slog.Logger
	// Stream reads along; nil = nobody. One that is slow slows the job down, and nothing piles up.
	Stream Stream
	// ClockOffset is added to the wall clock at the start, for tests that move it. nil = nothing.
	ClockOffset func() time.Duration
	// Names and Bodies give bodies their names as files, NameRule says which names are one; nil = bodies get none. Both or
	// neither is set.
	Names    NameReader
	Bodies   Bodies
	NameRule crawler.NameRule
	// Shipped notes which files of other machines rows point into; nil = nobody asks.
	Shipped ShippedReader
	// Fault is called after a change of the kind was committed: "offer", "grant", "settle", "lapse"; "place" comes
	// when bodies have their names and before that is committed. For tests that inject faults.
	Fault func(step string)
}

// Limits of the loop.
const (
	// maxAsks is how many asks go into one step.
	maxAsks = 1024
	// maxParts is how many parts go into one step; the queue bounds their bytes.
	maxParts = 256
	// tick is how often leases, publications and rates are looked at.
	tick = 200 * time.Millisecond
	// republishAfter: an offered turn that nobody asked for is published again, if the queue has lost it.
	republishAfter = 60 * time.Second
)

// Scheduler keeps the frontier of one job and decides who may ask which host. Its methods are safe for
// concurrent use; Run is called once.
type Scheduler struct {
	o   Options
	log *slog.Logger

	clock clock
	state *state // owned by the loop once Run is called

	asks    chan askEvent
	seeds   chan seedEvent
	changes chan changeEvent
	parts   chan []crawler.LoggedPart
	placed  chan placed
	effect  chan effects
	poke    chan struct{}

	stop     atomic.Bool
	fetchers atomic.Pointer[[]crawler.FetcherStatus]
	silent   atomic.Pointer[map[string]time.Time] // of fetchers whose network is away: since when
	notice   atomic.Pointer[crawler.JobNotice]
	status   atomic.Pointer[crawler.Status]
	rates    rates
	gone     chan struct{}  // closed when Run has returned
	done     chan struct{}  // closed when the job is done
	quiet    chan struct{}  // closed when stopping and no turn is held
	garbled  rate.Sometimes // for the log: whoever sends parts that cannot be read may go on with it
	start    uint64         // position the result log is read from
}

type askEvent struct {
	ask   crawler.Ask
	reply chan crawler.Answer
}

type seedEvent struct {
	seeds    []Seed
	last     bool
	done     chan struct{}
	admitted *Admitted // what came of them; nil = nobody asks
	refused  *error
}

// effects leave after a commit; they are hints, made again from the ledger when they are lost.
type effects struct {
	tasks []crawler.Task
	bytes int // of the tasks
	purge uint64
}

func (o *Options) maxScopeSeeds() int {
	if o.ScopeSeeds > 0 {
		return o.ScopeSeeds
	}
	return crawler.MaxScopeSeeds
}

// New reads the ledger and makes the scheduler of its job. It refuses a ledger of another job
// ([ErrOtherJob]). Limits that changed since the last run are applied before it returns.
func New(ctx context.Context, o Options) (*Scheduler, error) {
	if o.Ledger == nil || o.Index == nil || o.Tasks == nil || o.Results == nil {
		return nil, errors.New("scheduler: Ledger, Index, Tasks and Results are needed")
	}
	if err := o.checkNames(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	loaded, err := o.Ledger.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	s := &Scheduler{
		o: o, log: o.Logger, clock: newClock(loaded.Clock, o.ClockOffset), start: loaded.Position,
		asks: make(chan askEvent, maxAsks), seeds: make(chan seedEvent), changes: make(chan changeEvent), parts: make(chan []crawler.LoggedPart), placed: make(chan placed),
		effect: make(chan effects), poke: make(chan struct{}, 1), garbled: rate.Sometimes{Interval: time.Minute},
		gone: make(chan struct{}), done: make(chan struct{}), quiet: make(chan struct{}),
	}
	if s.state, err = s.resume(&loaded); err != nil {
		return nil, err
	}
	if loaded.Recall {
		if err := s.recall(&loaded); err != nil {
			return nil, err
		}
	}
	if err := s.takeBackOversized(ctx); err != nil {
		return nil, err
	}
	if err := s.beCareful(); err != nil {
		return nil, err
	}
	if err := s.takePrivate(o.Private); err != nil {
		return nil, fmt.Errorf("take over cookies and logins: %w", err)
	}
	s.traceHeld()
	s.publishNotice()
	s.publishStatus()
	return s, nil
}

// ErrOtherJob says that a ledger holds a job that these settings do not continue.
var ErrOtherJob = errors.New("this directory holds another job")

// resume makes the state from what the ledger holds.
func (s *Scheduler) resume(l *crawler.LedgerState) (*state, error) {
	now := s.clock.now()
	st := &state{
		job: l.State, work: l.Work, life: l.Life, tallies: l.Tallies.Clone(),
		turns: make(map[weburl.Host]*turn), domains: newDomainCache(), hosts: &hostCache{m: make(map[weburl.Host]*crawler.HostState)},
		front: newFront(s.o.FrontHosts), recent: newRecent(max(s.o.RecentLinks, DefaultRecentLinks)),
		streams: s.o.Stream != nil, owed: l.Owed.Last,
		position: l.Position, sequence: l.Sequence, epoch: mrand.Uint64() >> 1, startedAt: now, away: make(map[weburl.Host]struct{}), ran: l.Ran, ranAt: now, ranStored: l.Ran, quiet: l.Quiet, settled: make(map[string]int64),
	}
	if s.o.RecentLinks > 0 {
		st.recent = newRecent(s.o.RecentLinks)
	}
	if err := s.settings(st, l); err != nil {
		return nil, err
	}
	s.nameState(st)
	scope, err := crawler.NewScope(&st.job.Job)
	if err != nil {
		return nil, err
	}
	for _, key := range l.Scope {
		scope.AddKey(key)
	}
	scope.Bound(s.o.maxScopeSeeds(), l.ScopeMore, s.o.Ledger.Opened)
	st.scope, st.guard = scope, weburl.NewAddressGuard(st.job.Job.AllowPrivate, st.job.Job.SeedPrivate)
	st.recover(l.Turns, now, s.o.LocalFetcher)
	return st, nil
}

// Run schedules until the context ends or the ledger fails. When the job is done it goes on answering, so
// that fetchers hear of it; see [Scheduler.Done].
func (s *Scheduler) Run(ctx context.Context) error {
	defer close(s.gone)
	if err := s.begun(); err != nil {
		return err
	}
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return s.readResults(inner) })
	g.Go(func() error { return s.runEffects(inner) })
	g.Go(func() error { return s.loop(inner) })
	g.Go(func() error { return s.place(inner) })
	if err := g.Wait(); err != nil && !errors.Is(err, ctx.Err()) {
		return err
	}
	return s.ended()
}

// readResults hands the result log to the loop, in order.
func (s *Scheduler) readResults(ctx context.Context) error {
	after := s.start
	for ctx.Err() == nil {
		parts, err := s.o.Results.Read(ctx, after, maxParts)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("the result queue cannot be read, trying again", "error", err)
				wait(ctx, time.Second)
			}
			continue
		}
		if len(parts) == 0 {
			continue
		}
		after = parts[len(parts)-1].Position
		select {
		case s.parts <- parts:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// runEffects publishes turns and purges settled parts, apart from the loop so that a slow queue does not
// hold up answers.
func (s *Scheduler) runEffects(ctx context.Context) error {
	for {
		select {
		case e := <-s.effect:
			if len(e.tasks) > 0 {
				if err := s.o.Tasks.Offer(ctx, e.tasks); err != nil && ctx.Err() == nil {
					s.log.Warn("turns could not be published, they will be again", "turns", len(e.tasks), "error", err)
				}
			}
			if e.purge > 0 {
				if err := s.o.Results.Purge(ctx, e.purge); err != nil && ctx.Err() == nil {
					s.log.Warn("settled parts could not be purged", "position", e.purge, "error", err)
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ask answers a fetcher; the answer leaves after the commit of what it says.
func (s *Scheduler) Ask(ctx context.Context, a crawler.Ask) (crawler.Answer, error) {
	e := askEvent{ask: a, reply: make(chan crawler.Answer, 1)}
	select {
	case s.asks <- e:
	case <-ctx.Done():
		return crawler.Answer{}, ctx.Err()
	}
	select {
	case answer := <-e.reply:
		return answer, nil
	case <-ctx.Done():
		return crawler.Answer{}, ctx.Err()
	}
}

// Notice tells a fetcher the job.
func (s *Scheduler) Notice(context.Context) (crawler.JobNotice, error) { return *s.notice.Load(), nil }

// Status is the newest snapshot, at most a fraction of a second old.
func (s *Scheduler) Status() crawler.Status { return *s.status.Load() }

// Done is closed when the job is done: nothing is left that may be asked for, and that is in the ledger.
func (s *Scheduler) Done() <-chan struct{} { return s.done }

// Quiet is closed once the scheduler was told to stop and no turn is held any more.
func (s *Scheduler) Quiet() <-chan struct{} { return s.quiet }

// Stop makes no more turns and asks fetchers to end theirs; the job goes on at the next start.
func (s *Scheduler) Stop() {
	s.stop.Store(true)
	s.wake()
}

// SetFetchers says which fetchers there are; their slots are the credit.
func (s *Scheduler) SetFetchers(f []crawler.FetcherStatus) {
	s.noteSilence(f)
	s.fetchers.Store(&f)
	s.wake()
}

func (s *Scheduler) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// Seed admits seeds; they are durable when it returns nil. last says that the seeds given at the start are
// whole: the job cannot be done before.
func (s *Scheduler) Seed(ctx context.Context, seeds []Seed, last bool) error {
	_, err := s.admit(ctx, seeds, last)
	return err
}

// Add admits seeds that come later, and tells what became of them. They are durable when it returns nil; with an error none of
// them was taken. [ErrEnding] says that the job will not take any.
func (s *Scheduler) Add(ctx context.Context, seeds []Seed) (Admitted, error) {
	return s.admit(ctx, seeds, false)
}

// Admitted is what became of seeds.
type Admitted struct {
	New     int64
	Known   int64 // were there before
	Refused int64 // by --exclude, for their length, or for a name whose hash another has
}

// ErrEnding says that it was found that the job is done, or that the scheduler has stopped.
var ErrEnding = errors.New("the job is at its end")

func (s *Scheduler) admit(ctx context.Context, seeds []Seed, last bool) (Admitted, error) {
	var refused error
	e := seedEvent{seeds: seeds, last: last, done: make(chan struct{}), admitted: new(Admitted), refused: &refused}
	select {
	case s.seeds <- e:
	case <-s.gone:
		return Admitted{}, ErrEnding
	case <-ctx.Done():
		return Admitted{}, ctx.Err()
	}
	select { // not the end of ctx: whoever asks is to hear what the loop does with them
	case <-e.done:
		return *e.admitted, refused
	case <-s.gone:
	}
	select {
	case <-e.done:
		return *e.admitted, refused
	default:
		return Admitted{}, ErrEnding
	}
}

func (s *Scheduler) newStep() *step {
	return &step{
		now: s.clock.now(), s: s.state, read: s.o.Ledger, jitter: mrand.Float64,
		draw:    func(id *[16]byte) { rand.Read(id[:]) }, // never fails since Go 1.24
		tallies: s.state.tallies.Clone(), sequence: s.state.sequence, owed: s.state.owed,
		hosts: make(map[weburl.Host]*hostEdit), rows: make(map[weburl.URLKey]*rowEdit), domains: make(map[string]*session.DomainState), turns: make(map[weburl.Host]*turn),
		names: make(map[weburl.HostKey]weburl.Host), tracing: s.tracing(),
		given: given{holders: make(map[string]weburl.URL), dirs: make(map[string]bool)},
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
