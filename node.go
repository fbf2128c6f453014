package trawl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/listen"
	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/internal/machine"
	"trawl/storage"
	"trawl/storage/archive"
	"trawl/storage/crawldir"
)

const (
	// maxFetcherDirs is how many fetchers without a directory of their own may run in one place.
	maxFetcherDirs = 100
	// drainLimit is how long a fetcher goes on trying to ship what it holds after the job is done.
	drainLimit = 10 * time.Minute
	// reconnectWait is the pause between two tries to reach the scheduler's queue.
	reconnectWait = time.Second
	// maxName is how long a fetcher's name may be, in bytes.
	maxName = 64
	// defaultFetcherDir is where a fetcher keeps bodies on their way, when nothing else is said.
	defaultFetcherDir = "./fetcher.trawl"
)

// Fetcher is a fetcher node: it joins a cluster, works for its scheduler, and ships what it stored to the
// scheduler's directory. It keeps nothing that matters for long. Run is called once.
type Fetcher struct {
	o       Options
	dir     *crawldir.Dir
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

// NewFetcher checks the options and opens the fetcher's directory; with Dir "" or the default it takes the
// first of fetcher.trawl, fetcher-2.trawl, … that is not in use.
func NewFetcher(o Options) (*Fetcher, error) {
	if o.Dir == "" {
		o.Dir = defaultFetcherDir
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	bind := listen.Bind{Host: "127.0.0.1"}
	if !o.Keys.IsZero() {
		bind.Host = ""
	}
	var err error
	if o.Bind != "" {
		if bind, err = listen.ParseBind(o.Bind); err != nil {
			return nil, crawler.UsageError(fmt.Errorf("`bind`: %w", err))
		}
	}
	if o.Keys.IsZero() && !bind.Loopback() {
		return nil, crawler.UsageError(fmt.Errorf("`bind` %s: %w", bind, trust.ErrNeedSecret))
	}
	if o.Name != fileName(o.Name) {
		return nil, crawler.UsageError(fmt.Errorf("`name` %q: use up to 64 letters, digits, - and _", o.Name))
	}
	n := &Fetcher{o: o}
	n.leaving, n.leave = context.WithCancel(context.Background())
	if n.dir, err = openFetcherDir(o.Dir); err != nil {
		return nil, err
	}
	name, drawn, err := fetcherName(n.dir.Path(), o.Name)
	if err != nil {
		return nil, errors.Join(err, n.dir.Close())
	}
	n.name.Store(&name)
	n.named = drawn // nobody else can have it
	n.members, err = gossip.New(gossip.Options{
		Bind: bind, Advertise: o.Advertise, Join: o.Join, Keys: o.Keys, Logger: o.Logger,
		Meta: gossip.Meta{Version: Version(), Role: cluster.RoleFetcher, Name: name, Started: time.Now().UnixMilli(), Slots: o.Workers},
	})
	if err != nil {
		return nil, errors.Join(crawler.UsageError(err), n.dir.Close())
	}
	if n.control, err = n.newControl(); err != nil {
		return nil, errors.Join(err, n.dir.Close())
	}
	return n, nil
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

// fileName keeps of a name what can begin a file's name.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), maxName)]
}

// Close gives the directory up. It must not be called while Run runs.
func (n *Fetcher) Close() error { return n.dir.Close() }

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
	g.Go(func() error { return n.o.Keys.Run(inner) })
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
	o := queue.ConnectOptions{URL: "nats://" + m.Queue(), Address: g.queue, Keys: n.o.Keys, Role: cluster.RoleFetcher, Name: n.Name(), Logger: n.o.Logger}
	return queue.Connect(ctx, o)
}

// fetch runs the fetcher and ships what it stores; when the job is done, all of it.
func (n *Fetcher) fetch(ctx, life context.Context, conn *queue.Conn, g *guide, job *Job) (done bool, err error) {
	a, err := openArchive(job, n.dir.Path(), n.Name(), n.o.Logger)
	if err != nil {
		return false, err
	}
	spool, err := spoolDir(n.dir.Path())
	if err != nil {
		return false, errors.Join(err, a.Close())
	}
	hard, kill := context.WithCancel(life)
	defer kill()
	working, stop := context.WithCancel(ctx)
	defer stop()
	f, err := fetcher.New(fetcher.Options{
		Name: n.Name(), Workers: machine.FitWorkers(n.o.Workers, job.PerHost, false, n.o.Logger), Tasks: conn, Scheduler: forArchive{conn, job, stop}, Reports: conn,
		Archive: a, SpoolDir: spool, PartialDir: partialDir(job, n.dir.Path()), Proxy: n.o.Proxy, Logger: n.o.Logger, Step: n.o.Fault, ClockOffset: n.o.ClockOffset, Kill: hard,
	})
	if err != nil {
		return false, errors.Join(err, a.Close())
	}
	outbox, err := n.openOutbox(a)
	if err != nil {
		return false, errors.Join(err, a.Close())
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	shipper, stopShipping, err := n.ship(life, outbox, g)
	if err != nil {
		return false, errors.Join(err, a.Close())
	}
	defer context.AfterFunc(conn.Refused(), func() { stop(); kill() })() // what it holds cannot be delivered
	over := func(superseded bool) {
		if stop(); superseded {
			kill() // nobody takes the parts of its turns any more
		}
	}
	following, unfollow := context.WithCancel(life)
	var follower sync.WaitGroup
	follower.Go(func() { n.follow(following, over, g, conn, f) })
	defer follower.Wait()
	defer unfollow()
	n.working.Store(f)
	defer n.working.Store(nil)
	defer context.AfterFunc(n.leaving, f.Drain)()
	var beside sync.WaitGroup
	before := n.pages.Load()
	beside.Go(func() { n.count(working, f, before) })
	beside.Go(func() { n.fare(working, f) })
	err = cleanEnd(f.Run(working))
	n.pages.Store(before + f.Pages())
	done = err == nil && working.Err() == nil
	stop()
	beside.Wait()
	err = errors.Join(err, a.Close())
	stopShipping()
	if !done && ctx.Err() == nil {
		return false, err
	}
	draining, cancel := context.WithTimeout(life, drainLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { pause(draining, stopWait); cancel() })()
	drained := shipper.Drain(draining)
	n.unshipped.Store(drained != nil)
	if drained != nil {
		n.o.Logger.Warn("not everything was shipped; start this fetcher again with the same `dir`", "dir", n.dir.Path(), "error", drained)
	}
	return done, err
}

func (n *Fetcher) openOutbox(a bodyArchive) (*archive.Outbox, error) {
	growing, _ := a.(*archive.WARC) // nil for plain files, which are whole as soon as they have a name
	return archive.NewOutbox(n.dir.Path(), growing, n.o.Logger)
}

// ship starts shipping in the background; the returned function ends it and waits.
func (n *Fetcher) ship(life context.Context, outbox *archive.Outbox, g *guide) (*fetcher.Shipper, func(), error) {
	client, err := followControl(g.control, n.o.Keys, n.Name())
	if err != nil {
		return nil, nil, err
	}
	s := fetcher.NewShipper(outbox, client, n.o.Logger)
	ctx, cancel := context.WithCancel(life)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cleanEnd(s.Run(ctx)); err != nil {
			n.o.Logger.Warn("shipping ended", "error", err)
		}
	}()
	return s, func() { cancel(); <-ended }, nil
}

// count keeps Pages in step while the fetcher works.
func (n *Fetcher) count(ctx context.Context, f *fetcher.Fetcher, before int64) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			n.pages.Store(before + f.Pages())
		case <-ctx.Done():
			return
		}
	}
}

// fare tells the others how the fetcher fares while it works.
func (n *Fetcher) fare(ctx context.Context, f *fetcher.Fetcher) {
	watchCondition(ctx, f, func(c fetcher.Condition) {
		err := n.members.Update(func(m *gossip.Meta) {
			m.Slots, m.Silent = c.Slots, int((c.Silent+time.Second-1)/time.Second)
		})
		if err != nil {
			n.o.Logger.Warn("how this fetcher fares could not be announced", "error", err)
		}
	})
}

// watchCondition calls changed with each condition of the fetcher, until ctx ends.
func watchCondition(ctx context.Context, f *fetcher.Fetcher, changed func(fetcher.Condition)) {
	for {
		c, moved := f.Condition()
		changed(c)
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// tell says for whose ledger the fetcher works, and whether nothing of its job is left here. A scheduler whose job is done
// does not wait for a fetcher that stays and has shipped all.
func (n *Fetcher) tell(life crawler.Life, shipped bool) {
	if err := n.members.Update(func(m *gossip.Meta) { m.Life, m.Done = life, shipped }); err != nil {
		n.o.Logger.Warn("for whom this fetcher works could not be announced", "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
