package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"trawl/internal/webfarm"
)

// scenario is a web, the tools that are measured on it, and what must be true of them.
type scenario struct {
	name   string // for -only
	title  string
	shape  shape
	small  shape // of -quick; the zero shape leaves the scenario out
	tools  func(k kit) []*tool
	ratios func(s *study, all []*study) []ratio // the figures that matter; bench-quick guards them
	checks []check
}

// ratio is one figure of a scenario that does not depend on the machine, or hardly.
type ratio struct {
	name  string
	value spread
	want  float64 // at least, 0 for a figure that is only shown
}

// shape is what a web looks like.
type shape struct {
	hosts, pages int           // pages of each host
	bytes        int           // of each page, 0 for a mix of 8 to 30 KB
	latency      time.Duration // to the first byte
	gzip         bool          // pages are sent in gzip
	flat         bool          // pages without links
}

func (s shape) total() int { return s.hosts * s.pages }

// kit is what tools are made with.
type kit struct {
	settings
	self  string // this program
	shape shape
}

// tool is one of the things measured in a scenario. The first of a scenario is what the others are compared
// with.
type tool struct {
	name    string
	what    string        // it does, for the report
	program string        // that must be installed, if any
	own     bool          // it must not fail
	rounds  int           // at most, 0 for as many as are asked for
	limit   time.Duration // of a round, 0 for roundTime
	passes  int           // over all pages; 0 and 1 are one
	do      func(ctx context.Context, r *round) error
	after   func(r *round) error // checks what it wrote
	done    []outcome
	broken  error // why it has no more rounds
}

// outcome is what a tool did in one round.
type outcome struct {
	usage
	audit   webfarm.Total
	written error // what after found
	failed  error // how a peer ended
	cut     bool  // it took longer than roundTime
	line    timeline
}

// installed reports whether a tool can run here.
func (t *tool) installed() bool {
	if t.program == "" {
		return true
	}
	_, err := exec.LookPath(t.program)
	return err == nil
}

// more reports whether the tool takes part in a round, counted from 0.
func (t *tool) more(round int) bool {
	if !t.installed() || t.broken != nil || t.rounds > 0 && round >= t.rounds {
		return false
	}
	return len(t.done) == 0 || !t.done[len(t.done)-1].cut // else it took too long, and would again
}

// pages is how many pages a round brought, as the server saw it: for a crawl each counts once.
func (t *tool) pages(o outcome) int64 {
	if t.passes > 1 {
		return o.audit.Pages
	}
	return o.audit.Unique
}

// rate is pages a second over the whole life of the process.
func (t *tool) rate(o outcome) float64 { return float64(t.pages(o)) / o.wall.Seconds() }

// cpuPerPage is the processor time of the process for a page.
func (t *tool) cpuPerPage(o outcome) time.Duration {
	return o.cpu / time.Duration(max(t.pages(o), 1))
}

// served is the time that the server saw the tool, from its first request to the end of the last answer.
func (o outcome) served() time.Duration { return o.audit.Last.Sub(o.audit.First) }

// spread is the middle of a figure over the rounds.
func (t *tool) spread(value func(outcome) float64) spread {
	var v []float64
	for _, o := range t.done {
		v = append(v, value(o))
	}
	return newSpread(v)
}

// ratio compares the rate with that of another tool, round by round. Where the other took part in fewer
// rounds, its last one counts.
func (t *tool) ratio(to *tool) spread {
	var v []float64
	for i, o := range t.done {
		v = append(v, t.rate(o)/to.rate(to.done[min(i, len(to.done)-1)]))
	}
	return newSpread(v)
}

// study is a scenario with what came out.
type study struct {
	*scenario
	settings
	shape shape
	tools []*tool
	total int // pages of the web
}

// measured returns whether every tool that must not fail has figures.
func (s *study) measured() bool {
	return !slices.ContainsFunc(s.tools, func(t *tool) bool { return t.own && len(t.done) == 0 })
}

// find is the study of a scenario, nil where it has no figures.
func find(all []*study, name string) *study {
	for _, s := range all {
		if s.name == name && s.measured() {
			return s
		}
	}
	return nil
}

// tool finds a tool that was measured, nil for others.
func (s *study) tool(name string) *tool {
	for _, t := range s.tools {
		if t.name == name && len(t.done) > 0 {
			return t
		}
	}
	return nil
}

// check says what must be true of a scenario.
type check func(s *study, all []*study) []finding

// finding is one line of the report.
type finding struct {
	ok   bool
	text string
}

func found(ok bool, format string, args ...any) finding {
	return finding{ok, fmt.Sprintf(format, args...)}
}
