package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/fetcher/ship"
	"trawl/storage/archive"
	"trawl/storage/crawldir"
)

// drainLimit is how long a fetcher tries to ship what it holds after the job is done.
const drainLimit = 10 * time.Minute

// fetch runs the fetcher and ships what it stores; when the job is done, all of it.
func (n *Fetcher) fetch(ctx, life context.Context, conn *queue.Conn, g *guide, job *crawler.Job) (done bool, err error) {
	hard, kill := context.WithCancel(life)
	defer kill()
	working, stop := context.WithCancel(ctx)
	defer stop()
	w, err := openWorker(workerOptions{
		Name: n.Name(), Dir: n.o.Dir, Job: job, Workers: n.o.Workers, Conn: conn, Scheduler: forArchive{conn, job, stop},
		Proxy: n.o.Proxy, Logger: n.o.Logger, Hooks: hooksOf(ctx), Kill: hard,
	})
	if err != nil {
		return false, err
	}
	home, err := openWayHome(n.o.Dir, w.archive, g.control, n.o.Cluster.Keys, n.Name(), n.o.Logger)
	if err != nil {
		return false, errors.Join(err, w.archive.Close())
	}
	defer func() { err = errors.Join(err, home.close()) }()
	stopShipping := home.start(life)
	defer context.AfterFunc(conn.Refused(), func() { stop(); kill() })() // what it holds cannot be delivered
	over := func(superseded bool) {
		if stop(); superseded {
			kill() // nobody takes the parts of its turns any more
		}
	}
	following, unfollow := context.WithCancel(life) // also while the last things are shipped
	var follower sync.WaitGroup
	follower.Go(func() { n.follow(following, over, g, conn, w.Fetcher) })
	defer follower.Wait()
	defer unfollow()
	n.working.Store(w.Fetcher)
	defer n.working.Store(nil)
	defer context.AfterFunc(n.leaving, w.Drain)()
	err = n.run(working, w.Fetcher)
	done = err == nil && working.Err() == nil
	err = errors.Join(err, w.archive.Close())
	stopShipping()
	if done || ctx.Err() != nil {
		n.shipRest(ctx, life, home)
	}
	return done, err
}

// run fetches, and lets others know how it fares.
func (n *Fetcher) run(working context.Context, f *fetcher.Fetcher) error {
	watching, stop := context.WithCancel(working)
	var beside sync.WaitGroup
	before := n.pages.Load()
	beside.Go(func() { n.count(watching, f, before) })
	beside.Go(func() { n.fare(watching, f) })
	err := cleanEnd(f.Run(working))
	stop()
	beside.Wait()
	n.pages.Store(before + f.Pages())
	return err
}

// shipRest ships what is left of a job that is done, or that an interrupted fetcher has to give back soon.
func (n *Fetcher) shipRest(ctx, life context.Context, home *wayHome) {
	draining, cancel := context.WithTimeout(life, drainLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { pause(draining, stopWait); cancel() })()
	err := home.shipper.Drain(draining)
	n.unshipped.Store(err != nil)
	if err != nil {
		n.o.Logger.Warn("not everything was shipped; start this fetcher again with the same `dir`", "dir", n.o.Dir.Path(), "error", err)
	}
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

// fare informs the others how the fetcher fares while it works.
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

// wayHome is how bodies get from a fetcher node to the scheduler's directory.
type wayHome struct {
	outbox  *archive.Outbox
	client  *control.Client
	shipper *ship.Shipper
	log     *slog.Logger
}

// openWayHome ships what is in the directory, and what is still growing in the archive, to the control API at the address of the moment.
func openWayHome(dir *crawldir.Dir, a bodyArchive, address func() string, keys *trust.Keyring, name string, log *slog.Logger) (*wayHome, error) {
	client, err := followControl(address, keys, name)
	if err != nil {
		return nil, err
	}
	growing, _ := a.(*archive.WARC) // nil for plain files, which are whole as soon as they have a name
	outbox, err := archive.NewOutbox(dir.Path(), growing, log)
	if err != nil {
		return nil, err
	}
	return &wayHome{outbox: outbox, client: client, shipper: ship.NewShipper(outbox, client, log), log: log}, nil
}

// start ships in the background; the returned function ends that and waits.
func (h *wayHome) start(life context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(life)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cleanEnd(h.shipper.Run(ctx)); err != nil {
			h.log.Warn("shipping ended", "error", err)
		}
	}()
	return func() { cancel(); <-ended }
}

func (h *wayHome) close() error {
	h.client.Close()
	return h.outbox.Close()
}

// followControl asks where address says at each new connection.
func followControl(address func() string, keys *trust.Keyring, name string) (*control.Client, error) {
	if keys.IsZero() {
		return control.Follow(address, nil), nil
	}
	tls, err := keys.ClientTLS(cluster.RoleFetcher, name, address)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return control.Follow(address, tls).ProveWith(keys), nil
}
