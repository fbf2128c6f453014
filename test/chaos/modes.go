//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// bench runs what a command asks for.
type bench struct {
	command
	setting
	out io.Writer

	mu     sync.Mutex
	failed []uint64
	total  figures
}

// errBreach says that something did not hold; what it was has been told.
var errBreach = errors.New("not all held")

func (b *bench) printf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.out, format, args...)
}

// undisturbed runs the crawl without faults, and audits it: what it breaks, no fault is to blame for.
func (b *bench) undisturbed(ctx context.Context) (*rows, error) {
	begun := time.Now()
	v, calm, err := b.tried(ctx, b.setting, "calm", plan{}, nil)
	if err != nil {
		return nil, fmt.Errorf("the undisturbed run: %w", err)
	}
	if len(v.breaches) > 0 {
		return nil, fmt.Errorf("the undisturbed run: %q", firstFew(v.breaches))
	}
	b.printf("undisturbed: %d rows in %v, %s\n", len(calm.by), time.Since(begun).Round(100*time.Millisecond), &v.figures)
	return calm, nil
}

// tried runs one crawl, again when it failed on a machine that stood still, where nothing can be measured.
func (b *bench) tried(ctx context.Context, s setting, name string, p plan, calm *rows) (v *verdict, got *rows, err error) {
	for try := 1; ; try++ {
		v, got, err = b.one(ctx, s, fmt.Sprintf("%s.%d", name, try), p, calm)
		if v == nil || err == nil && len(v.breaches) == 0 || v.stall < maxStall || try == maxTries || ctx.Err() != nil {
			return v, got, err
		}
		what := fmt.Sprintf("%d breaches", len(v.breaches))
		if err != nil {
			what = err.Error()
		}
		b.printf("%s again: the machine stood still for %v meanwhile, so this tells nothing: %s\n", name, v.stall.Round(time.Millisecond), what)
	}
}

// one runs one crawl, and gives its machines up.
func (b *bench) one(ctx context.Context, s setting, name string, p plan, calm *rows) (*verdict, *rows, error) {
	c, err := newCrawl(ctx, s, name, calm)
	if err != nil {
		return nil, nil, err
	}
	defer c.down()
	v, err := c.run(ctx, p)
	if err != nil {
		return v, nil, err
	}
	got, err := readRows(c.export())
	if err == nil && len(v.breaches) == 0 {
		err = c.remove()
	}
	return v, got, err
}

// manyPlans runs the seeded plans, some at a time.
func (b *bench) manyPlans(ctx context.Context) error {
	begun := time.Now()
	calm, err := b.undisturbed(ctx)
	if err != nil {
		return err
	}
	seeds := make(chan uint64)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(seeds)
		for i := range b.wanted() {
			if b.long > 0 && time.Since(begun) > b.long {
				return nil
			}
			select {
			case seeds <- b.first() + uint64(i):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	ran := 0
	for range b.jobs {
		g.Go(func() error {
			for seed := range seeds {
				b.plan(ctx, seed, calm)
				b.mu.Lock()
				ran++
				b.mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	slices.Sort(b.total.lost)
	slices.Sort(b.total.waited)
	b.printf("%d plans in %v, %d failed; %s\n", ran, time.Since(begun).Round(time.Second), len(b.failed), &b.total)
	if len(b.failed) > 0 {
		return errBreach
	}
	return nil
}

func (b *bench) first() uint64 {
	if b.replay > 0 {
		return b.replay
	}
	return b.seed
}

// endless is more plans than any time is enough for.
const endless = 1 << 30

func (b *bench) wanted() int {
	switch {
	case b.replay > 0:
		return 1
	case b.long > 0:
		return endless
	}
	return b.plans
}

// plan runs one plan and tells its line.
func (b *bench) plan(ctx context.Context, seed uint64, calm *rows) {
	p := newPlan(seed, b.setting.fetchers, b.lease)
	if b.setting.loopback {
		p.faults = slices.DeleteFunc(p.faults, func(f fault) bool { return f.kind.needsNamespace() })
	}
	begun := time.Now()
	v, _, err := b.tried(ctx, b.setting, fmt.Sprintf("p%d", seed), p, calm)
	took := time.Since(begun).Round(100 * time.Millisecond)
	if ctx.Err() != nil {
		return
	}
	var lines []string
	if err != nil {
		lines = []string{"  " + err.Error()}
	} else {
		for _, breach := range firstFew(v.breaches) {
			lines = append(lines, "  "+breach)
		}
		if len(lines) > 0 && v.stall >= maxStall {
			lines = append(lines, fmt.Sprintf("  the machine stood still for %v meanwhile", v.stall.Round(time.Millisecond)))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(lines) == 0 {
		b.total.add(&v.figures)
		fmt.Fprintf(b.out, "plan %d ok in %v: %s | %s\n", seed, took, p, &v.figures)
		return
	}
	b.failed = append(b.failed, seed)
	fmt.Fprintf(b.out, "plan %d FAILED in %v: %s\n", seed, took, p)
	for _, line := range lines {
		fmt.Fprintln(b.out, line)
	}
	fmt.Fprintf(b.out, "  again: go run ./test/chaos -replay %d -keep\n", seed)
}

// maxTold bounds the breaches that are told of a plan.
const maxTold = 12

func firstFew(lines []string) []string {
	if len(lines) <= maxTold {
		return lines
	}
	return append(slices.Clone(lines[:maxTold]), fmt.Sprintf("and %d more", len(lines)-maxTold))
}

func (f *figures) add(g *figures) {
	f.requests += g.requests
	f.robots += g.robots
	f.repeats += g.repeats
	f.leased += g.leased
	f.kills += g.kills
	f.lost = append(f.lost, g.lost...)
	f.waited = append(f.waited, g.waited...)
	f.idle = max(f.idle, g.idle)
	if f.gap == 0 || g.gap < f.gap {
		f.gap = g.gap
	}
}
