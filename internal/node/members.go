package node

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/crawler"
	"trawl/scheduler"
	"trawl/storage/archive"
)

const (
	// drainIdle is how long the scheduler of a finished job waits for a fetcher that ships nothing.
	drainIdle = 30 * time.Second
	// drainCheck is how often it looks.
	drainCheck = 200 * time.Millisecond
	// missingCheck is how often it looks which bodies are missing, which reads what the ledger says of them.
	missingCheck = time.Second
)

// members are a scheduler's fetchers on other machines: gossip brings them, and their files come home here.
type members struct {
	cluster *Cluster
	core    *scheduler.Scheduler
	queues  *queues
	bodies  *bodies
	dir     string
	log     *slog.Logger

	origin   crawler.Life // of the ledger
	restored time.Time    // when the ledger was, zero for never
	peers    *peers

	gossip  *gossip.Members
	control string // address of the control API
	depot   *watchedDepot
	files   *archive.Depot // of depot
	looked  time.Time      // when it was last looked for missing bodies; owned by drain
}

// openDepot opens the intake of files.
func (n *members) openDepot() (err error) {
	if n.files, err = archive.NewDepot(n.dir); err != nil {
		return err
	}
	n.depot = &watchedDepot{DepotReceiver: n.files, arrived: n.core.Arrived}
	return nil
}

// close gives up what is open, once no service uses it any more. n may be nil.
func (n *members) close() error {
	if n == nil || n.files == nil {
		return nil
	}
	return n.files.Close()
}

// controlOptions open the control API to other machines.
func (n *members) controlOptions() (o control.Options, err error) {
	at, err := n.cluster.Bind.Next(2)
	if err != nil {
		return o, crawler.UsageError(err)
	}
	o.Listen, o.Depot = cmp.Or(n.cluster.Control, at.String()), n.depot
	if !n.cluster.Keys.IsZero() {
		o.Keys = n.cluster.Keys
		o.TLS, err = n.cluster.Keys.ServerTLS(cluster.RoleScheduler, "scheduler")
	}
	return o, err
}

// join makes the scheduler a member, which says where its control API is.
func (n *members) join(ctx context.Context) error {
	notice, err := n.core.Notice(ctx)
	if err != nil {
		return err
	}
	c := n.cluster
	n.gossip, err = gossip.New(gossip.Options{
		Bind: c.Bind, Advertise: c.Advertise, Join: c.Join, Last: n.peers.last, Keys: c.Keys, Logger: n.log,
		Meta: gossip.Meta{
			Version: Version(), Role: cluster.RoleScheduler, Life: notice.Life, Origin: n.origin, Restored: unixSeconds(n.restored),
			Started: time.Now().UnixMilli(), ControlPort: portOf(n.control),
		},
	})
	if err != nil || n.acquainted() {
		return err
	}
	return n.open()
}

// run keeps the scheduler's credit in step with the fetchers that are there, until ctx ends or another scheduler goes on in this one's
// place.
func (n *members) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.gossip.Run(ctx) })
	g.Go(func() error { return n.cluster.Keys.Run(ctx) })
	g.Go(func() error {
		select {
		case <-n.gossip.Ready():
		case <-ctx.Done():
			return nil
		}
		keys := n.cluster.Keys
		n.log.Info("fetchers may join", "join", n.gossip.Addr().String(), "queue", n.queues.address(), "control", n.control, "encrypted", !keys.IsZero(), "pki", keys.OwnPKI())
		if err := n.listen(ctx); err != nil {
			return err
		}
		if err := n.open(); err != nil {
			return err
		}
		g.Go(func() error { return n.watchTwins(ctx) })
		return n.watch(ctx)
	})
	return g.Wait()
}

func (n *members) watch(ctx context.Context) error {
	for {
		changed := n.gossip.Changed()
		if err := n.superseded(); err != nil {
			return err
		}
		n.core.SetFetchers(n.fetchers())
		if err := n.peers.keep(n.gossip.List()); err != nil {
			n.log.Warn("after a restart the fetchers will be found later", "error", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *members) fetchers() []crawler.FetcherStatus {
	var all []crawler.FetcherStatus
	for _, m := range n.gossip.List() {
		if m.Meta.Role != cluster.RoleFetcher {
			continue
		}
		f := crawler.FetcherStatus{Name: m.Meta.Name, Slots: m.Meta.Slots, Silent: time.Duration(m.Meta.Silent) * time.Second}
		if m.Meta.Draining {
			f.Slots = 0
		}
		all = append(all, f)
	}
	return all
}

// drain informs the fetchers that the job is done and waits until they have shipped what they hold, and left unless
// they stay for the next job.
func (n *members) drain(ctx context.Context) {
	if err := n.gossip.Update(func(m *gossip.Meta) { m.Done = true }); err != nil {
		n.log.Warn("the end of the job could not be announced", "error", err)
	}
	t := time.NewTicker(drainCheck)
	defer t.Stop()
	n.depot.touch()
	for n.peers.awaited() || n.depot.idle() < drainIdle && (len(n.unfinished()) > 0 || n.incomplete(ctx)) {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
	if len(n.fetchers()) == 0 {
		n.peers.forget()
	}
	for _, name := range n.unfinished() {
		n.log.Warn("a fetcher did not leave; what it has not shipped comes when it is started again with its directory while this job's scheduler runs", "fetcher", name)
	}
}

// unfinished are the fetchers that are there and have not said that they shipped all of this job. One that stays for the
// next job says so; others leave.
func (n *members) unfinished() (names []string) {
	own := n.gossip.Meta()
	for _, m := range n.gossip.List() {
		if m.Meta.Role == cluster.RoleFetcher && (!m.Meta.Done || m.Meta.Life != own.Life) {
			names = append(names, m.Meta.Name)
		}
	}
	return names
}

// incomplete reports whether a body is missing that a row points to: its fetcher may come back with it.
func (n *members) incomplete(ctx context.Context) bool {
	if time.Since(n.looked) < missingCheck {
		return true
	}
	missing, err := n.bodies.missing(ctx)
	n.looked = time.Now()
	return err == nil && len(missing) > 0
}

// watchedDepot notes when bytes were last shipped, and tells who waits for a body that it is there.
type watchedDepot struct {
	control.DepotReceiver
	arrived func(name string)
	last    atomic.Int64 // unix nanoseconds
	busy    atomic.Int64 // files that are being compared
}

func (d *watchedDepot) touch() { d.last.Store(time.Now().UnixNano()) }

// idle is how long nothing has moved. That a fetcher tries is no progress.
func (d *watchedDepot) idle() time.Duration {
	if d.busy.Load() > 0 {
		return 0
	}
	return time.Since(time.Unix(0, d.last.Load()))
}

func (d *watchedDepot) Append(ctx context.Context, name string, offset int64, r io.Reader, n int64) error {
	return d.DepotReceiver.Append(ctx, name, offset, &touchingReader{r, d}, n)
}

func (d *watchedDepot) Finish(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	d.busy.Add(1)
	defer d.busy.Add(-1)
	err := d.DepotReceiver.Finish(ctx, name, size, digest)
	if err == nil {
		d.touch()
		d.arrived(name)
	}
	return err
}

// touchingReader notes each byte that comes.
type touchingReader struct {
	r io.Reader
	d *watchedDepot
}

func (t *touchingReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n > 0 {
		t.d.touch()
	}
	return n, err
}
