package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"trawl"
	"trawl/crawler"
)

// progressInterval is the time between two progress lines.
const progressInterval = 10 * time.Second

// troubleInterval is how often it is looked for something wrong, of which a line says at once.
const troubleInterval = time.Second

// estimateAfter is the time from the end of the seeds to the estimate, in which the status comes to know them.
const estimateAfter = 300 * time.Millisecond

// progress shows how a running job goes: on a terminal as a live view, elsewhere as a line every few seconds.
type progress struct {
	w      io.Writer
	quiet  bool
	screen *screen // nil without a terminal
	colour bool
	seeds  seedCount
}

// newProgress looks what can be shown. With a live view, everything that the program prints to standard
// error goes through its screen from here on.
func (p *program) newProgress(f *jobFlags) *progress {
	show := &progress{quiet: f.log.quiet, colour: os.Getenv("NO_COLOR") == ""}
	if file, ok := p.stderr.(*os.File); ok && !f.log.quiet && f.log.format != "json" && !(slices.Contains(f.node.Exports, "-") && isTerminal(p.stdout)) {
		show.screen = openScreen(file)
	}
	if show.screen != nil {
		p.stderr = show.screen
	}
	show.w = p.stderr
	return show
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run shows the job until the returned function is called.
func (p *progress) run(ctx context.Context, c *trawl.Crawl, job *crawler.Job, workers int) (stop func()) {
	if p.quiet {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	if job.Kind == crawler.Download {
		wg.Go(func() { p.estimate(ctx, c, job, workers) })
	}
	wg.Go(func() { p.show(ctx, c) })
	return func() {
		cancel()
		wg.Wait()
		if p.screen != nil {
			p.screen.end()
		}
	}
}

// kept prints which settings stay as they were, where the job goes on.
func (p *progress) kept(c *trawl.Crawl) {
	if before := c.AsBefore(); before != "" && !p.quiet {
		fmt.Fprintf(p.w, "as before: %s\n", before)
	}
}

// estimate prints how long a download will take, once its seeds are read.
func (p *progress) estimate(ctx context.Context, c *trawl.Crawl, job *crawler.Job, workers int) {
	select {
	case <-c.Seeded():
	case <-ctx.Done():
		return
	}
	t := time.NewTimer(estimateAfter)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return
	}
	s := c.Status()
	p.seeds.mu.Lock()
	busiest := p.seeds.busiest
	p.seeds.mu.Unlock()
	if line := estimate(job, &s, busiest, workers); line != "" {
		fmt.Fprintln(p.w, line)
	}
}

func (p *progress) show(ctx context.Context, c *trawl.Crawl) {
	every := troubleInterval
	if p.screen != nil {
		every = liveInterval
	}
	lines := lineClock{last: time.Now()}
	t := time.NewTicker(every)
	defer t.Stop()
	var pace pace
	for {
		select {
		case now := <-t.C:
			s := c.Status()
			if p.screen == nil {
				if lines.due(now, s.Trouble) {
					fmt.Fprintln(p.w, progressLine(s))
				}
				continue
			}
			v := view{Status: s, Left: pace.left(now, &s), Reading: !closed(c.Seeded())}
			p.screen.draw(func(width, height int) string { return v.render(width, height, p.colour) })
		case <-ctx.Done():
			return
		}
	}
}

// lineClock says when a progress line is due: every progressInterval, and once between two of those when something goes wrong.
type lineClock struct {
	last  time.Time // the newest line of the interval
	told  string    // what was wrong in the newest line
	extra bool      // there was one between
}

func (l *lineClock) due(now time.Time, trouble string) bool {
	switch {
	case now.Sub(l.last) >= progressInterval:
		l.last, l.extra = now, false
	case trouble != "" && l.told == "" && !l.extra:
		l.extra = true
	default:
		return false
	}
	l.told = trouble
	return true
}

func progressLine(s crawler.Status) string {
	b := fmt.Sprintf("%6s  %s fetched (%.1f/s, %s/s)  %s waiting  %s failed  %s hosts", s.Elapsed.Round(time.Second),
		count(s.Fetched), s.PagesPerSecond, bytesText(int64(s.BytesPerSecond)), count(s.Waiting+s.Leased), count(s.Failed), count(s.Hosts))
	if s.State == "paused" || s.State == "stopping" {
		b += "  " + s.State
	}
	if s.WaitsFor != "" {
		b += "  (" + s.WaitsFor + ")"
	}
	return b
}

// summary prints the last lines, which balance, and gives the exit status of a run that began then.
func (p *program) summary(c *trawl.Crawl, begun time.Time) int {
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
	for _, f := range c.LeftExports() {
		fmt.Fprintf(p.stderr, "  %s is not written yet, it takes longer: the next start writes it, or trawl export %s -o FILE\n", f, c.Dir())
	}
	if n := c.BadSeeds(); n > 0 {
		fmt.Fprintf(p.stderr, "  %s lines of the seeds could not be read\n", count(n))
	}
	switch e {
	case trawl.Interrupted:
		fmt.Fprintln(p.stderr, "  go on with the same command")
		return exitInterrupted
	case trawl.Incomplete:
		p.tellMissing(c.Missing(), c.Dir())
		return exitInterrupted
	case trawl.Limited:
		if s.Parked == 0 {
			fmt.Fprintln(p.stderr, "  go on with the same command")
		}
		return exitLimit
	}
	if !s.Finished.IsZero() && s.Finished.Before(begun) {
		fmt.Fprintf(p.stderr, "  this job finished at %s, and there was nothing new to do: --retry-failed takes failed URLs up again, --fresh begins anew\n",
			s.Finished.UTC().Format(time.RFC3339))
	}
	if s.Fetched+s.Unchanged == 0 {
		return exitNothing
	}
	return exitDone
}

// tellMissing names the bodies that did not arrive, and both ways on.
func (p *program) tellMissing(missing []trawl.Missing, dir string) {
	for _, m := range missing {
		fmt.Fprintf(p.stderr, "  fetcher %s has not shipped %s files that %s rows point to\n", cmp.Or(m.Fetcher, "(unknown)"), count(m.Files), count(m.Rows))
	}
	fmt.Fprintf(p.stderr, "  either run the same command again and start these fetchers again with their directories, which ship the files;\n")
	fmt.Fprintf(p.stderr, "  or, where they are lost for good, let the URLs be fetched again: trawl check --repair %s, then the same command\n", dir)
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
	keys := slices.SortedFunc(maps.Keys(m), byCount(m))
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = count(m[k]) + " " + string(k)
	}
	return strings.Join(parts, ", ")
}

// byCount orders words by their counts, the largest first.
func byCount[K ~string](m map[K]int64) func(a, b K) int {
	return func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) }
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
