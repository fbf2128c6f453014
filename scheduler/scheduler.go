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
	"trawl/scheduler/core"
)

// Options of a scheduler. Ledger, Tasks, Results and Job are needed; zero values of the others are
// their defaults.
type Options struct {
	Job crawler.Job
	// Said names the settings of Job that count where the ledger holds a job already; the others stay as they are there.
	// nil = all.
	Said    crawler.Said
	Ledger  Ledger
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
	// WindowHosts and RecentLinks bound memory; 0 = as package memory has it.
	WindowHosts, RecentLinks int
	// ScopeSeeds is how many seeds of the scope are kept in memory; 0 = crawler.MaxScopeSeeds. The others are looked up.
	ScopeSeeds int
	Logger     *slog.Logger
	// Stream reads along; nil = nobody. One that is slow slows the job down, and nothing piles up.
	Stream Stream
	// ClockOffset is added to the wall clock at the start, for tests that move it. nil = nothing.
	ClockOffset func() time.Duration
	// Names and Bodies give bodies their names as files, NameRule says which names are one; nil = bodies get none. Both or
	// neither is set.
	Names    BodyNames
	Bodies   Bodies
	NameRule crawler.NameRule
	// Shipped notes which files of other machines rows point into; nil = nobody asks.
	Shipped core.ShippedReader
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
)

// Scheduler keeps the frontier of one job and decides who may ask which host. Its methods are safe for
// concurrent use; Run is called once.
type Scheduler struct {
	o       Options
	log     *slog.Logger
	clock   clock
	start   uint64            // position the result log is read from
	effect  chan core.Effects // from the loop to the queues
	placing *placing          // from the loop to the file work
	inbox
	told
	shown

	// Owned by the loop once Run is called.
	writer
	unripe  []askEvent // of turns that are not settled as far as the asks know
	rates   rates
	garbled rate.Sometimes // for the log: a member that sends parts that cannot be read may continue to
}

// inbox is what comes to the loop.
type inbox struct {
	asks    chan askEvent
	seeds   chan seedEvent
	changes chan changeEvent
	parts   chan []crawler.LoggedPart
	placed  chan placedEvent
	poke    chan struct{} // something was set
}

// told is set by callers and read by the loop.
type told struct {
	stop     atomic.Bool
	fetchers atomic.Pointer[[]crawler.FetcherStatus]
	silent   atomic.Pointer[map[string]time.Time] // of fetchers whose network is away: since when
}

// shown is set by the loop and read by callers.
type shown struct {
	notice atomic.Pointer[crawler.JobNotice]
	status atomic.Pointer[crawler.Status]
	gone   chan struct{} // closed when Run has returned
	done   chan struct{} // closed when the job is done
	quiet  chan struct{} // closed when stopping and no turn is held
}

// writer commits the steps of a core. It alone writes the ledger.
type writer struct {
	core   *core.Core
	ledger Ledger
}

// step makes a step and commits it. An error is the ledger's, and final.
func (w *writer) step(e *core.Events) (st *core.Step, out core.Effects, err error) {
	if st, err = w.core.Step(e); err != nil {
		return nil, core.Effects{}, err
	}
	if c := st.Changes(); c != nil {
		if err := w.ledger.Commit(c); err != nil {
			return nil, core.Effects{}, fmt.Errorf("write ledger: %w", err)
		}
	}
	return st, w.core.Committed(st), nil
}

// carryOut makes the steps of an order.
func (w *writer) carryOut(ctx context.Context, o core.Order, e core.Events, log *slog.Logger) error {
	for e.Order = o; ; {
		st, out, err := w.step(&e)
		if err == nil {
			tell(log, out.Log)
			err = ctx.Err()
		}
		if err != nil || st.Done() {
			return err
		}
	}
}

// tell writes lines into the log.
func tell(log *slog.Logger, lines []core.Line) {
	for _, l := range lines {
		log.Log(context.Background(), l.Level, l.Text, l.Args...)
	}
}

type askEvent struct {
	ask   crawler.Ask
	reply chan crawler.Answer
}

type seedEvent struct {
	*core.Seeding
	done chan struct{} // closed when they are durable, or refused
}

// New reads the ledger and makes the scheduler of its job. It refuses a ledger of another job
// ([ErrOtherJob]). Limits that changed since the last run are applied before it returns.
func New(ctx context.Context, o Options) (*Scheduler, error) {
	if o.Ledger == nil || o.Tasks == nil || o.Results == nil {
		return nil, errors.New("scheduler: Ledger, Tasks and Results are needed")
	}
	if (o.Bodies == nil) != (o.Names == nil) {
		return nil, errors.New("scheduler: Names and Bodies go together")
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
		effect: make(chan core.Effects), placing: newPlacing(o.Names), garbled: rate.Sometimes{Interval: time.Minute},
		inbox: inbox{
			asks: make(chan askEvent, maxAsks), seeds: make(chan seedEvent), changes: make(chan changeEvent), parts: make(chan []crawler.LoggedPart),
			placed: make(chan placedEvent), poke: make(chan struct{}, 1),
		},
		shown: shown{gone: make(chan struct{}), done: make(chan struct{}), quiet: make(chan struct{})},
	}
	c, err := core.New(o.core(), &loaded, s.clock.now())
	if err != nil {
		return nil, err
	}
	s.writer = writer{core: c, ledger: o.Ledger}
	for _, order := range c.Start(&loaded) {
		if err := s.carryOut(ctx, order); err != nil {
			return nil, err
		}
	}
	s.publishNotice()
	s.publishStatus()
	return s, nil
}

// core are the options of the core.
func (o *Options) core() core.Options {
	c := core.Options{
		Job: o.Job, Said: o.Said, LocalFetcher: o.LocalFetcher, Stay: o.Stay, RetryFailed: o.RetryFailed, Private: o.Private, NameRule: o.NameRule,
		Streams: o.Stream != nil, WindowHosts: o.WindowHosts, RecentLinks: o.RecentLinks, ScopeSeeds: o.ScopeSeeds,
		Read: o.Ledger, Shipped: o.Shipped,
		Draw: func(b []byte) { rand.Read(b) }, Jitter: mrand.Float64, // Read never fails since Go 1.24
	}
	if o.Names != nil {
		c.Names = o.Names
	}
	return c
}

// carryOut makes the steps of an order.
func (s *Scheduler) carryOut(ctx context.Context, o core.Order) error {
	return s.writer.carryOut(ctx, o, s.events(), s.log)
}

// events are those of a step of this moment.
func (s *Scheduler) events() core.Events {
	return core.Events{
		Now: s.clock.now(), Fetchers: s.present(), Stopping: s.stop.Load(), StreamFull: s.o.Stream != nil && s.o.Stream.Full(),
		Trace: s.log.Enabled(context.Background(), slog.LevelDebug),
	}
}

// Repair lets the rows wait again whose records are lost, and takes their hosts up again, in a ledger that
// nobody schedules; the next run of the job fetches them. Robots files only forget their record. It returns
// how many rows wait again that were done. It may be cut off anywhere, and called again.
func Repair(ctx context.Context, l Ledger, lost Lost) (again int64, err error) {
	loaded, err := l.Load(ctx)
	if err != nil {
		return 0, fmt.Errorf("read ledger: %w", err)
	}
	now := newClock(loaded.Clock, nil).now()
	w := writer{core: core.AtRest(l, &loaded, now), ledger: l}
	if err := w.carryOut(ctx, core.Repair(lost, &again), core.Events{Now: now}, slog.New(slog.DiscardHandler)); err != nil {
		return again, fmt.Errorf("repair: %w", err)
	}
	return again, nil
}

// Run schedules until the context ends or the ledger fails. When the job is done it goes on answering, so
// that fetchers hear of it; see [Scheduler.Done].
func (s *Scheduler) Run(ctx context.Context) error {
	defer close(s.gone)
	if err := s.carryOut(context.WithoutCancel(ctx), core.Running(true)); err != nil {
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
	return s.carryOut(context.WithoutCancel(ctx), core.Running(false))
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
			if len(e.Tasks) > 0 {
				if err := s.o.Tasks.Offer(ctx, e.Tasks); err != nil && ctx.Err() == nil {
					s.log.Warn("turns could not be published, they will be again", "turns", len(e.Tasks), "error", err)
				}
			}
			if e.Purge > 0 {
				if err := s.o.Results.Purge(ctx, e.Purge); err != nil && ctx.Err() == nil {
					s.log.Warn("settled parts could not be purged", "position", e.Purge, "error", err)
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

// Notice gives a fetcher the job.
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

func (s *Scheduler) admit(ctx context.Context, seeds []Seed, last bool) (Admitted, error) {
	e := seedEvent{&core.Seeding{Seeds: seeds, Last: last}, make(chan struct{})}
	select {
	case s.seeds <- e:
	case <-s.gone:
		return Admitted{}, ErrEnding
	case <-ctx.Done():
		return Admitted{}, ctx.Err()
	}
	select { // not the end of ctx: whoever asks is to hear what the loop does with them
	case <-e.done:
		return e.Admitted, e.Refused
	case <-s.gone:
	}
	select {
	case <-e.done:
		return e.Admitted, e.Refused
	default:
		return Admitted{}, ErrEnding
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
