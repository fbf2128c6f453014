package webfarm

import (
	"fmt"
	"time"
)

// Rules are what a polite crawler keeps to. The zero value asks for one connection a host and no more
// delay than robots.txt does.
type Rules struct {
	Delay    time.Duration // between two requests to a host; a host's Crawl-delay counts where it is longer
	MaxDelay time.Duration // Crawl-delay counts up to this; 0 = 60 s
	PerHost  int           // requests open at once; default 1. With more the delay counts from start to start
	Slack    time.Duration // by which a measured gap may be shorter; default 5 ms

	NoRobots      bool // robots.txt need not be asked for or obeyed
	RobotsPerHost int  // requests for robots.txt for each scheme; default 1, plus the tries that the farm makes fail
	Repeats       bool // URLs may be asked for again after a final answer
}

// Breaches lists what the audit holds against the rules, one line each, at most one of a sort for each host.
func (f *Farm) Breaches(r Rules) []string { return f.breaches(f.Audit(), r) }

func (s *site) breaches(a Audit, r Rules) []string {
	setDefault(&r.PerHost, 1)
	setDefault(&r.Slack, 5*time.Millisecond)
	setDefault(&r.MaxDelay, time.Minute)
	setDefault(&r.RobotsPerHost, 1)
	var out []string
	for i, h := range a.Hosts {
		say := func(format string, args ...any) {
			text := fmt.Sprintf("%s: ", h.Host) + fmt.Sprintf(format, args...)
			if len(h.Samples) > 0 {
				text += fmt.Sprintf(" (for example %q)", h.Samples)
			}
			out = append(out, text)
		}
		delay := r.Delay
		if !r.NoRobots {
			delay = max(delay, min(h.CrawlDelay, r.MaxDelay))
		}
		if h.MaxConcurrency > r.PerHost {
			say("%d requests at once, %d allowed", h.MaxConcurrency, r.PerHost)
		}
		gap, from := h.MinGap, "the end of an answer"
		if r.PerHost > 1 {
			gap, from = h.MinStartGap, "the start of a request"
		}
		if gap >= 0 && gap < delay-r.Slack {
			say("%v from %s to the next request, %v wanted", gap, from, delay)
		}
		if h.Early > 0 {
			say("%d requests before the time of a Retry-After", h.Early)
		}
		if h.BadHost > 0 {
			say("%d requests with another Host header", h.BadHost)
		}
		if h.Excess > 0 && !r.Repeats {
			say("%d requests for URLs that had been answered for good", h.Excess)
		}
		if !r.NoRobots {
			s.robotsBreaches(i, h, r, say)
		}
	}
	return out
}

func (s *site) robotsBreaches(host int, h HostAudit, r Rules, say func(string, ...any)) {
	if h.Disallowed > 0 {
		say("%d requests that robots.txt forbids", h.Disallowed)
	}
	if h.BeforeRobots > 0 {
		say("%d requests before robots.txt had been answered", h.BeforeRobots)
	}
	most := int64(r.RobotsPerHost)
	if m := s.robotsMode(host); m == robotsError || m == robotsHang {
		most += int64(s.o.Robots.Times)
	}
	for scheme, n := range h.RobotsByScheme {
		if n > most {
			say("robots.txt asked for %d times over %s, %d allowed", n, scheme, most)
		}
	}
}

// total sums up.
func total(hosts []HostAudit) Total {
	t := Total{MinGap: -1, MinStartGap: -1}
	for _, h := range hosts {
		t.Counts.add(h.Counts)
		if h.First.IsZero() {
			continue
		}
		t.HostsAsked++
		if h.MinGap >= 0 && (t.MinGap < 0 || h.MinGap < t.MinGap) {
			t.MinGap, t.MinGapHost = h.MinGap, h.Host
		}
		if h.MinStartGap >= 0 && (t.MinStartGap < 0 || h.MinStartGap < t.MinStartGap) {
			t.MinStartGap, t.MinStartGapHost = h.MinStartGap, h.Host
		}
		if h.MaxConcurrency > t.MaxConcurrency {
			t.MaxConcurrency, t.MaxConcurrencyHost = h.MaxConcurrency, h.Host
		}
		if t.First.IsZero() || h.First.Before(t.First) {
			t.First = h.First
		}
		if h.Last.After(t.Last) {
			t.Last = h.Last
		}
	}
	return t
}

func (c *Counts) add(d Counts) {
	c.Requests += d.Requests
	c.Pages += d.Pages
	c.Unique += d.Unique
	c.Repeats += d.Repeats
	c.Excess += d.Excess
	c.Unknown += d.Unknown
	c.Robots += d.Robots
	c.RobotsHops += d.RobotsHops
	c.Disallowed += d.Disallowed
	c.BeforeRobots += d.BeforeRobots
	c.Early += d.Early
	c.BadHost += d.BadHost
	c.Bytes += d.Bytes
	c.Connections += d.Connections
}
