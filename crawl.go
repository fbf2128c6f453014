package trawl

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"trawl/crawler"
	"trawl/internal/machine"
	"trawl/internal/node"
	"trawl/scheduler"
	"trawl/storage/check"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// Ending is how a run ended.
type Ending = node.Ending

const (
	// Running: it did not end yet.
	Running = node.Running
	// Done: nothing is left that may be asked for.
	Done = node.Done
	// Limited: a limit of the user's was reached; raise it and run again to go on.
	Limited = node.Limited
	// Interrupted: the context ended; run again to go on.
	Interrupted = node.Interrupted
	// Incomplete: nothing is left to be asked for, and bodies that rows point to have not arrived from their fetchers;
	// Crawl.Missing lists them.
	Incomplete = node.Incomplete
)

// Missing is what a fetcher has not shipped, though rows point to it.
type Missing = check.Missing

// Exported is a file that was written at the end.
type Exported struct {
	File string
	Rows int64
}

// Crawl is one job in its directory. Its methods are safe for concurrent use; Run is called once.
type Crawl struct {
	o      Options
	job    Job // current: as it was given, completed by what the directory's job has
	kept   []string
	dir    *crawldir.Dir
	log    *os.File
	ledger *ledger.Ledger
	node   *node.Scheduler

	ending   atomic.Pointer[Ending]
	exported []Exported
	left     []string // exports that an interrupted ending left to the next start
}

// New checks job and options and opens the directory, which it locks until Close. Where the directory holds a job, it
// must be the same one.
func New(job Job, o Options) (*Crawl, error) {
	if err := errors.Join(o.validate(), crawler.UsageError(job.Validate())); err != nil {
		return nil, err
	}
	cluster, err := o.serve()
	if err != nil {
		return nil, err
	}
	c := &Crawl{o: o, job: job}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	stdout := o.Stdout
	if !slices.Contains(o.Exports, "-") {
		stdout = nil
	}
	c.node = node.NewScheduler(node.SchedulerOptions{
		Dir: c.dir, Ledger: c.ledger, Job: c.job, JobText: JobYAML, Rerun: o.rightCommand(c.job.Kind),
		Core:  scheduler.Options{Job: job, Said: o.Said, Stay: o.Stay, RetryFailed: o.RetryFailed, Private: o.Private, RecentLinks: machine.CachesOf(c.o.Memory).Links},
		Seeds: o.Seeds, BadSeed: o.BadSeed, Cluster: cluster, Workers: o.Workers, NATS: o.NATS, Proxy: o.Proxy,
		MaxTime: o.MaxTime, MinFree: o.MinFree, Stdout: stdout, Backups: node.Backups(o.Backups),
		RuntimeDir: o.RuntimeDir, Logger: c.o.Logger, Level: o.Level,
	})
	ending := Running
	c.ending.Store(&ending)
	return c, nil
}

// open opens directory, log and ledger, and completes the job by what they hold.
func (c *Crawl) open() (err error) {
	if c.dir, err = crawldir.Open(c.o.Dir, true); err != nil {
		return err
	}
	if c.o.Fresh {
		if err := c.dir.Clear(); err != nil {
			return err
		}
	}
	if c.log, err = os.OpenFile(c.dir.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	text := slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: fileLevel{c.o.Level}})
	c.o.Logger = slog.New(slog.NewMultiHandler(c.o.Logger.Handler(), text))
	caches := machine.CachesOf(c.o.Memory)
	if c.ledger, err = ledger.Open(c.dir.Ledger(), ledger.Options{
		Logger: c.o.Logger, OpenFiles: machine.LedgerFiles(), CacheBytes: caches.Blocks, MemtableBytes: caches.Memtable,
	}); err != nil {
		return err
	}
	before, err := c.ledger.Load(context.Background())
	if err != nil {
		return err
	}
	c.job, c.kept, err = c.o.continues(&before, c.job)
	return err
}

// fileLevel is the level of trawl.log: at least what it logs by default, also when the terminal is to be quiet.
type fileLevel struct{ of *slog.LevelVar }

func (l fileLevel) Level() slog.Level {
	if l.of == nil {
		return slog.LevelInfo
	}
	return min(slog.LevelInfo, l.of.Level())
}

// Close gives the directory up. It must not be called while Run runs.
func (c *Crawl) Close() error {
	var problems []error
	if c.ledger != nil {
		problems = append(problems, c.ledger.Close())
	}
	if c.log != nil {
		problems = append(problems, c.log.Close())
	}
	if c.dir != nil {
		problems = append(problems, c.dir.Close())
	}
	return errors.Join(problems...)
}

// Run runs the job until it is done, a limit is reached or the context ends; Ending tells which. An error
// means that trawl failed; the job can be run again in any case, and goes on where it was.
func (c *Crawl) Run(ctx context.Context) error {
	ending, err := c.node.Run(ctx)
	c.ending.Store(&ending)
	if err != nil {
		return err
	}
	return c.export(ctx)
}

// Dir is the crawl directory.
func (c *Crawl) Dir() string { return c.o.Dir }

// Job is the job at the start: as it was given, completed by what the directory's job has; see [Options].
func (c *Crawl) Job() Job { return c.job }

// AsBefore lists the settings that stay as they were, each with its value, but for the usual ones; "" for none.
func (c *Crawl) AsBefore() string { return strings.Join(c.kept, ", ") }

// Status is where the job stands; all zero before Run has begun.
func (c *Crawl) Status() Status { return c.node.Status() }

// Seeded is closed when the seeds were read and admitted.
func (c *Crawl) Seeded() <-chan struct{} { return c.node.Seeded() }

// BadSeeds is the number of seeds that could not be read.
func (c *Crawl) BadSeeds() int64 { return c.node.BadSeeds() }

// Rows streams every URL with its fate, from one moment, in the ledger's order. It may be read while Run
// runs, and after it until Close.
func (c *Crawl) Rows() iter.Seq2[*Row, error] { return c.ledger.All() }

// Ending is how the run ended.
func (c *Crawl) Ending() Ending { return *c.ending.Load() }

// Missing lists the bodies that had not arrived when Run ended as Incomplete.
func (c *Crawl) Missing() []Missing { return c.node.Missing() }

// Exported lists the files that were written at the end of Run.
func (c *Crawl) Exported() []Exported { return c.exported }

// LeftExports lists the exports that an interrupted ending left to the next start, which writes them.
func (c *Crawl) LeftExports() []string { return c.left }
