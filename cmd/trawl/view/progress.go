package view

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"trawl"
	"trawl/crawler"
)

// progressInterval is the time between two progress lines.
const progressInterval = 10 * time.Second

// troubleInterval is how often it is looked for something wrong, of which a line says at once.
const troubleInterval = time.Second

// estimateAfter is the time from the end of the seeds to the estimate, in which the status comes to know them.
const estimateAfter = 300 * time.Millisecond

// Progress shows how a running job goes: on a terminal as a live view, elsewhere as a line every few seconds.
type Progress struct {
	Seeds SeedCount // of a download, for the time that it will take

	w      io.Writer
	quiet  bool
	screen *screen // nil without a terminal
	colour bool
}

// New looks what can be shown on w: a live view where it is wanted and w is a terminal that can have one. What else is printed there goes
// through Writer from then on.
func New(w io.Writer, quiet, live bool) *Progress {
	p := &Progress{w: w, quiet: quiet, colour: os.Getenv("NO_COLOR") == ""}
	if file, ok := w.(*os.File); ok && live && !quiet {
		p.screen = openScreen(file)
	}
	if p.screen != nil {
		p.w = p.screen
	}
	return p
}

// Writer prints above the live view, or where there is none to what New was given.
func (p *Progress) Writer() io.Writer { return p.w }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Run shows the job until the returned function is called.
func (p *Progress) Run(ctx context.Context, c *trawl.Crawl, job *crawler.Job, workers int) (stop func()) {
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

// Kept prints which settings stay as they were, where the job goes on.
func (p *Progress) Kept(c *trawl.Crawl) {
	if before := c.AsBefore(); before != "" && !p.quiet {
		fmt.Fprintf(p.w, "as before: %s\n", before)
	}
}

// estimate prints how long a download will take, once its seeds are read.
func (p *Progress) estimate(ctx context.Context, c *trawl.Crawl, job *crawler.Job, workers int) {
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
	p.Seeds.mu.Lock()
	busiest := p.Seeds.busiest
	p.Seeds.mu.Unlock()
	if line := estimate(job, &s, busiest, workers); line != "" {
		fmt.Fprintln(p.w, line)
	}
}

func (p *Progress) show(ctx context.Context, c *trawl.Crawl) {
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
		Count(s.Fetched), s.PagesPerSecond, Bytes(int64(s.BytesPerSecond)), Count(s.Waiting+s.Leased), Count(s.Failed), Count(s.Hosts))
	if s.State == "paused" || s.State == "stopping" {
		b += "  " + s.State
	}
	if s.WaitsFor != "" {
		b += "  (" + s.WaitsFor + ")"
	}
	return b
}
