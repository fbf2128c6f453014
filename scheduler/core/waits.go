package core

import (
	"fmt"
	"math"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/explain"
)

// nextHost is the idle host that is to be asked next, nil when there is none or its record is not at hand.
func (c *Core) nextHost() *crawler.HostState {
	name, ok := c.state.window.First()
	if !ok {
		return nil
	}
	return c.state.hosts.Get(name)
}

// hostTrouble says what keeps a host from being asked, or from being asked as fast as the user would like; "" when nothing does. It
// changes only when its cause does: no times are in it.
func (c *Core) hostTrouble(h *crawler.HostState) string {
	switch {
	case h.Gone():
		return crawler.FaultText(h.Host, h.Away, h.AwayDetail)
	case h.RobotsTries > 0:
		return fmt.Sprintf("robots.txt of %s cannot be read (%s)", h.Host, h.RobotsDetail)
	case c.slowed(h):
		return fmt.Sprintf("%s is slowed by %d", h.Host, h.Refused)
	}
	return ""
}

// slowed reports whether a host's back-off is what its delay comes from.
func (c *Core) slowed(h *crawler.HostState) bool {
	return h.Refused > 0 && h.Penalty > 0 && h.Penalty >= h.DelayInForce(&c.state.job.Job)
}

// slowest is the host that is being asked and is slowed the most, nil when none is.
func (c *Core) slowest() (slowest *crawler.HostState) {
	for name := range c.state.turns.All() {
		if h := c.state.hosts.Get(name); h != nil && c.slowed(h) && (slowest == nil || h.Penalty > slowest.Penalty) {
			slowest = h
		}
	}
	return slowest
}

// probing is the host that is being probed, when nobody else is being asked; nil otherwise.
func (c *Core) probing() (h *crawler.HostState) {
	for name, t := range c.state.turns.All() {
		if !t.Probe {
			return nil
		}
		if one := c.state.hosts.Get(name); one != nil && one.Gone() {
			h = one
		}
	}
	return h
}

// onlyAway reports whether nothing is left to be asked but hosts that are away.
func (c *Core) onlyAway() bool {
	n, whole := c.state.window.Len()
	return whole && int64(n+c.state.turns.Len()) <= c.state.tallies.Away && c.state.seeded
}

// asking says what goes on while hosts are being asked.
func (c *Core) asking(t *crawler.Status) (text, trouble string) {
	if h := c.probing(); h != nil {
		return c.awayText(h, "it is being tried"), c.hostTrouble(h)
	}
	text = fmt.Sprintf("%d hosts are being asked, each at its own pace", t.HostsHeld)
	if t.HostsHeld == 1 {
		text = "one host is being asked, at its own pace"
	}
	if h := c.slowest(); h != nil {
		text += fmt.Sprintf("; %s is slowed to %s by %d", h.Host, waitText(h.Penalty), h.Refused)
		trouble = c.hostTrouble(h)
	}
	if n := t.HostsAway; n > 0 {
		text += fmt.Sprintf("; %s", countAway(n))
		if h := c.anyAway(); h != nil {
			text += ", " + crawler.FaultText(h.Host, h.Away, h.AwayDetail)
			if trouble == "" {
				trouble = c.hostTrouble(h)
			}
		}
	}
	return text, trouble
}

// anyAway is one of the hosts that are away, nil when none is at hand.
func (c *Core) anyAway() *crawler.HostState {
	for name := range c.state.away.All() {
		if h := c.state.hosts.Get(name); h != nil && h.Gone() {
			return h
		}
	}
	return nil
}

func countAway(n int64) string {
	if n == 1 {
		return "one is away"
	}
	return fmt.Sprintf("%d are away", n)
}

// resting says what is waited for while nobody is being asked.
func (c *Core) resting(t *crawler.Status) (text, trouble string) {
	next := "may be asked in " + waitText(t.NextDue)
	h := c.nextHost()
	if h == nil {
		return "the next host " + next, ""
	}
	trouble = c.hostTrouble(h)
	switch {
	case h.Gone():
		text = c.awayText(h, "next try in "+waitText(t.NextDue))
	case h.RobotsTries > 0:
		text = fmt.Sprintf("%s, try %d of %d failed, next try in %s", trouble, h.RobotsTries, c.state.job.Job.Robots.Tries, waitText(t.NextDue))
	case c.slowed(h):
		text = fmt.Sprintf("%s is slowed to %s by %d, and %s", h.Host, waitText(h.Penalty), h.Refused, next)
	case h.Ready() <= 0 && h.Errands == 0 && h.Retry > 0:
		text = fmt.Sprintf("a URL of %s that failed is tried again in %s", h.Host, waitText(t.NextDue))
	default:
		text = "the next host, " + string(h.Host) + ", " + next
	}
	return text, trouble
}

// awayText tells of a host that is away, what comes next, and until when it is waited for.
func (c *Core) awayText(h *crawler.HostState, next string) string {
	b := strings.Builder{}
	switch n := c.state.tallies.Away; {
	case c.onlyAway() && n > 1:
		fmt.Fprintf(&b, "only hosts that are away are left, %d of them: ", n)
	case c.onlyAway():
		b.WriteString("only a host that is away is left: ")
	case n > 1:
		fmt.Fprintf(&b, "%d hosts are away: ", n)
	}
	fmt.Fprintf(&b, "%s, %s", crawler.FaultText(h.Host, h.Away, h.AwayDetail), next)
	if h.Answered == 0 {
		fmt.Fprintf(&b, ", attempt %d of %d failed", h.Failed, crawler.AttemptsNever)
		if advice := explain.Advice(h.Away); advice != "" {
			fmt.Fprintf(&b, " (%s)", advice)
		}
		return b.String()
	}
	if left := c.state.job.Job.HostPatience - (c.state.ran - h.AnsweredAt); left > 0 {
		fmt.Fprintf(&b, ", given up in %s unless it answers", waitText(left))
	} else {
		b.WriteString(", given up if that fails, too")
	}
	return b.String()
}

// waitText writes how long something takes, as people say it.
func waitText(d time.Duration) string {
	switch {
	case d < 950*time.Millisecond:
		return fmt.Sprintf("%.1f s", max(d, 100*time.Millisecond).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
