// Package trawl runs a crawl inside a Go program: the same crawl, through the same door, as the command
// line's.
//
//	job := trawl.NewJob(trawl.KindCrawl)
//	c, err := trawl.New(job, trawl.Options{Dir: "example.trawl", Seeds: trawl.ReadSeeds([]string{"https://example.com/"}, nil)})
//	…
//	defer c.Close()
//	err = c.Run(ctx)
//
// It wires the packages: scheduler decides, fetcher does, cluster connects them, storage keeps, and
// crawler has the words that all of them share. run.go is the wiring of a job, node.go that of a fetcher on
// another machine.
package trawl

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"trawl/cluster"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/internal/machine"
	"trawl/internal/seeds"
	"trawl/storage/crawldir"
	"trawl/storage/export"
	"trawl/storage/ledger"
)

// Job is what one crawl is to do; see [crawler.Job] for its fields.
type Job = crawler.Job

// Status is a snapshot of a job.
type Status = crawler.Status

// Row is the fate of one URL.
type Row = crawler.Row

// Seed is a URL that the user gave.
type Seed = seeds.Seed

// Lists say how lists of seeds are read: as lines, or as tables with columns.
type Lists = seeds.Lists

// BadLine is a seed that could not be read, or where a list could not be read on. The others go on.
type BadLine = seeds.BadLine

// ReadSeeds is [Lists.Read] of lists that are lines.
func ReadSeeds(args []string, stdin io.Reader) iter.Seq2[Seed, error] {
	return Lists{}.Read(args, stdin)
}

// Kinds of jobs.
const (
	KindCrawl    = crawler.Crawl
	KindDownload = crawler.Download
)

// NewJob returns a job with every default in force.
func NewJob(kind crawler.Kind) Job { return crawler.NewJob(kind) }

const (
	// DefaultWorkers is how many hosts a fetcher asks at the same time.
	DefaultWorkers = 1024
	// MaxWorkers bounds Options.Workers.
	MaxWorkers = 100_000
)

// Errors that callers tell apart.
var (
	// ErrUsage: a mistake in options or seeds, found before anything started.
	ErrUsage = crawler.ErrUsage
	// ErrRefused: refused by the cluster (wrong secret, other version), or the directory holds another job.
	ErrRefused = cluster.ErrRefused
)

// Options say where and how a job runs. Dir is needed; zero values of the others are their defaults.
type Options struct {
	Dir     string                 // the crawl directory; made when it is missing
	Seeds   iter.Seq2[Seed, error] // read as a stream while the job runs; nil = none. See ReadSeeds
	BadSeed func(error)            // hears of each seed that could not be read; the others go on
	Workers int                    // hosts asked at the same time; 0 = DefaultWorkers
	MaxTime time.Duration          // stop after this time; 0 = no limit
	Exports []string               // files to write at the end; "-" streams rows to Stdout as they become final
	Stdout  io.Writer              // for the export "-"
	Stay    bool                   // stay for more when the job is done
	MinFree int64                  // stop before the directory's disk has less free bytes; 0 = do not look
	Fresh   bool                   // remove the crawl that the directory holds, and begin anew
	Logger  *slog.Logger           // nil = none
	Level   *slog.LevelVar         // of the logger, set by trawl set log-level; nil = cannot be set

	// BackupEvery makes a backup of the ledger each time that it has passed, in BackupTo: a directory, where the newest
	// KeepBackups of this crawl stay, file:///DIRECTORY, or an http(s) URL below which each is stored by PUT. 0 = none.
	BackupEvery time.Duration
	BackupTo    string

	// Said names the settings of the job that count where the directory holds a job already, by their names in job.yaml; the
	// others stay as they are there. nil = all: the job is given whole.
	Said crawler.Said

	// Private are cookies and logins that the job is to use ([session.ReadCookies], [session.ReadLogins]). They are kept in
	// the ledger, so later runs need not give them, and shown nowhere.
	Private session.Private

	// RetryFailed lets URLs that failed with this reason ("" = any) wait again; nil = none.
	RetryFailed *crawler.Reason

	// RuntimeDir is where the running jobs of a user show each other the hosts of their seeds, so that two that ask one host
	// say so; "" = nowhere.
	RuntimeDir string

	// Serve opens the job to fetchers on other machines, and fetches nothing in this process.
	Serve     bool
	Bind      string       // gossip address, "" = 7946 on loopback, with a secret on all addresses
	Advertise string       // address that others reach this node at, where it differs
	Join      []string     // gossip addresses of nodes of the cluster
	Control   string       // control address, "" = the second port after Bind
	Secret    trust.Secret // of the cluster; none = loopback only. Keys for one that may change
	Name      string       // fetcher: its name in rows, "" = made from the host name
	NATS      string       // servers to use for the queues in place of the embedded one: nats://HOST:PORT,…

	// Keys are the cluster's secrets, and the certificates of an own PKI. They are followed while the node runs, with
	// their files where they have any. nil = Secret, for as long as the node runs.
	Keys *trust.Keyring

	// Proxy tells the proxy for a URL, nil for none; nil = none at all. A proxy resolves names, so private addresses behind
	// names are not guarded through one.
	Proxy func(*url.URL) (*url.URL, error)

	// ClockOffset is added to the wall clock, for tests that move it; nil = nothing. Safe for concurrent use.
	ClockOffset func() time.Duration

	// Fault is called at steps of the protocol, for tests that inject faults.
	Fault func(step string)
}

func (o *Options) validate() error {
	var problems []error
	if o.Dir == "" {
		problems = append(problems, errors.New("no directory: set Dir (`dir`)"))
	}
	if o.Workers < 0 || o.Workers > MaxWorkers {
		problems = append(problems, fmt.Errorf("%d workers: use 1 to %d", o.Workers, MaxWorkers))
	}
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.MinFree < 0 {
		problems = append(problems, fmt.Errorf("`min-free` %d: use 0 or more", o.MinFree))
	}
	if o.NATS != "" {
		problems = append(problems, checkNATS(o.NATS))
	}
	problems = append(problems, o.validateBackups(), o.Said.Validate())
	if o.Keys == nil && !o.Secret.IsZero() {
		var err error
		o.Keys, err = trust.NewKeyring(o.Secret)
		problems = append(problems, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.BadSeed == nil {
		o.BadSeed = func(error) {}
	}
	problems = append(problems, CheckExports(o.Exports))
	if slices.Contains(o.Exports, "-") && o.Stdout == nil {
		problems = append(problems, errors.New("export - needs Stdout"))
	}
	if err := errors.Join(problems...); err != nil {
		return crawler.UsageError(err)
	}
	return nil
}

// Ending is how a run ended.
type Ending string

const (
	// Running: it did not end yet.
	Running Ending = "running"
	// Done: nothing is left that may be asked for.
	Done Ending = "done"
	// Limited: a limit of the user's was reached; raise it and run again to go on.
	Limited Ending = "stopped by a limit"
	// Interrupted: the context ended; run again to go on.
	Interrupted Ending = "interrupted"
	// Incomplete: nothing is left to be asked for, and bodies that rows point to have not arrived from their fetchers;
	// Crawl.Missing lists them.
	Incomplete Ending = "bodies are missing"
)

// Exported is a file that was written at the end.
type Exported struct {
	File string
	Rows int64
}

// Crawl is one job in its directory. Its methods are safe for concurrent use; Run is called once.
type Crawl struct {
	given  Job // by the caller
	job    Job // in force: completed by what the directory's job has
	kept   []string
	o      Options
	dir    *crawldir.Dir
	log    *os.File
	ledger *ledger.Ledger

	status   atomic.Pointer[func() Status]
	seeded   chan struct{} // closed when the seeds were read and admitted
	ending   atomic.Pointer[Ending]
	badSeeds atomic.Int64
	exported []Exported
	left     []string                      // exports that an interrupted ending left to the next start
	lingers  atomic.Pointer[func() string] // what an ending waits for, nil for nothing
	missing  []Missing
}

// New checks job and options and opens the directory, which it locks until Close. Where the directory holds a job, it
// must be the same one.
func New(job Job, o Options) (*Crawl, error) {
	if err := errors.Join(o.validate(), crawler.UsageError(job.Validate())); err != nil {
		return nil, err
	}
	if o.Serve {
		if _, err := bindOf(&o); err != nil {
			return nil, crawler.UsageError(err)
		}
		if err := o.checkServer(); err != nil {
			return nil, crawler.UsageError(err)
		}
	}
	dir, err := crawldir.Open(o.Dir, true)
	if err != nil {
		return nil, err
	}
	if o.Fresh {
		if err := dir.Clear(); err != nil {
			return nil, errors.Join(err, dir.Close())
		}
	}
	log, err := os.OpenFile(dir.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), dir.Close())
	}
	o.Logger = slog.New(slog.NewMultiHandler(o.Logger.Handler(), slog.NewTextHandler(log, &slog.HandlerOptions{Level: fileLevel{o.Level}})))
	l, err := ledger.Open(dir.Ledger(), ledger.Options{Logger: o.Logger, OpenFiles: machine.LedgerFiles()})
	if err != nil {
		return nil, errors.Join(err, log.Close(), dir.Close())
	}
	c := &Crawl{given: job, job: job, o: o, dir: dir, log: log, ledger: l, seeded: make(chan struct{})}
	if err := c.goOn(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	ending := Running
	c.ending.Store(&ending)
	return c, nil
}

// fileLevel is the level of trawl.log: at least what it tells by default, also when the terminal is to be quiet.
type fileLevel struct{ of *slog.LevelVar }

func (l fileLevel) Level() slog.Level {
	if l.of == nil {
		return slog.LevelInfo
	}
	return min(slog.LevelInfo, l.of.Level())
}

// Close gives the directory up. It must not be called while Run runs.
func (c *Crawl) Close() error { return errors.Join(c.ledger.Close(), c.log.Close(), c.dir.Close()) }

// Dir is the crawl directory.
func (c *Crawl) Dir() string { return c.o.Dir }

// Ending tells how the run ended.
func (c *Crawl) Ending() Ending { return *c.ending.Load() }

// Exported lists the files that were written at the end of Run.
func (c *Crawl) Exported() []Exported { return c.exported }

// LeftExports lists the exports that an interrupted ending left to the next start, which writes them.
func (c *Crawl) LeftExports() []string { return c.left }

// BadSeeds is the number of seeds that could not be read.
func (c *Crawl) BadSeeds() int64 { return c.badSeeds.Load() }

// Status tells where the job stands; all zero before Run has begun.
func (c *Crawl) Status() Status {
	if f := c.status.Load(); f != nil {
		return (*f)()
	}
	return Status{Job: c.job.Name, Kind: c.job.Kind, State: "starting"}
}

// Seeded is closed when the seeds were read and admitted.
func (c *Crawl) Seeded() <-chan struct{} { return c.seeded }

// Rows streams every URL with its fate, from one moment, in the ledger's order. It may be read while Run
// runs, and after it until Close.
func (c *Crawl) Rows() iter.Seq2[*Row, error] { return c.ledger.All() }

// CheckExports looks whether each export can be written, and reports every one that cannot.
func CheckExports(files []string) error {
	var problems []error
	for _, f := range files {
		if f == "-" {
			continue
		}
		if _, err := export.FormatOf(f); err != nil {
			problems = append(problems, fmt.Errorf("`export` %s: %w", f, err))
		}
		if dir := filepath.Dir(f); !isDir(dir) {
			problems = append(problems, fmt.Errorf("`export` %s: there is no directory %s", f, dir))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return crawler.UsageError(err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// HoldsCrawl reports whether a directory holds a crawl that can be gone on with.
func HoldsCrawl(dir string) bool { return crawldir.HoldsLedger(dir) }

// Version is the program's version, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
