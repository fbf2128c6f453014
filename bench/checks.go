package main

import "time"

// allByLoop wants every page of the loop, or its rate means nothing.
func allByLoop(s *study, _ []*study) []finding {
	var out []finding
	loop := s.tools[0]
	for i, o := range loop.done {
		if want := int64(s.total * max(loop.passes, 1)); o.audit.Pages != want || o.cut {
			out = append(out, found(false, "%s got %d pages in round %d, want %d", loop.name, o.audit.Pages, i+1, want))
		}
	}
	return out
}

// crawledWhole wants every page once, robots.txt first, and an export that has all.
func crawledWhole(s *study, _ []*study) []finding { return crawledWith(s, 1) }

// crawledWith is crawledWhole with so many requests to a host at once.
func crawledWith(s *study, perHost int) []finding {
	var out []finding
	rounds := 0
	for _, t := range s.tools {
		for i, o := range t.done {
			if t.after == nil {
				continue
			}
			rounds++
			a := o.audit
			if a.Unique != int64(s.total) || a.Repeats > 0 || a.Unknown > 0 {
				out = append(out, found(false, "%s, round %d: asked for %d of %d pages, %d again, %d unknown", t.name, i+1, a.Unique, s.total, a.Repeats, a.Unknown))
			}
			if a.Robots != int64(s.shape.hosts) || a.BeforeRobots > 0 || a.Disallowed > 0 || a.MaxConcurrency > perHost {
				out = append(out, found(false, "%s, round %d: robots.txt %d times for %d hosts, %d pages before it, %d disallowed, %d at once, %d allowed",
					t.name, i+1, a.Robots, s.shape.hosts, a.BeforeRobots, a.Disallowed, a.MaxConcurrency, perHost))
			}
			if o.written != nil {
				out = append(out, found(false, "%s, round %d: export: %v", t.name, i+1, o.written))
			}
		}
	}
	if len(out) == 0 {
		out = append(out, found(true, "trawl in %d rounds: every page once, robots.txt before it and once a host, the export has all", rounds))
	}
	return out
}

// atLeast wants a share of the first tool's rate.
func atLeast(want float64) check {
	return func(s *study, _ []*study) []finding {
		ratio := s.tool(toolTrawl).ratio(s.tools[0])
		return []finding{found(ratio.median >= want, "trawl/%s %s, at least %.2f wanted", s.tools[0].name, ratio.format("%.3f"), want)}
	}
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
