package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/storage/crawldir"
)

// reconnectWait is the pause between two tries to reach the scheduler's queue.
const reconnectWait = time.Second

// FetcherOptions say how a fetcher node works. Dir stays the caller's to close, after Run.
type FetcherOptions struct {
	Dir     *crawldir.Dir
	Name    string // "" = made from the host name
	Workers int
	Stay    bool // wait for the next job when one is done
	Cluster Cluster
	NATS    string // in place of what the scheduler announces
	Proxy   func(*url.URL) (*url.URL, error)
	Logger  *slog.Logger
}

// Fetcher is a fetcher node: it joins a cluster, works for its scheduler, and ships what it stored to the
// scheduler's directory. It keeps nothing that matters for long. Run is called once.
type Fetcher struct {
	o       FetcherOptions
	name    atomic.Pointer[string]
	members *gossip.Members
	control *control.Server
	pages   atomic.Int64
	working atomic.Pointer[fetcher.Fetcher] // nil while there is no job

	unshipped atomic.Bool // files stayed here when it left

	// What follows is owned by serveJobs.
	named    bool         // nobody else has the name
	finished crawler.Life // the ledger whose job was done, and worked for last

	leaving context.Context // ends with Drain
	leave   context.CancelFunc
}

// NewFetcher gives the node its name and makes its gossip and control API. Nothing is opened before Run.
func NewFetcher(o FetcherOptions) (*Fetcher, error) {
	name, drawn, err := fetcherName(o.Dir.FetcherName(), o.Name)
	if err != nil {
		return nil, err
	}
	n := &Fetcher{o: o, named: drawn} // nobody else can have a name that was drawn
	n.leaving, n.leave = context.WithCancel(context.Background())
	n.name.Store(&name)
	c := &o.Cluster
	n.members, err = gossip.New(gossip.Options{
		Bind: c.Bind, Advertise: c.Advertise, Join: c.Join, Keys: c.Keys, Logger: o.Logger,
		Meta: gossip.Meta{Version: Version(), Role: cluster.RoleFetcher, Name: name, Started: time.Now().UnixMilli(), Slots: o.Workers},
	})
	if err != nil {
		return nil, crawler.UsageError(err)
	}
	n.control, err = n.newControl()
	return n, err
}

// Name is the fetcher's name in rows. It changes when another fetcher of the cluster turns out to have it.
func (n *Fetcher) Name() string { return *n.name.Load() }

// Unshipped reports whether files stayed in the fetcher's directory when Run ended: rows point to them.
func (n *Fetcher) Unshipped() bool { return n.unshipped.Load() }

// Pages is the number of fetches done.
func (n *Fetcher) Pages() int64 { return n.pages.Load() }

// Run joins the cluster and fetches until the job is done (with Stay: until the context ends). It waits for
// a scheduler that is not there yet. An error that is [ErrRefused] says that the cluster does not let it in.
func (n *Fetcher) Run(ctx context.Context) error {
	life, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	g, inner := errgroup.WithContext(life)
	g.Go(func() error { return withAdvice(n.members.Run(inner)) })
	g.Go(func() error { return n.o.Cluster.Keys.Run(inner) })
	g.Go(func() error { return withAdvice(n.control.Run(inner)) })
	g.Go(func() error {
		defer leave()
		working, cancel := context.WithCancel(inner)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return cleanEnd(n.serveJobs(working, inner))
	})
	return cleanEnd(g.Wait())
}

// serveJobs works for one scheduler after the other, until the job is done or ctx ends. life goes on while
// the last things are shipped.
func (n *Fetcher) serveJobs(ctx, life context.Context) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.leaving, cancel)()
	for waiting.Err() == nil {
		m, ok := n.scheduler(waiting)
		if !ok {
			return nil
		}
		if err := n.settleName(waiting); err != nil {
			return err
		}
		n.tell(m.Meta.Life, false)
		done, err := n.serveJob(ctx, life, m)
		if errors.Is(err, cluster.ErrRefused) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			n.o.Logger.Warn("lost the scheduler, trying again", "error", err)
		}
		if done && !n.o.Stay {
			return nil
		}
		if done {
			n.finished = m.Meta.Life
			n.tell(m.Meta.Life, !n.unshipped.Load())
		}
		pause(waiting, reconnectWait)
	}
	return nil
}

// serveJob works for one scheduler until its job is done. done is false when the scheduler was lost.
func (n *Fetcher) serveJob(ctx, life context.Context, m gossip.Member) (done bool, err error) {
	g := newGuide(m)
	conn, err := n.connect(ctx, g)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	notice, err := conn.Notice(ctx)
	if err != nil {
		return false, err
	}
	n.o.Logger.Info("working for", "scheduler", m.Queue(), "job", notice.Job.Name)
	done, err = n.fetch(ctx, life, conn, g, &notice.Job)
	if why := conn.Refusal(); why != nil {
		return false, why
	}
	if err != nil || ctx.Err() != nil {
		return done, err
	}
	return done, nil
}

func (n *Fetcher) connect(ctx context.Context, g *guide) (*queue.Conn, error) {
	m := g.at.Load()
	if url := cmp.Or(n.o.NATS, m.Meta.QueueURL); url != "" {
		return queue.Connect(ctx, foreignQueue(url, m.Meta.Life, cluster.RoleFetcher, n.Name(), n.o.Logger))
	}
	o := queue.ConnectOptions{URL: "nats://" + m.Queue(), Address: g.queue, Keys: n.o.Cluster.Keys, Role: cluster.RoleFetcher, Name: n.Name(), Logger: n.o.Logger}
	return queue.Connect(ctx, o)
}

// tell says for whose ledger the fetcher works, and whether nothing of its job is left here. A scheduler whose job is done
// does not wait for a fetcher that stays and has shipped all.
func (n *Fetcher) tell(life crawler.Life, shipped bool) {
	if err := n.members.Update(func(m *gossip.Meta) { m.Life, m.Done = life, shipped }); err != nil {
		n.o.Logger.Warn("for whom this fetcher works could not be announced", "error", err)
	}
}
