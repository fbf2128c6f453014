package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"

	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/crawler"
	"trawl/fetcher"
)

// guide reports where the scheduler is that a fetcher works for, also when it comes back elsewhere. Safe for concurrent
// use.
type guide struct {
	at atomic.Pointer[gossip.Member]
}

func newGuide(m gossip.Member) *guide {
	g := &guide{}
	g.at.Store(&m)
	return g
}

func (g *guide) queue() string   { return g.at.Load().Queue() }
func (g *guide) control() string { return g.at.Load().Control() }

// scheduler waits until the gossip knows a scheduler whose job is not done. One that stays also goes once to a scheduler
// whose job is done, to ship what it may have of it.
func (n *Fetcher) scheduler(ctx context.Context) (gossip.Member, bool) {
	for {
		changed := n.members.Changed()
		known := n.schedulers()
		for _, m := range known {
			if n.o.Stay && m.Meta.Done && m.Meta.Life == n.finished {
				continue
			}
			if m, ok := n.inCharge(ctx, known, nil, &m); ok {
				return m, true
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return gossip.Member{}, false
		}
	}
}

// schedulers are those that the gossip knows, the one that came last first. Of two at one address, the one that was started
// first has ended and is not missed yet.
func (n *Fetcher) schedulers() []gossip.Member {
	all := slices.DeleteFunc(inForce(n.members.Schedulers()), func(m gossip.Member) bool { return !m.Serves() })
	slices.SortStableFunc(all, func(a, b gossip.Member) int { return b.Joined.Compare(a.Joined) })
	newest := make(map[netip.AddrPort]gossip.Member)
	for _, m := range all {
		if before, known := newest[m.Address]; !known || m.Meta.Started > before.Meta.Started {
			newest[m.Address] = m
		}
	}
	return slices.DeleteFunc(all, func(m gossip.Member) bool { return newest[m.Address].Name != m.Name })
}

// inCharge is, of those that are known, the scheduler that counts for a ledger's life: the one that is followed, as long as it lives; else, of several,
// the one that takes precedence and lives. ok is false when there is none. When none answers, the one that came last is
// tried: the gossip will tell.
func (n *Fetcher) inCharge(ctx context.Context, known []gossip.Member, followed, like *gossip.Member) (gossip.Member, bool) {
	all := slices.DeleteFunc(slices.Clone(known), func(m gossip.Member) bool { return !sameCrawl(like, &m) })
	if len(all) == 0 {
		return gossip.Member{}, false
	}
	if len(all) == 1 {
		return all[0], true
	}
	newest := all[0]
	slices.SortFunc(all, func(a, b gossip.Member) int {
		switch {
		case a.Name == b.Name:
			return 0
		case followed != nil && a.Name == followed.Name, (followed == nil || b.Name != followed.Name) && a.Precedes(&b):
			return -1
		}
		return 1
	})
	for _, m := range all {
		if n.members.Answers(ctx, m) {
			return m, true
		}
	}
	return newest, true
}

// follow lets the fetcher look when its scheduler says that the job is done, connects again when the scheduler came back
// at another address, and ends the work when there is only another job's, or another life of this one that goes on in its
// place; over is told which. It never leaves a scheduler that lives for one that works on a copy of its directory.
func (n *Fetcher) follow(ctx context.Context, over func(superseded bool), g *guide, conn *queue.Conn, f *fetcher.Fetcher) {
	for {
		changed := n.members.Changed()
		at, others, superseded := g.at.Load(), false, false
		known := n.schedulers()
		for _, m := range known {
			if !sameCrawl(at, &m) {
				others, superseded = true, superseded || m.Meta.Supersedes(&at.Meta)
			}
		}
		m, alive := n.inCharge(ctx, known, at, at)
		if alive {
			n.lead(g, &m, conn)
			if m.Meta.Done || m.Name != at.Name { // another process may have other settings
				f.Look()
			}
		} else if others {
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
func (n *Fetcher) lead(g *guide, m *gossip.Member, conn *queue.Conn) {
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

// errOtherArchive: the scheduler came back with another archive or compress.
var errOtherArchive = errors.New("the job keeps its bodies otherwise now")

// forArchive asks a scheduler for a fetcher whose archive is opened as the job wants it. When the job wants another one, which
// takes a new start of its scheduler, the work ends and starts again with that.
type forArchive struct {
	fetcher.Scheduler
	job *crawler.Job
	end func()
}

func (s forArchive) Notice(ctx context.Context) (crawler.JobNotice, error) {
	n, err := s.Scheduler.Notice(ctx)
	if err == nil && (n.Job.Archive != s.job.Archive || n.Job.Compress != s.job.Compress) {
		s.end()
		return crawler.JobNotice{}, errOtherArchive
	}
	return n, err
}

// sameCrawl reports whether two schedulers work on one ledger.
func sameCrawl(a, b *gossip.Member) bool { return a.Meta.Life == b.Meta.Life }
