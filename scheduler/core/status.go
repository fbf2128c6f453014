package core

import (
	"time"

	"trawl/crawler"
	"trawl/scheduler/waits"
)

// Status is how the job stands. Its rates are left to who looks at it again and again.
func (c *Core) Status(now time.Time) crawler.Status {
	s := c.state
	t := s.tallies.Clone()
	status := crawler.StatusOf(&s.job.Job, &t)
	status.State, status.Elapsed, status.Finished = c.stateWord(), now.Sub(s.startedAt), s.job.Finished
	status.HostsHeld, status.Slots, status.Fetchers = int64(s.turns.Held()), s.slots(), s.fetchers.Status(s.turns)
	status.HostsOffered = int64(s.turns.Len()) - status.HostsHeld
	status.HostsDue = s.hostsDue(now)
	if due, ok := s.window.Next(); ok {
		status.NextDue = max(0, due.Sub(now))
	}
	status.WaitsFor, status.Trouble = c.view(&status, now).Text()
	return status
}

// fewHosts are counted at each status; of more, at most once in dueEvery.
const (
	fewHosts = 1 << 12
	dueEvery = time.Second
)

// hostsDue counts the hosts that may be asked now, of those that the window has.
func (s *state) hostsDue(now time.Time) int64 {
	if n, _ := s.window.Len(); n <= fewHosts || now.Sub(s.dueAt) >= dueEvery {
		s.due, s.dueAt = s.window.Due(now), now
	}
	return s.due
}

func (c *Core) stateWord() string {
	switch {
	case c.state.over():
		return "done"
	case c.state.stopping:
		return "stopping"
	case c.state.job.Paused:
		return "paused"
	}
	return "running"
}

// view is what is said of the job.
func (c *Core) view(status *crawler.Status, now time.Time) *waits.View {
	s := c.state
	return &waits.View{
		Status: status, Job: &s.job, Work: &s.work, Ran: s.ran, Quiet: s.quietFor(now),
		QueueFull: s.unsent >= maxUnsent, StreamFull: s.streamFull, Seeded: s.seeded, Stay: c.o.Stay, Mute: s.fetchers.MuteText(),
		OnlyAway: c.onlyAway(), Next: c.nextHost(), Probe: c.probing(), Slowest: c.slowest(), Away: c.anyAway(),
	}
}

// nextHost is the idle host that is to be asked next, nil when there is none or its record is not at hand.
func (c *Core) nextHost() *crawler.HostState {
	name, ok := c.state.window.First()
	if !ok {
		return nil
	}
	return c.state.hosts.Get(name)
}

// slowest is the host that is being asked and is slowed the most, of those that are at hand; nil when none is.
func (c *Core) slowest() (slowest *crawler.HostState) {
	for name := range c.state.slow.All() {
		if h := c.state.hosts.Get(name); h != nil && c.state.turns.Get(name) != nil && waits.Slowed(h, &c.state.job.Job) && (slowest == nil || h.Penalty > slowest.Penalty) {
			slowest = h
		}
	}
	return slowest
}

// probing is the host that is being probed, when nobody else is being asked; nil otherwise.
func (c *Core) probing() *crawler.HostState {
	if !c.state.turns.Probes() {
		return nil
	}
	for name := range c.state.turns.All() {
		if h := c.state.hosts.Get(name); h != nil && h.Gone() {
			return h
		}
	}
	return nil
}

// onlyAway reports whether nothing is left to be asked but hosts that are away.
func (c *Core) onlyAway() bool {
	n, whole := c.state.window.Len()
	return whole && int64(n+c.state.turns.Len()) <= c.state.tallies.Away && c.state.seeded
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
