//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// crawl is one crawl under faults.
type crawl struct {
	*cluster
	calm *rows // of the undisturbed run; nil when this is it

	mu     sync.Mutex
	faults []happened
	leased int // as last told
	sizes  *sizes
	stalls stallMeter
	notes  []string
}

// newCrawl makes the machines of a crawl.
func newCrawl(ctx context.Context, s setting, name string, calm *rows) (c *crawl, err error) {
	one, err := newCluster(s, name)
	if err != nil {
		return nil, err
	}
	c = &crawl{cluster: one, calm: calm, sizes: newSizes()}
	made := c
	defer func() {
		if err != nil {
			made.down()
		}
	}()
	if err := c.startWeb(ctx); err != nil {
		return nil, err
	}
	for i := range s.fetchers + 1 {
		name := schedulerName
		if i > 0 {
			name = fmt.Sprintf("f%d", i)
		}
		if _, err := c.add(name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// begin starts all nodes and waits for the first pages.
func (c *crawl) begin(ctx context.Context) error {
	for _, n := range c.everyNode() {
		if err := c.start(n); err != nil {
			return err
		}
	}
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause(ctx, 50*time.Millisecond) {
		if s, err := c.status(ctx); err == nil && s.Fetched > 0 {
			c.begun = time.Now()
			return nil
		}
		if n := c.node(schedulerName); !n.proc().running() {
			return fmt.Errorf("the scheduler ended before the first page: %v", n.proc().end())
		}
	}
	return errors.New("no page was fetched within 20 s of the start")
}

// run takes the cluster through a plan to the end of the job and audits it.
func (c *crawl) run(ctx context.Context, p plan) (*verdict, error) {
	for _, f := range p.faults {
		if n := c.node(f.node); f.kind.disk() {
			if err := mountDisk(n); err != nil {
				return nil, err
			}
		}
	}
	return c.conduct(ctx, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		for _, f := range p.faults {
			g.Go(func() error { return c.inject(ctx, f) })
		}
		return g.Wait()
	})
}

// conduct starts the cluster, lets faults be done to it, waits for the end of the job and audits it.
func (c *crawl) conduct(ctx context.Context, faults func(context.Context) error) (*verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { c.watch(watching) })
	beside.Go(func() { c.stalls.run(watching) })
	err := faults(ctx)
	if err == nil {
		err = c.finish(ctx)
	}
	stop()
	beside.Wait()
	if err != nil {
		_, worst := c.stalls.told()
		return &verdict{stall: worst}, err
	}
	return c.audit(ctx)
}

// watch keeps what faults need to know of the time before them.
func (c *crawl) watch(ctx context.Context) {
	for pause(ctx, 250*time.Millisecond) {
		c.sizes.sample(filepath.Join(c.node(schedulerName).dir, "queue"))
		if s, err := c.status(ctx); err == nil {
			c.mu.Lock()
			c.leased = s.Leased
			c.mu.Unlock()
		}
	}
}

// note tells something that is no breach.
func (c *crawl) note(format string, args ...any) {
	c.mu.Lock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
	c.mu.Unlock()
	if c.verbose {
		fmt.Printf("  %s %s\n", clockTime(time.Now()), fmt.Sprintf(format, args...))
	}
}

// leaseNow is how many URLs are leased, or were when last told.
func (c *crawl) leaseNow(ctx context.Context) int {
	s, err := c.status(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.leased = max(s.Leased, c.leased)
		return c.leased
	}
	return c.leased
}

// finish waits for the end of the job and of all nodes.
func (c *crawl) finish(ctx context.Context) error {
	s := c.process(schedulerName)
	select {
	case <-s.ended:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errors.New("interrupted")
		}
		return fmt.Errorf("the job did not end within %v: %s", c.limit, c.where())
	}
	if s.status() != 0 {
		return fmt.Errorf("the scheduler ended with %v: %s", s.cmd.ProcessState, lastWordsOf(s.log))
	}
	const patience = 15 * time.Second
	for _, n := range c.everyNode() {
		if n.proc() == nil || n.proc().wait(ctx, patience) {
			continue
		}
		c.failed("%s did not end within %v of the end of the job", n.name, patience)
		n.proc().kill()
	}
	c.watching.Wait()
	c.web.signal(os.Interrupt)
	if !c.web.wait(ctx, patience) {
		return errors.New("the synthetic web did not end")
	}
	return nil
}

// where tells how far a crawl is that hangs.
func (c *crawl) where() string {
	s, err := c.status(context.Background())
	if err != nil {
		return "its scheduler does not answer: " + err.Error()
	}
	var names []string
	for _, f := range s.Fetchers {
		names = append(names, f.Name)
	}
	return fmt.Sprintf("%d of %d fetched, %d waiting, %d leased, %d hosts held, %d offered, fetchers %s", s.Fetched, s.Seen, s.Waiting, s.Leased, s.HostsHeld, s.HostsOffered, strings.Join(names, " "))
}

func lastWordsOf(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	return lastWords(text)
}

// audit judges a crawl that is over.
func (c *crawl) audit(ctx context.Context) (*verdict, error) {
	spans, worst := c.stalls.told()
	v := &verdict{stall: worst}
	c.mu.Lock()
	v.notes = append(v.notes, c.notes...)
	for _, bad := range c.bad {
		v.breach("ends: %s", bad)
	}
	faults := c.faults
	c.mu.Unlock()
	proof, err := c.check(ctx)
	if err != nil {
		return nil, err
	}
	if !proof.OK {
		v.breach("check: balances %v, problems %.5q, with fetchers %v", proof.Balances, proof.Problems, proof.Shipping)
	}
	if n := proof.Counts["waiting"] + proof.Counts["leased"]; n > 0 {
		v.breach("rows: %d wait or are leased", n)
	}
	got, err := readRows(c.export())
	if err != nil {
		return nil, err
	}
	for _, breach := range got.compare(c.calm) {
		v.breach("rows: %s", breach)
	}
	e := &evidence{names: c.names, faults: faults, delay: c.delay, lease: c.lease, grace: c.grace, loopback: c.loopback, stalls: spans}
	if e.requests, err = readRequests(c.requests()); err != nil {
		return nil, err
	}
	if e.turns, err = readTurns(c.node(schedulerName).logs); err != nil {
		return nil, err
	}
	if len(e.turns) == 0 || len(e.requests) == 0 {
		return nil, fmt.Errorf("nothing to judge: %d turns and %d requests in the logs", len(e.turns), len(e.requests))
	}
	e.judge(v)
	return v, nil
}
