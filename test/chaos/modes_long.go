//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	// killHosts is how many hosts the pages of manyKills lie on, and killDelay their delay: a crawl of 50,000 pages
	// lasts some minutes, and most hosts are held at any time, so that each kill hits many.
	killHosts = 80
	killDelay = 400 * time.Millisecond
	// killLease and its kin keep the proportions of the defaults (15, 5 and 5 s), and are long against the delay.
	killLease = 4500 * time.Millisecond
	// calmDelay is that of the undisturbed run, of which only the rows are wanted.
	calmDelay = 20 * time.Millisecond
	// awayLow and awayHigh bound how long a killed node is away.
	awayLow, awayHigh = 200 * time.Millisecond, 1500 * time.Millisecond
)

// manyKills kills random nodes (-9) during one long crawl, spread over its pages.
func (b *bench) manyKills(ctx context.Context) error {
	s := b.setting
	s.hosts = min(killHosts, b.command.pages)
	s.pages, s.workers, s.throttled, s.limit = b.command.pages/s.hosts, 256, "0", 30*time.Minute
	s.lease, s.renew, s.grace = killLease, killLease/3, killLease/3
	fast := s
	fast.delay = calmDelay
	begun := time.Now()
	_, calm, err := b.one(ctx, fast, "calm", plan{}, nil)
	if err != nil {
		return fmt.Errorf("the undisturbed run: %w", err)
	}
	b.printf("undisturbed, with a delay of %v: %d rows in %v\n", calmDelay, len(calm.by), time.Since(begun).Round(time.Second))
	s.delay, begun = killDelay, time.Now()
	c, err := newCrawl(ctx, s, "kills", calm)
	if err != nil {
		return err
	}
	defer c.down()
	v, err := c.conduct(ctx, func(ctx context.Context) error { return b.killOn(ctx, c) })
	if err != nil {
		return err
	}
	if m := median(v.figures.lost); m > s.lease+s.grace {
		v.breach("idle: hosts of killed fetchers lost %v in the median, lease and grace are %v", m, s.lease+s.grace)
	}
	if v.figures.kills != b.kills {
		v.breach("kills: %d of %d were done before the job ended", v.figures.kills, b.kills)
	}
	return b.tell(c, fmt.Sprintf("%d kills during %d pages", b.kills, b.command.pages), time.Since(begun), v)
}

// killOn does the kills, each when its share of the pages is fetched.
func (b *bench) killOn(ctx context.Context, c *crawl) error {
	r := rand.New(rand.NewPCG(b.seed, 0x6b696c6c))
	nodes := c.everyNode()
	pages := len(c.calm.by) * 9 / 10 // those that will be fetched, roughly
	for i := range b.kills {
		for want := pages * (i + 1) / (b.kills + 1); ctx.Err() == nil && !c.done(); pause(ctx, 50*time.Millisecond) {
			if s, err := c.status(ctx); err == nil && s.Fetched >= want {
				break
			}
		}
		if c.done() {
			return nil
		}
		n := nodes[r.IntN(len(nodes))]
		h := happened{kind: killFetcher, node: n.name, leased: c.leaseNow(ctx), begin: time.Now()}
		if n.name == schedulerName {
			h.kind = killScheduler
		}
		n.proc().kill()
		if !pause(ctx, awayLow+time.Duration(r.Int64N(int64(awayHigh-awayLow)))) {
			return ctx.Err()
		}
		if err := c.start(n); err != nil {
			return err
		}
		h.end = time.Now()
		c.happen(h)
		c.note("kill %d: %s, %d URLs leased", i+1, n.name, h.leased)
	}
	return nil
}

// The long cut.
const (
	cutFetchers = 5
	cutAway     = 3 // of them
	cutAt       = 10 * time.Second
	cutFor      = time.Minute
)

// longCut cuts the network between the scheduler and three of five fetchers for a minute.
func (b *bench) longCut(ctx context.Context) error {
	if b.setting.loopback {
		return fmt.Errorf("-cut needs network namespaces")
	}
	s := b.setting
	s.fetchers, s.hosts, s.pages, s.delay, s.throttled = cutFetchers, 40, 230, 500*time.Millisecond, "0"
	s.limit = 6 * time.Minute
	fast := s
	fast.delay = calmDelay
	_, calm, err := b.one(ctx, fast, "calm", plan{}, nil)
	if err != nil {
		return fmt.Errorf("the undisturbed run: %w", err)
	}
	begun := time.Now()
	c, err := newCrawl(ctx, s, "cut", calm)
	if err != nil {
		return err
	}
	defer c.down()
	var from, to time.Time
	v, err := c.conduct(ctx, func(ctx context.Context) error {
		var pairs []pair
		for i := range cutAway {
			pairs = append(pairs, both(schedulerName, fmt.Sprintf("f%d", i+1))...)
		}
		if !pause(ctx, cutAt) {
			return ctx.Err()
		}
		from = time.Now()
		leased := c.leaseNow(ctx)
		c.fabric.set(link{cut: true}, pairs...)
		pause(ctx, cutFor)
		c.fabric.set(link{}, pairs...)
		to = time.Now()
		for i := range cutAway {
			c.happen(happened{kind: cutBoth, node: fmt.Sprintf("f%d", i+1), begin: from, end: to, leased: leased})
			leased = 0 // it was of all
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.judgeCut(v, from, to); err != nil {
		return err
	}
	return b.tell(c, fmt.Sprintf("%d of %d fetchers cut off for %v", cutAway, cutFetchers, cutFor), time.Since(begun), v)
}

// judgeCut looks at who asked when.
func (c *crawl) judgeCut(v *verdict, from, to time.Time) error {
	requests, err := readRequests(c.requests())
	if err != nil {
		return err
	}
	var lastAway, backAgain time.Time
	during := make(map[string]int)
	for i := range requests {
		q := &requests[i]
		name := c.names[q.Source]
		away := slices.ContainsFunc([]string{"f1", "f2", "f3"}, func(f string) bool { return f == name })
		switch {
		case q.Begin.Before(from):
		case q.Begin.Before(to):
			during[name]++
			if away {
				lastAway = q.Begin
			}
		case away && backAgain.IsZero():
			backAgain = q.Begin
		}
	}
	silent := lastAway.Sub(from)
	if silent > c.lease+rightSlack {
		v.breach("cut: a fetcher asked %v after it was cut off, a lease is %v", silent, c.lease)
	}
	if during["f4"] == 0 || during["f5"] == 0 {
		v.breach("cut: the others did not go on: %v", during)
	}
	if backAgain.IsZero() {
		v.breach("cut: none of those that were cut off worked again")
	}
	v.note("the three were silent %v after the cut, and asked again %v after it was healed; requests meanwhile: %v",
		silent.Round(time.Millisecond), backAgain.Sub(to).Round(time.Millisecond), during)
	return nil
}

// tell writes the result of a single long crawl.
func (b *bench) tell(c *crawl, what string, took time.Duration, v *verdict) error {
	for _, note := range v.notes {
		if !strings.HasPrefix(note, "kill ") || b.command.verbose {
			b.printf("  %s\n", note)
		}
	}
	word := "ok"
	if len(v.breaches) > 0 {
		word = "FAILED"
	}
	b.printf("%s: %s in %v: %s\n", what, word, took.Round(time.Second), &v.figures)
	if len(v.breaches) == 0 {
		return nil
	}
	for _, breach := range firstFew(v.breaches) {
		b.printf("  %s\n", breach)
	}
	if v.stall >= maxStall {
		b.printf("  the machine stood still for %v meanwhile, so this may tell nothing: run it again on an idle one\n", v.stall.Round(time.Millisecond))
	}
	return errBreach
}
