package trawl

import (
	"context"
	"errors"
	"fmt"

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

// Fetcher is a fetcher node: it joins a cluster, works for its scheduler, and ships what it stored to the
// scheduler's directory. It keeps nothing that matters for long. Run is called once.
type Fetcher struct {
	dir  *crawldir.Dir
	node *node.Fetcher
}

// NewFetcher checks the options and opens the fetcher's directory; with Dir "" or the default it takes the
// first of fetcher.trawl, fetcher-2.trawl, … that is not in use.
func NewFetcher(o Options) (*Fetcher, error) {
	if o.Dir == "" {
		o.Dir = defaultFetcherDir
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	usual := listen.Bind{Host: "127.0.0.1"}
	if !o.Keys.IsZero() {
		usual.Host = ""
	}
	bind, err := o.bind(usual)
	if err != nil {
		return nil, err
	}
	if o.Name != node.FileName(o.Name) {
		return nil, crawler.UsageError(fmt.Errorf("`name` %q: use up to 64 letters, digits, - and _", o.Name))
	}
	f := &Fetcher{}
	if f.dir, err = openFetcherDir(o.Dir); err != nil {
		return nil, err
	}
	f.node, err = node.NewFetcher(node.FetcherOptions{
		Dir: f.dir, Name: o.Name, Workers: o.Workers, Stay: o.Stay, Cluster: o.cluster(bind), NATS: o.NATS, Proxy: o.Proxy, Logger: o.Logger,
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
