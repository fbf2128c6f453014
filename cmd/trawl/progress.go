package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"trawl"
	"trawl/crawler"
)

// progressInterval is the time between two progress lines.
const progressInterval = 10 * time.Second

// progress prints a line of a running crawl every few seconds.
type progress struct {
	w     io.Writer
	crawl *trawl.Crawl
	quiet bool
}

func newProgress(w io.Writer, quiet bool, c *trawl.Crawl) *progress {
	return &progress{w: w, crawl: c, quiet: quiet}
}

// run prints until the returned function is called.
func (p *progress) run(ctx context.Context) (stop func()) {
	if p.quiet {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(progressInterval)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				fmt.Fprintln(p.w, progressLine(p.crawl.Status()))
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

func progressLine(s crawler.Status) string {
	b := fmt.Sprintf("%6s  %s fetched (%.1f/s, %s/s)  %s waiting  %s failed  %s hosts", s.Elapsed.Round(time.Second),
		count(s.Fetched), s.PagesPerSecond, bytesText(int64(s.BytesPerSecond)), count(s.Waiting+s.Leased), count(s.Failed), count(s.Hosts))
	if s.WaitsFor != "" {
		b += "  (" + s.WaitsFor + ")"
	}
	return b
}

// summary prints the last lines, which balance, and gives the exit status.
func (p *program) summary(c *trawl.Crawl) int {
	s, e := c.Status(), c.Ending()
	fmt.Fprintf(p.stderr, "%s after %v: %s\n", e, s.Elapsed.Round(100*time.Millisecond), balance(s))
	if s.Failed+s.Excluded > 0 {
		fmt.Fprintf(p.stderr, "  why: %s\n", words(s.Reasons))
	}
	if len(s.Dropped) > 0 {
		fmt.Fprintf(p.stderr, "  links not admitted: %s\n", words(s.Dropped))
	}
	if len(s.Bounds) > 0 {
		fmt.Fprintf(p.stderr, "  limits hit: %s\n", words(s.Bounds))
	}
	if s.Reasons[crawler.ReasonPrivateAddress] > 0 {
		fmt.Fprintln(p.stderr, "  private addresses are reached only with --allow-private, or when a seed spells them")
	}
	if s.Parked > 0 {
		fmt.Fprintf(p.stderr, "  %s URLs wait beyond a limit; raise it and run the same command to go on\n", count(s.Parked))
	}
	fmt.Fprintf(p.stderr, "  %s from %s hosts in %s\n", bytesText(s.Bytes), count(s.Hosts), c.Dir())
	for _, x := range c.Exported() {
		fmt.Fprintf(p.stderr, "  %s rows in %s\n", count(x.Rows), x.File)
	}
	if n := c.BadSeeds(); n > 0 {
		fmt.Fprintf(p.stderr, "  %s lines of the seeds could not be read\n", count(n))
	}
	switch e {
	case trawl.Interrupted:
		fmt.Fprintln(p.stderr, "  go on with the same command")
		return exitInterrupted
	case trawl.Limited:
		return exitLimit
	}
	if s.Seen > 0 && s.Fetched+s.Unchanged == 0 {
		return exitNothing
	}
	return exitDone
}

// balance is the equation that every ledger satisfies.
func balance(s crawler.Status) string {
	terms := []string{}
	for _, t := range []struct {
		n    int64
		word string
	}{{s.Waiting, "waiting"}, {s.Leased, "leased"}, {s.Fetched, "fetched"}, {s.Redirected, "redirected"}, {s.Unchanged, "unchanged"}, {s.Failed, "failed"}, {s.Excluded, "excluded"}} {
		if t.n != 0 {
			terms = append(terms, count(t.n)+" "+t.word)
		}
	}
	if len(terms) == 0 {
		return "0 URLs seen"
	}
	return count(s.Seen) + " URLs seen = " + strings.Join(terms, " + ")
}

// words lists counts by word, the largest first.
func words[K ~string](m map[K]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		if m[a] != m[b] {
			return int(min(1, max(-1, m[b]-m[a])))
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = count(m[k]) + " " + string(k)
	}
	return strings.Join(parts, ", ")
}

// count writes a number with thousands separated.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func bytesText(n int64) string {
	f := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + u
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f TB", f)
}
