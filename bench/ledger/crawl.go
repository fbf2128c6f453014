package main

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/core"
	"trawl/storage/ledger"
)

const fetcher = "fetcher-1"

// crawl runs a scheduler's core on a ledger with fetchers that answer at once: turns are offered, asked for and reported
// page by page, each with its links; what is measured is what the scheduler's loop does with them.
type crawl struct {
	web      *web
	l        *ledger.Ledger
	core     *core.Core
	now      time.Time
	rng      *mrand.Rand
	hosts    *mrand.Zipf // of links to other hosts
	slots    int
	links    int // of a page
	known    int // of a hundred links
	fresh    int // URLs that were made up
	tasks    []crawler.Task
	position uint64
	result
}

// result is what a crawl has measured.
type result struct {
	checks, pages int
	new           int64
	busy          time.Duration // in steps and commits
	steps         []time.Duration
}

func newCrawl(w *web, l *ledger.Ledger, job crawler.Job, now time.Time, links core.Options) (*crawl, error) {
	state, err := l.Load(context.Background())
	if err != nil {
		return nil, err
	}
	if state.Clock.After(now) {
		now = state.Clock
	}
	c := &crawl{web: w, l: l, now: now, rng: random(7, state.Sequence), fresh: int(state.Sequence), position: state.Position}
	c.hosts = mrand.NewZipf(c.rng, 1.1, 20, uint64(w.hosts-1))
	o := links
	o.Job, o.Read, o.Jitter = job, l, c.rng.Float64
	o.Draw = func(b []byte) { _, _ = rand.Read(b) } // never fails
	c.core, err = core.New(o, &state, now)
	if err != nil {
		return nil, err
	}
	for _, order := range c.core.Start(&state) {
		for done := false; !done; {
			st, _, err := c.step(&core.Events{Order: order})
			if err != nil {
				return nil, err
			}
			done = st.Done()
		}
	}
	return c, nil
}

// step makes, commits and takes over one step, as the scheduler's loop does.
func (c *crawl) step(e *core.Events) (*core.Step, core.Effects, error) {
	e.Now, e.Fetchers = c.now, []crawler.FetcherStatus{{Name: fetcher, Slots: c.slots}}
	begin := time.Now()
	st, err := c.core.Step(e)
	if err != nil {
		return nil, core.Effects{}, err
	}
	if changes := st.Changes(); changes != nil {
		if err := c.l.Commit(changes); err != nil {
			return nil, core.Effects{}, err
		}
	}
	effects := c.core.Committed(st)
	c.core.Sent()
	took := time.Since(begin)
	c.busy += took
	c.steps = append(c.steps, took)
	return st, effects, nil
}

// run crawls until so many links were checked, and what was begun then is ended.
func (c *crawl) run(checks int) error {
	var granted []crawler.Task
	idle := 0
	for c.checks < checks || len(granted)+len(c.tasks) > 0 {
		if c.checks >= checks {
			c.slots = 0
		}
		e := core.Events{}
		for i := range granted {
			c.position++
			e.Parts = append(e.Parts, crawler.LoggedPart{Position: c.position, Part: c.report(&granted[i])})
		}
		asked := c.tasks
		for i := range asked {
			e.Asks = append(e.Asks, crawler.Ask{Turn: asked[i].Turn, Host: asked[i].Host, Holder: crawler.HolderID(asked[i].Turn), Fetcher: fetcher})
		}
		_, effects, err := c.step(&e)
		if err != nil {
			return err
		}
		granted = granted[:0]
		for i, a := range effects.Answers {
			if a.Verdict == crawler.Granted {
				granted = append(granted, asked[i])
			}
		}
		c.tasks = effects.Tasks
		if idle++; len(granted)+len(c.tasks)+len(e.Parts) > 0 {
			idle = 0
		} else if idle > 100 { // a start waits for the delay of hosts
			return fmt.Errorf("no host is due after %d pages", c.pages)
		}
		c.now = c.now.Add(time.Second)
	}
	return nil
}

// report is what a fetcher says of a turn: all its pages were fetched, each with its links.
func (c *crawl) report(t *crawler.Task) crawler.Part {
	p := crawler.Part{Turn: t.Turn, Host: t.Host, Holder: crawler.HolderID(t.Turn), Number: 1, Fetcher: fetcher, End: true}
	p.State.Requests, p.State.MeanTime = len(t.URLs), 100*time.Millisecond
	for i := range t.URLs {
		r := crawler.Result{URL: t.URLs[i].URL}
		c.pages++
		fetch(&r, c.rng, uint64(c.fresh+c.pages), c.now)
		p.Results = append(p.Results, r)
		p.Links = append(p.Links, crawler.PageLinks{Page: r.URL, Links: c.pageLinks(t.Host)})
	}
	return p
}

// pageLinks are the links of a page: three quarters stay on its host, half of those are the menus that all its pages have.
func (c *crawl) pageLinks(h weburl.Host) []crawler.Link {
	host, own := c.web.number(h), c.links*74/100
	made := make([]crawler.Link, 0, c.links)
	for i := range c.links {
		at, number := host, i
		switch {
		case i >= own:
			at = int(c.hosts.Uint64())
			number = int(float64(c.web.size(at)) * square(c.rng.Float64()))
		case i >= own/2 || i >= c.web.size(host):
			number = c.rng.IntN(c.web.size(host))
		}
		if c.rng.IntN(100) >= c.known {
			c.fresh++
			number = 1<<24 + c.fresh // one that nobody had
			c.new++
		}
		made = append(made, crawler.Link{URL: c.web.url(at, number)})
	}
	c.checks += len(made)
	return made
}

func square(x float64) float64 { return x * x }

// quantile of the steps' durations.
func (r *result) quantile(q float64) time.Duration {
	slices.Sort(r.steps)
	return r.steps[min(len(r.steps)-1, int(float64(len(r.steps))*q))]
}
