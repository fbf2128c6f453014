package trawl

import (
	"context"
	"slices"
	"sync/atomic"

	"trawl/cluster"
	"trawl/fetcher"
)

// guide tells where the scheduler is that a fetcher works for, also when it comes back elsewhere. Safe for concurrent
// use.
type guide struct {
	at atomic.Pointer[cluster.Member]
}

func newGuide(m cluster.Member) *guide {
	g := &guide{}
	g.at.Store(&m)
	return g
}

func (g *guide) queue() string   { return g.at.Load().Queue() }
func (g *guide) control() string { return g.at.Load().Control() }

// scheduler waits until the gossip knows a scheduler whose job is not done.
func (n *Fetcher) scheduler(ctx context.Context) (cluster.Member, bool) {
	for {
		changed := n.members.Changed()
		for _, m := range n.schedulers() {
			if !(n.o.Stay && m.Meta.Done) {
				return m, true
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return cluster.Member{}, false
		}
	}
}

// schedulers are those that the gossip knows, the one that came last first: of two with one ledger, the other is a
// process that ended and is not missed yet.
func (n *Fetcher) schedulers() []cluster.Member {
	all := slices.DeleteFunc(inForce(n.members.List()), func(m cluster.Member) bool {
		return !m.Meta.Role.Schedules() || m.Meta.QueuePort == 0 && m.Meta.QueueURL == ""
	})
	slices.SortStableFunc(all, func(a, b cluster.Member) int { return b.Joined.Compare(a.Joined) })
	return all
}

// follow lets the fetcher look when its scheduler says that the job is done, connects anew when the scheduler came back
// at another address, and ends the work when there is only another job's, or another life of this one that goes on in its
// place; over is told which.
func (n *Fetcher) follow(ctx context.Context, over func(superseded bool), g *guide, conn *cluster.Conn, f *fetcher.Fetcher) {
	for {
		changed := n.members.Changed()
		at, alive, others, superseded := g.at.Load(), false, false, false
		for _, m := range n.schedulers() {
			if !sameCrawl(at, &m) {
				others, superseded = true, superseded || m.Meta.Supersedes(&at.Meta)
				continue
			}
			if !alive { // the first is the newest
				n.lead(g, &m, conn)
			}
			alive = true
			if m.Meta.Done {
				f.Look()
			}
		}
		if others && !alive {
			over(superseded)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// lead goes to where the scheduler is now.
func (n *Fetcher) lead(g *guide, m *cluster.Member, conn *cluster.Conn) {
	before := g.at.Swap(m)
	if before.Queue() == m.Queue() && before.Control() == m.Control() {
		return
	}
	n.o.Logger.Info("the scheduler is elsewhere now", "queue", m.Queue())
	if m.Queue() == "" || before.Queue() == m.Queue() {
		return
	}
	if err := conn.Reconnect(); err != nil {
		n.o.Logger.Warn("the queue is connected again later", "error", err)
	}
}

// sameCrawl reports whether two schedulers work on one ledger.
func sameCrawl(a, b *cluster.Member) bool { return a.Meta.Life == b.Meta.Life }
