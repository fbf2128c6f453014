package trawl

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/listen"
	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/storage/archive"
)

const (
	// drainIdle is how long the scheduler of a finished job waits for a fetcher that ships nothing.
	drainIdle = 30 * time.Second
	// drainCheck is how often it looks.
	drainCheck = 200 * time.Millisecond
)

// schedulerNode is what lets fetchers on other machines in: gossip, and the intake of their files.
type schedulerNode struct {
	r       *run
	members *gossip.Members
	control *control.Server
	depot   *watchedDepot
	// closeDepot is called when no service uses the depot any more.
	closeDepot func() error
	peers      *peers
	looked     time.Time // when it was last looked for missing bodies; owned by drain
}

// close gives up what the node has open, once its services have ended. n may be nil.
func (n *schedulerNode) close() error {
	if n == nil {
		return nil
	}
	return n.closeDepot()
}

// bindOf is where a scheduler listens for gossip; queue and control take the next ports.
func bindOf(o *Options) (listen.Bind, error) {
	b := listen.DefaultBind(!o.Keys.IsZero())
	if o.Bind != "" {
		var err error
		if b, err = listen.ParseBind(o.Bind); err != nil {
			return b, fmt.Errorf("`bind`: %w", err)
		}
	}
	if o.Keys.IsZero() && !b.Loopback() {
		return b, fmt.Errorf("`bind` %s: %w", b, trust.ErrNeedSecret)
	}
	return b, nil
}

// listenQueue opens the queue to other machines.
func (r *run) listenQueue(o *queue.BrokerOptions) error {
	bind, err := bindOf(&r.o)
	if err != nil {
		return crawler.UsageError(err)
	}
	listen, err := bind.Next(1)
	if err != nil {
		return crawler.UsageError(err)
	}
	o.Listen, o.Keys = listen.String(), r.o.Keys
	return nil
}

// serve opens control and gossip to other machines and turns members into credit.
func (r *run) serve() error {
	depot, err := archive.NewDepot(r.dir.Path())
	if err != nil {
		return err
	}
	n := &schedulerNode{r: r, depot: &watchedDepot{DepotReceiver: depot, arrived: r.sched.Arrived}, closeDepot: depot.Close, peers: openPeers(r.dir.Path())}
	r.node = n
	o, err := r.controlAddress()
	if err != nil {
		return err
	}
	o.Depot = n.depot
	if err := r.control(o); err != nil {
		return err
	}
	if err := n.join(); err != nil {
		return err
	}
	r.services.Go(func() error { return n.members.Run(r.life) })
	r.services.Go(func() error { return r.o.Keys.Run(r.life) })
	select {
	case <-n.members.Ready():
	case <-r.life.Done():
		return nil // the group tells why
	}
	r.o.Logger.Info("fetchers may join", "join", n.members.Addr().String(), "queue", r.queueAddress(), "control", n.control.Addr(), "encrypted", !r.o.Keys.IsZero(), "pki", r.o.Keys.OwnPKI())
	r.services.Go(func() error { return n.watch(r.life) })
	return nil
}

func (r *run) controlAddress() (o control.Options, err error) {
	bind, err := bindOf(&r.o)
	if err != nil {
		return o, crawler.UsageError(err)
	}
	at, err := bind.Next(2)
	if err != nil {
		return o, crawler.UsageError(err)
	}
	o.Listen = at.String()
	if r.o.Control != "" {
		o.Listen = r.o.Control
	}
	if !r.o.Keys.IsZero() {
		o.Keys = r.o.Keys
		o.TLS, err = r.o.Keys.ServerTLS(cluster.RoleScheduler, "scheduler")
	}
	return o, err
}

func (n *schedulerNode) join() (err error) {
	bind, err := bindOf(&n.r.o)
	if err != nil {
		return crawler.UsageError(err)
	}
	notice, err := n.r.sched.Notice(n.r.life)
	if err != nil {
		return err
	}
	n.members, err = gossip.New(gossip.Options{
		Bind: bind, Advertise: n.r.o.Advertise, Join: n.r.o.Join, Last: n.peers.last, Keys: n.r.o.Keys, Logger: n.r.o.Logger,
		Meta: gossip.Meta{
			Version: Version(), Role: cluster.RoleScheduler, Life: notice.Life, Origin: n.r.origin, Restored: unixSeconds(n.r.restored),
			Started: time.Now().UnixMilli(), ControlPort: portOf(n.control.Addr()),
		},
	})
	if err != nil || n.acquainted() {
		return err
	}
	return n.open()
}

func portOf(addr string) int {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return p
}

// watch keeps the scheduler's credit in step with the fetchers that are there.
func (n *schedulerNode) watch(ctx context.Context) error {
	if err := n.listen(ctx); err != nil {
		return err
	}
	if err := n.open(); err != nil {
		return err
	}
	n.r.services.Go(func() error { return n.watchTwins(ctx) })
	for {
		changed := n.members.Changed()
		if err := n.superseded(); err != nil {
			return err
		}
		n.r.sched.SetFetchers(n.fetchers())
		if err := n.peers.keep(n.members.List()); err != nil {
			n.r.o.Logger.Warn("after a restart the fetchers will be found later", "error", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *schedulerNode) fetchers() []crawler.FetcherStatus {
	var all []crawler.FetcherStatus
	for _, m := range n.members.List() {
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

// drain tells the fetchers that the job is done and waits until they have shipped what they hold, and left unless
// they stay for the next job.
func (n *schedulerNode) drain(ctx context.Context) {
	if err := n.members.Update(func(m *gossip.Meta) { m.Done = true }); err != nil {
		n.r.o.Logger.Warn("the end of the job could not be announced", "error", err)
	}
	t := time.NewTicker(drainCheck)
	defer t.Stop()
	n.depot.touch()
	for n.peers.awaited() || n.depot.idle() < drainIdle && (len(n.unfinished()) > 0 || n.incomplete(ctx)) {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		case <-n.r.life.Done():
			return
		}
	}
	if len(n.fetchers()) == 0 {
		n.peers.forget()
	}
	for _, name := range n.unfinished() {
		n.r.o.Logger.Warn("a fetcher did not leave; what it has not shipped comes when it is started again with its directory while this job's scheduler runs", "fetcher", name)
	}
}

// unfinished are the fetchers that are there and have not said that they shipped all of this job. One that stays for the
// next job says so; others leave.
func (n *schedulerNode) unfinished() (names []string) {
	own := n.members.Meta()
	for _, m := range n.members.List() {
		if m.Meta.Role == cluster.RoleFetcher && (!m.Meta.Done || m.Meta.Life != own.Life) {
			names = append(names, m.Meta.Name)
		}
	}
	return names
}

// incomplete reports whether a body is missing that a row points to: its fetcher may come back with it.
func (n *schedulerNode) incomplete(ctx context.Context) bool {
	if time.Since(n.looked) < missingCheck {
		return true
	}
	missing, err := n.r.findMissing(ctx)
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
