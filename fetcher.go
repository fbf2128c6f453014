package trawl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"trawl/cluster/listen"
	"trawl/crawler"
	"trawl/internal/node"
	"trawl/storage"
	"trawl/storage/crawldir"
)

const (
	// maxFetcherDirs is how many fetchers without a directory of their own may run in one place.
	maxFetcherDirs = 100
	// defaultFetcherDir is where a fetcher keeps bodies on their way, when nothing else is said.
	defaultFetcherDir = "./fetcher.trawl"
)

// KindFetcher stands in place of a job's kind in the status of a fetcher node.
const KindFetcher = node.KindFetcher

// FetcherOptions say how a fetcher node works. Zero values are defaults.
type FetcherOptions struct {
	Dir     string // for bodies on their way, "" = the first of ./fetcher.trawl, ./fetcher-2.trawl, … that is not in use
	Name    string // in rows, "" = made from the host name
	Workers int    // hosts asked at the same time; 0 = DefaultWorkers
	Stay    bool   // wait for the next job when one is done
	Cluster Cluster
	NATS    string       // servers of the queues, "" = what the scheduler announces
	Logger  *slog.Logger // nil = none

	// Proxy is as in [Options].
	Proxy func(*url.URL) (*url.URL, error)
}

func (o *FetcherOptions) validate() error {
	problems := []error{checkWorkers(&o.Workers)}
	if o.NATS != "" {
		problems = append(problems, node.CheckNATS(o.NATS))
	}
	if o.Name != node.FileName(o.Name) {
		problems = append(problems, fmt.Errorf("`name` %q: use up to 64 letters, digits, - and _", o.Name))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Dir = cmp.Or(o.Dir, defaultFetcherDir)
	return crawler.UsageError(errors.Join(problems...))
}

// freeBind is where a fetcher listens for gossip: at a free port.
func freeBind(secured bool) listen.Bind {
	if secured {
		return listen.Bind{}
	}
	return listen.Bind{Host: "127.0.0.1"}
}

// Fetcher is a fetcher node: it joins a cluster, works for its scheduler, and ships what it stored to the
// scheduler's directory. It keeps nothing that matters for long. Run is called once.
type Fetcher struct {
	dir  *crawldir.Dir
	node *node.Fetcher
}

// NewFetcher checks the options and opens the fetcher's directory, which it locks until Close.
func NewFetcher(o FetcherOptions) (*Fetcher, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	cluster, err := o.Cluster.open(freeBind)
	if err != nil {
		return nil, err
	}
	f := &Fetcher{}
	if f.dir, err = openFetcherDir(o.Dir); err != nil {
		return nil, err
	}
	f.node, err = node.NewFetcher(node.FetcherOptions{
		Dir: f.dir, Name: o.Name, Workers: o.Workers, Stay: o.Stay, Cluster: cluster, NATS: o.NATS, Proxy: o.Proxy, Logger: o.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openFetcherDir(path string) (*crawldir.Dir, error) {
	dir, err := crawldir.Open(path, true)
	if path != defaultFetcherDir {
		return dir, err
	}
	for i := 2; errors.Is(err, storage.ErrInUse) && i < maxFetcherDirs; i++ {
		dir, err = crawldir.Open(fmt.Sprintf("./fetcher-%d.trawl", i), true)
	}
	return dir, err
}

// Run joins the cluster and fetches until the job is done (with Stay: until the context ends). It waits for
// a scheduler that is not there yet. An error that is [ErrRefused] says that the cluster does not let it in.
func (f *Fetcher) Run(ctx context.Context) error { return f.node.Run(ctx) }

// Close gives the directory up. It must not be called while Run runs.
func (f *Fetcher) Close() error { return f.dir.Close() }

// Name is the fetcher's name in rows. It changes when another fetcher of the cluster turns out to have it.
func (f *Fetcher) Name() string { return f.node.Name() }

// Pages is the number of fetches done.
func (f *Fetcher) Pages() int64 { return f.node.Pages() }

// Status is what this fetcher is at.
func (f *Fetcher) Status() Status { return f.node.Status() }

// Drain lets the fetcher leave in order: it takes no more turns, ends those it has, ships what it holds, and Run
// returns nil. It returns at once and may be called again.
func (f *Fetcher) Drain() { f.node.Drain() }

// Drained reports whether the fetcher was asked to leave.
func (f *Fetcher) Drained() bool { return f.node.Drained() }

// Unshipped reports whether files stayed in the fetcher's directory when Run ended: rows point to them.
func (f *Fetcher) Unshipped() bool { return f.node.Unshipped() }
