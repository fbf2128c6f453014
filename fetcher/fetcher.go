package fetcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/fetcher/download"
	"trawl/fetcher/engine"
	"trawl/fetcher/trouble"
)

const (
	// DefaultWorkers is how many turns a fetcher works on at once.
	DefaultWorkers = 1024
	// DefaultIdle is how many idle connections a fetcher keeps between turns.
	DefaultIdle = 512
	// takers is how many tasks are asked for at the same time; each asks for one that has a slot already.
	takers = 4
	// askTimeout is how long an answer is waited for before the question is put again.
	askTimeout = 5 * time.Second
	// askAgain is the pause after a question without an answer.
	askAgain = time.Second
	// firstAgain is the first of these pauses at a start, where the scheduler may be a moment behind.
	firstAgain = 30 * time.Millisecond
	// askPatience is how long the first question for a turn is repeated. By then the task queue hands the
	// task out again.
	askPatience = 30 * time.Second
	// noticeInterval is how often the job is looked at while nobody says that something changed.
	noticeInterval = 10 * time.Second
	// stopGrace is how long exchanges may go on after the end was asked for; then they are cut, and their
	// URLs go back to the frontier.
	stopGrace = 5 * time.Second
	// lastGrace is how long the last parts may take after that.
	lastGrace = 10 * time.Second
)

// Steps of a turn at which Options.Step is called, each right after what it names.
const (
	StepTake    = "take"    // a task was taken
	StepGrant   = "grant"   // its turn was granted
	StepRequest = "request" // a request was sent and its exchange is over
	StepArchive = "archive" // what a part names is durable in the archive
	StepPart1   = "part1"   // the first part is stored
	StepLast    = "last"    // the last part is stored
)

// Options of a fetcher. Fields without a remark must be set.
type Options struct {
	Name      string // of this member, in asks, parts and rows
	Workers   int    // turns at once; 0 = DefaultWorkers
	Idle      int    // connections kept between two turns of a host; 0 = DefaultIdle, less = none
	Tasks     Tasks
	Scheduler Scheduler
	Reports   Reports
	Archive   Archive
	SpoolDir  string // for bodies too large for memory; this fetcher's alone, made and emptied by New
	// PartialDir is for bodies that were interrupted and can be resumed; this fetcher's alone, on the file
	// system of the archive, kept over restarts. "" = such bodies start from byte 0.
	PartialDir string
	// Proxy returns the proxy for a URL, nil for none. Its own address is reached whatever it is; what a proxy
	// leads to is guarded only as far as URLs spell it. nil = no proxy at all.
	Proxy func(*url.URL) (*url.URL, error)
	Stay  bool // wait for the next job when one is done
	// Kill, when it ends, stops everything at once: exchanges are cut and nothing more is sent. nil = never.
	Kill   context.Context
	Logger *slog.Logger    // nil = none
	Engine download.Engine // that pages go through; nil = colly without callbacks
	// ClockOffset is added to the wall clock by which leases end, for tests that move it. nil = nothing. Safe for
	// concurrent use.
	ClockOffset func() time.Duration
	// Step is called at the steps of each turn, for tests that inject faults. nil = not called. Safe for
	// concurrent use.
	Step func(step string)
}

func (o *Options) validate() error {
	var problems []error
	need := func(ok bool, what string) {
		if !ok {
			problems = append(problems, errors.New("fetcher: "+what))
		}
	}
	need(o.Name != "", "Name is missing")
	need(o.Workers >= 0, "Workers must not be negative")
	need(o.Tasks != nil, "Tasks is missing")
	need(o.Scheduler != nil, "Scheduler is missing")
	need(o.Reports != nil, "Reports is missing")
	need(o.Archive != nil, "Archive is missing")
	need(o.SpoolDir != "", "SpoolDir is missing")
	return errors.Join(problems...)
}

// Fetcher works on turns. Its methods are safe for concurrent use; Run is called once.
type Fetcher struct {
	Options

	download *download.Downloader
	open     func(download.SiteOptions) site // how a turn reaches its host; replaced in tests
	margin   time.Duration                   // maxMargin; none in tests of exact gaps
	slots    *trouble.Slots                  // one for each turn
	look     chan struct{}                   // one slot: the notice should be read
	done     chan struct{}                   // one slot: an answer said that the job is over
	drained  chan struct{}                   // closed by Drain
	drain    sync.Once

	bandwidth *rate.Limiter // of the bodies of all turns; its limit follows the job's

	unsent backlog       // of the reports of all turns
	disk   *trouble.Disk // that bodies go to

	network *trouble.Network // ours

	busy  atomic.Int64
	pages atomic.Int64

	view atomic.Pointer[view]

	reading chan struct{} // one slot: taken while the notice is read, so that one reading serves all
	asked   time.Time     // when it was last asked for; owned by who has the slot, as is askErr
	askErr  error         // how that ended
}

// New checks the options, with every problem at once, and makes a fetcher. It starts nothing.
func New(o Options) (*Fetcher, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Step == nil {
		o.Step = func(string) {}
	}
	if o.Engine == nil {
		o.Engine = engine.NewColly(nil, o.Logger)
	}
	if o.Kill == nil {
		o.Kill = context.Background()
	}
	f := &Fetcher{
		Options: o, margin: maxMargin,
		slots: trouble.NewSlots(o.Workers, o.Logger), disk: trouble.NewDisk(o.SpoolDir, o.Logger),
		look: make(chan struct{}, 1), done: make(chan struct{}, 1), drained: make(chan struct{}), reading: make(chan struct{}, 1),
	}
	f.network = trouble.NewNetwork(o.Logger, f.patience, f.slots.Single)
	f.bandwidth = rate.NewLimiter(rate.Inf, crawler.MinBandwidth)
	d, err := download.New(download.Options{
		Archive: o.Archive, Engine: o.Engine, SpoolDir: o.SpoolDir, PartialDir: o.PartialDir, Backlog: &f.unsent,
		Bandwidth: f.bandwidth, Proxy: o.Proxy, Heard: f.network.Heard, Idle: max(0, o.Idle), Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("fetcher: %w", err)
	}
	f.download = d
	f.open = func(o download.SiteOptions) site { return downloadSite{d.Site(o)} }
	return f, nil
}

// Slots is how many turns the fetcher works on at once, now.
func (f *Fetcher) Slots() int {
	c, _ := f.Condition()
	return c.Slots
}

// Condition is how a fetcher fares.
type Condition struct {
	Slots  int           // turns at once, now
	Silent time.Duration // for how long nothing has come from outside while its network is away; 0 when it is not
}

// Condition is how the fetcher fares, and a channel that is closed when that changes.
func (f *Fetcher) Condition() (Condition, <-chan struct{}) {
	slots, moved := f.slots.Now()
	return Condition{Slots: slots, Silent: f.network.Silence()}, moved
}

// patience is how long the network may be away by mere silence: as long as a host may.
func (f *Fetcher) patience() time.Duration {
	if v := f.view.Load(); v != nil {
		return max(v.Job.HostPatience, trouble.NetworkPatience)
	}
	return crawler.DefaultHostPatience
}

// Busy is how many turns it works on now.
func (f *Fetcher) Busy() int { return int(f.busy.Load()) }

// Pages is how many URLs it has fetched since its start, whatever their outcome.
func (f *Fetcher) Pages() int64 { return f.pages.Load() }

// Look makes the fetcher read the job's notice now, because the gossip says that something changed.
func (f *Fetcher) Look() { poke(f.look) }

// Drain makes the fetcher take no more turns; Run returns nil when those it has are over. It may be called again.
func (f *Fetcher) Drain() { f.drain.Do(func() { close(f.drained) }) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run works on turns until the job is over (with Stay: on every job that comes), Drain is called, the context ends, or the
// task queue fails for good, which is the only error besides the context's. When the context ends, turns
// finish the exchange under way, for stopGrace at most, and send their last part.
func (f *Fetcher) Run(ctx context.Context) error {
	for {
		if err := f.await(ctx); err != nil {
			return f.ending(err)
		}
		if f.left() || f.view.Load().Done && !f.Stay {
			return nil
		}
		if err := f.serve(ctx); err != nil {
			return f.ending(err)
		}
		if !f.Stay || f.left() {
			return nil
		}
	}
}

// left reports whether Drain was called.
func (f *Fetcher) left() bool {
	select {
	case <-f.drained:
		return true
	default:
		return false
	}
}

// ending wraps what Run ends with, unless it is the context's own.
func (f *Fetcher) ending(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("take a task: %w", err)
}

// await reads the notice until there is a job to work for, or one that is done when nothing else is
// waited for.
func (f *Fetcher) await(ctx context.Context) error {
	warned := false
	for again := firstAgain; ; again = min(2*again, askAgain) {
		err := f.refresh(ctx, time.Now())
		switch v := f.view.Load(); {
		case err != nil && !warned && again == askAgain:
			f.Logger.Warn("the scheduler does not answer", "error", err)
			warned = true
		case err == nil && (!v.Done || !f.Stay):
			return nil
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-f.Kill.Done():
			timer.Stop()
			return f.Kill.Err()
		case <-f.drained:
			timer.Stop()
			return nil
		case <-f.look:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// serve takes and works on turns until the job is over (nil), the context ends or the queue fails. Turns
// under way are finished before it returns.
func (f *Fetcher) serve(ctx context.Context) error {
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(f.Kill, cut)()
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(hard, end)()
	taking, stop := context.WithCancel(ctx)
	defer stop()

	var turns, loops sync.WaitGroup
	failed := make(chan error, takers)
	for range min(takers, f.Workers) {
		loops.Go(func() {
			if err := f.take(taking, ctx, hard, &turns); err != nil {
				failed <- err
			}
		})
	}
	err := f.watch(taking, failed)
	stop()
	loops.Wait()
	turns.Wait()
	f.download.CloseIdle()
	if err == nil {
		return nil
	}
	if f.Kill.Err() != nil {
		return f.Kill.Err()
	}
	return err
}

// watch waits for what ends the work on a job: nil when the job is over.
func (f *Fetcher) watch(ctx context.Context, failed <-chan error) error {
	ticker := time.NewTicker(noticeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-f.done:
			return nil
		case <-f.drained:
			return nil
		case <-ticker.C:
		case <-f.look:
		}
		if f.refresh(ctx, time.Now()) == nil && f.view.Load().Done {
			return nil
		}
	}
}

// take hands tasks to turns, each with a slot that was free before it was asked for. It returns nil when
// the context ends.
func (f *Fetcher) take(taking, ctx, hard context.Context, turns *sync.WaitGroup) error {
	for {
		f.disk.Wait(taking)
		if !f.slots.Take(taking) {
			return nil
		}
		f.network.Wait(taking)
		d, err := f.Tasks.Next(taking)
		if err != nil {
			f.slots.Give()
			if taking.Err() != nil {
				return nil
			}
			return err
		}
		f.Step(StepTake)
		f.busy.Add(1)
		turns.Go(func() {
			defer func() {
				f.busy.Add(-1)
				f.slots.Give()
			}()
			f.work(ctx, hard, d)
		})
	}
}
