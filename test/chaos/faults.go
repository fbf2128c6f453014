//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// inject does a fault when its time has come, and undoes it. It returns an error when the bench itself
// failed; what the fault does to the nodes is judged by the audits.
func (c *crawl) inject(ctx context.Context, f fault) error {
	if !pause(ctx, time.Until(c.begun.Add(f.at))) {
		return ctx.Err()
	}
	n := c.node(f.node)
	if c.done() {
		c.note("%s: left out, the job is done", f)
		return nil
	}
	h := happened{kind: f.kind, node: f.node, leased: c.leaseNow(ctx), begin: time.Now()}
	c.note("%s begins, %d URLs leased", f, h.leased)
	if err := c.do(ctx, f, n); err != nil {
		return fmt.Errorf("%s: %w", f, err)
	}
	h.end = time.Now()
	if f.kind == slowLink || f.kind == slowScheduler || f.kind == unplug || f.kind == cutBoth || f.kind == cutIn || f.kind == cutOut || f.kind == fullFetcher {
		h.leased += c.leaseNow(ctx) // turns come and go meanwhile
	}
	c.happen(h)
	c.note("%s %s is over", f.kind, f.node)
	return nil
}

func (c *crawl) happen(h happened) {
	c.mu.Lock()
	c.faults = append(c.faults, h)
	c.mu.Unlock()
}

func (c *crawl) do(ctx context.Context, f fault, n *node) error {
	switch f.kind {
	case killFetcher, killScheduler, tornLedger, tornQueue, tornWARC, queueLost:
		return c.killed(ctx, f, n)
	case restartAll:
		return c.killAll(ctx, f)
	case stopFetcher, stopScheduler:
		n.proc().signal(syscall.SIGSTOP)
		pause(ctx, f.last)
		n.proc().signal(syscall.SIGCONT)
	case cutBoth:
		c.linked(ctx, f, link{cut: true}, both(f.node, schedulerName))
	case cutOut:
		c.linked(ctx, f, link{cut: true}, []pair{{f.node, schedulerName}})
	case cutIn:
		c.linked(ctx, f, link{cut: true}, []pair{{schedulerName, f.node}})
	case unplug:
		c.linked(ctx, f, link{cut: true}, c.fabric.around(f.node))
	case slowLink, slowScheduler:
		c.linked(ctx, f, f.link, c.fabric.around(f.node))
	case clockFetcher, clockScheduler:
		return c.jumped(ctx, f, n)
	case fullFetcher, fullScheduler:
		return c.filled(ctx, f, n)
	case lockedFetcher, lockedOne:
		return c.locked(ctx, f, n)
	case drainFetcher, drainScheduler:
		return c.drained(ctx, f, n)
	case previous, previousOne:
		return c.older(ctx, f, n)
	case churn:
		return c.churned(ctx, f)
	}
	return nil
}

// linked gives links a property for a while.
func (c *crawl) linked(ctx context.Context, f fault, l link, pairs []pair) {
	c.fabric.set(l, pairs...)
	pause(ctx, f.last)
	c.fabric.set(link{}, pairs...)
}

// killed kills a node, damages what a kill or a power failure may damage, and starts it again.
func (c *crawl) killed(ctx context.Context, f fault, n *node) error {
	n.proc().kill()
	at := time.Now()
	var err error
	switch f.kind {
	case tornLedger:
		err = tearLedger(filepath.Join(n.dir, "ledger"))
	case tornQueue:
		var cut int64
		cut, err = tearQueue(filepath.Join(n.dir, "queue"), c.sizes, at)
		c.note("%d bytes torn off the queue", cut)
	case tornWARC:
		var torn bool
		if torn, err = tearWARC(n.dir, []byte("half a record")); !torn {
			c.note("%s had no WARC file to tear", n.name)
		}
	case queueLost:
		err = os.RemoveAll(filepath.Join(n.dir, "queue"))
	}
	if err != nil {
		return err
	}
	if f.node == schedulerName {
		if err := c.balanced(ctx); err != nil {
			return err
		}
	}
	pause(ctx, time.Until(at.Add(f.last)))
	return c.start(n)
}

// balanced recounts the ledger of a scheduler that was killed.
func (c *crawl) balanced(ctx context.Context) error {
	proof, err := c.check(ctx)
	if err != nil {
		return err
	}
	if !proof.Balances {
		c.failed("the ledger of the killed scheduler does not balance: %.5q", proof.Problems)
	}
	return nil
}

func (c *crawl) killAll(ctx context.Context, f fault) error {
	all := c.everyNode()
	for _, n := range all {
		n.proc().kill()
	}
	pause(ctx, f.last)
	for _, n := range all {
		if err := c.start(n); err != nil {
			return err
		}
	}
	return nil
}

// jumped moves a node's wall clock, and back.
func (c *crawl) jumped(ctx context.Context, f fault, n *node) error {
	if err := setClock(n, f.jump); err != nil {
		return err
	}
	pause(ctx, f.last)
	return setClock(n, 0)
}

// setClock replaces the file at once, so that a node never reads half of it.
func setClock(n *node, offset time.Duration) error {
	part := n.clock() + ".part"
	if err := os.WriteFile(part, []byte(offset.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(part, n.clock())
}

// Exit statuses of trawl that the faults allow.
const (
	exitFailed      = 1
	exitLimit       = 3
	exitInterrupted = 4
)

// filled fills a node's disk for a while. The node may wait for room or end with a line.
func (c *crawl) filled(ctx context.Context, f fault, n *node) error {
	n.proc().allow(exitFailed, exitLimit)
	if err := fill(n); err != nil {
		return err
	}
	pause(ctx, f.last)
	if err := os.Remove(filler(n)); err != nil {
		return err
	}
	const mayEnd = 12 * time.Second // one that is about to, and saves what it can
	if n.proc().wait(ctx, mayEnd) {
		c.note("%s ended with %d on a full disk: %s", n.name, n.proc().status(), lastWordsOf(n.proc().log))
		if n.proc().status() == 0 {
			return nil
		}
		return c.start(n)
	}
	c.note("%s lived through a full disk", n.name)
	return nil
}

// locked starts a node on a disk that cannot be written: it must say so and end.
func (c *crawl) locked(ctx context.Context, f fault, n *node) error {
	n.proc().kill()
	if err := setReadOnly(n, true); err != nil {
		return err
	}
	if err := c.start(n); err != nil {
		return err
	}
	n.proc().allow(exitFailed, 2)
	const patience = 10 * time.Second
	if !n.proc().wait(ctx, patience) {
		c.failed("%s runs on a read-only disk", n.name)
		n.proc().kill()
	} else {
		c.note("%s ended with %d on a read-only disk: %s", n.name, n.proc().status(), lastWordsOf(n.proc().log))
	}
	pause(ctx, f.last)
	if err := setReadOnly(n, false); err != nil {
		return err
	}
	return c.start(n)
}

// drainPatience is how long a node may take to end after SIGTERM.
const drainPatience = 20 * time.Second

// drained ends a node as a user does, and starts it again.
func (c *crawl) drained(ctx context.Context, f fault, n *node) error {
	if again, err := c.endGently(ctx, n); !again || err != nil {
		return err
	}
	pause(ctx, f.last)
	return c.start(n)
}

// endGently sends SIGTERM and waits. It reports whether the node has work to come back for.
func (c *crawl) endGently(ctx context.Context, n *node) (again bool, err error) {
	n.proc().allow(exitInterrupted)
	n.proc().signal(syscall.SIGTERM)
	if !n.proc().wait(ctx, drainPatience) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		c.failed("%s did not end within %v of SIGTERM", n.name, drainPatience)
		n.proc().kill()
	}
	return n.proc().status() != 0, nil
}

// older lets a build of the last merged version do a node's work for a while.
func (c *crawl) older(ctx context.Context, f fault, n *node) error {
	b := c.setting.older
	if b.program == "" || b.plain && n.name == schedulerName {
		c.note("%s: left out, %s", f, cmp.Or(b.why, "the older version does not tell its turns"))
		return nil
	}
	if again, err := c.endGently(ctx, n); !again || err != nil {
		return err
	}
	n.program, n.plain = b.program, b.plain
	if err := c.start(n); err != nil {
		return err
	}
	pause(ctx, f.last)
	again, err := c.endGently(ctx, n)
	n.program, n.plain = c.trawl, false
	if !again || err != nil {
		return err
	}
	return c.start(n)
}

const (
	// churners is how many fetchers come and go.
	churners = 3
	// churnLow and churnHigh bound the time between two comings and goings.
	churnLow, churnHigh = 500 * time.Millisecond, 2 * time.Second
)

// churned lets fetchers join and leave, by SIGTERM and by kill -9. All are back at the end, to ship what they hold.
func (c *crawl) churned(ctx context.Context, f fault) error {
	r := rand.New(rand.NewPCG(uint64(f.at), uint64(f.last)))
	until := time.Now().Add(f.last)
	var all []*node
	for i := range churners {
		n, err := c.add(fmt.Sprintf("c%d", i+1))
		if err != nil {
			return err
		}
		all = append(all, n)
	}
	away := make(map[*node]time.Time)
	for time.Now().Before(until) && ctx.Err() == nil && !c.done() {
		n := all[r.IntN(len(all))]
		switch {
		case n.proc() == nil || !n.proc().running():
			if at, killed := away[n]; killed {
				c.happen(happened{kind: killFetcher, node: n.name, begin: at, end: time.Now(), leased: c.leaseNow(ctx)})
				delete(away, n)
			}
			if err := c.start(n); err != nil {
				return err
			}
		case r.IntN(2) == 0:
			c.leaseNow(ctx)
			n.proc().kill()
			away[n] = time.Now()
		default:
			if _, err := c.endGently(ctx, n); err != nil {
				return err
			}
		}
		pause(ctx, churnLow+rand.N(churnHigh-churnLow))
	}
	for _, n := range all {
		if at, killed := away[n]; killed {
			c.happen(happened{kind: killFetcher, node: n.name, begin: at, end: time.Now(), leased: c.leaseNow(ctx)})
		}
		if n.proc() == nil || !n.proc().running() && n.proc().status() != 0 {
			if err := c.start(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// done reports whether the job is done.
func (c *crawl) done() bool {
	s := c.process(schedulerName)
	return !s.running() && s.status() == 0
}
