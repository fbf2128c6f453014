package main

import (
	"slices"
	"time"
)

// allByFirst wants every page of the loop that comes first, or its rate means nothing.
func allByFirst(s *study, _ []*study) []finding {
	var out []finding
	loop := s.tools[0]
	for i, o := range loop.done {
		if want := int64(s.total * max(loop.passes, 1)); o.audit.Pages != want || o.cut {
			out = append(out, found(false, "%s got %d pages in round %d, want %d", loop.name, o.audit.Pages, i+1, want))
		}
	}
	return out
}

// crawledWhole wants every page once, robots.txt first, at most so many requests to a host at once, and an
// export that has all.
func crawledWhole(perHost int) check {
	return func(s *study, _ []*study) []finding {
		out := wholeRounds(s)
		for _, t := range s.tools {
			for i, o := range t.done {
				a := o.audit
				if t.after != nil && (a.Robots != int64(s.shape.hosts) || a.BeforeRobots > 0 || a.Disallowed > 0 || a.MaxConcurrency > perHost) {
					out = append(out, found(false, "%s, round %d: robots.txt %d times for %d hosts, %d pages before it, %d disallowed, %d at once, %d allowed",
						t.name, i+1, a.Robots, s.shape.hosts, a.BeforeRobots, a.Disallowed, a.MaxConcurrency, perHost))
				}
			}
		}
		if len(out) == 0 {
			out = append(out, found(true, "trawl in all rounds: every page once, robots.txt before it and once a host, the export has all"))
		}
		return out
	}
}

// downloadedWhole wants every file once, and an export that has all.
func downloadedWhole(s *study, _ []*study) []finding {
	out := wholeRounds(s)
	if len(out) == 0 {
		out = append(out, found(true, "trawl in all rounds: every file once, the export has all"))
	}
	return out
}

// wholeRounds are the rounds of trawl that were not whole.
func wholeRounds(s *study) []finding {
	var out []finding
	for _, t := range s.tools {
		for i, o := range t.done {
			if t.after == nil {
				continue
			}
			a := o.audit
			if a.Unique != int64(s.total) || a.Repeats > 0 || a.Unknown > 0 {
				out = append(out, found(false, "%s, round %d: asked for %d of %d pages, %d again, %d unknown", t.name, i+1, a.Unique, s.total, a.Repeats, a.Unknown))
			}
			if o.written != nil {
				out = append(out, found(false, "%s, round %d: export: %v", t.name, i+1, o.written))
			}
		}
	}
	return out
}

// ratiosHold wants of each ratio what the scenario asks for.
func ratiosHold(s *study, all []*study) []finding {
	var out []finding
	for _, r := range s.ratios(s, all) {
		if r.want > 0 {
			out = append(out, found(r.value.median >= r.want, "%s %s, at least %.2f wanted", r.name, r.value.format("%.3f"), r.want))
		}
	}
	return out
}

// gapAtLeast wants no request to a host sooner after the last answer. The server sees both a little late.
func gapAtLeast(delay time.Duration) check {
	const slack = 5 * time.Millisecond
	return func(s *study, _ []*study) []finding {
		gap := s.tool(toolTrawl).spread(func(o outcome) float64 { return o.audit.MinGap.Seconds() })
		return []finding{found(gap.low >= (delay-slack).Seconds(), "smallest gap at the server %.3f s, delay %v", gap.low, delay)}
	}
}

// steady wants of the slowest second in mid-run a share of the median second.
func steady(want float64) check {
	return func(s *study, _ []*study) []finding {
		var v []float64
		for _, o := range s.tool(toolTrawl).done {
			if share, ok := o.line.slowest(); ok {
				v = append(v, share)
			}
		}
		if len(v) == 0 {
			return []finding{found(true, "the rounds are too short for a dip")}
		}
		dip := newSpread(v)
		return []finding{found(dip.median >= want, "slowest second in mid-run %s of the median second, at least %.2f wanted", dip.format("%.2f"), want)}
	}
}

// slowest compares the slowest second with the median one, from steadyFrom to steadyTo of the pages; ok is
// false when there are too few to compare.
func (l timeline) slowest() (share float64, ok bool) {
	const fewest = 3
	var v []float64
	step := int(time.Second / interval)
	for i := step; i < len(l); i++ {
		part := func(s sample) float64 { return float64(s.pages) / float64(l[len(l)-1].pages) }
		if part(l[i-step]) >= steadyFrom && part(l[i]) <= steadyTo {
			v = append(v, float64(l[i].pages-l[i-step].pages)/(l[i].at-l[i-step].at).Seconds())
		}
	}
	if len(v) < fewest {
		return 0, false
	}
	return slices.Min(v) / newSpread(v).median, true
}

// cpuAtMost bounds the processor time of a page, in µs.
func cpuAtMost(want float64) check {
	return func(s *study, _ []*study) []finding {
		t := s.tool(toolTrawl)
		cpu := t.spread(func(o outcome) float64 { return float64(t.cpuPerPage(o)) / float64(time.Microsecond) })
		return []finding{found(cpu.median <= want, "CPU %s µs a page, at most %.0f wanted", cpu.format("%.0f"), want)}
	}
}

// idleAtMost bounds the time without work of the machine, from steadyFrom to steadyTo of the pages.
func idleAtMost(want float64) check {
	return func(s *study, _ []*study) []finding {
		idle, ok := s.tool(toolTrawl).idle()
		if !ok {
			return []finding{found(false, "the machine's idle time is not known: a round is too short, or there is no /proc/stat")}
		}
		loop, _ := s.tools[0].idle()
		return []finding{found(idle.median <= want, "machine idle %s of the time between %.0f %% and %.0f %% of the pages (%s: %.2f), at most %.2f wanted",
			idle.format("%.2f"), steadyFrom*100, steadyTo*100, s.tools[0].name, loop.median, want)}
	}
}

// idle is the spread of the idle share over the rounds.
func (t *tool) idle() (s spread, ok bool) {
	var v []float64
	for _, o := range t.done {
		if share, ok := o.line.idle(); ok {
			v = append(v, share)
		}
	}
	if len(v) == 0 {
		return s, false
	}
	return newSpread(v), true
}

// rssAtMost bounds the memory in every round.
func rssAtMost(want float64) check {
	return func(s *study, _ []*study) []finding {
		rss := s.tool(toolTrawl).spread(func(o outcome) float64 { return float64(o.rss) })
		return []finding{found(rss.high < want, "peak RSS %.0f MB, less than %.0f wanted", rss.high/1e6, want/1e6)}
	}
}
