package core

import (
	"fmt"
	"time"

	"trawl/crawler"
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
	status.WaitsFor, status.Trouble = c.waitsFor(&status, now)
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

// waitsFor names the one thing that the job waits for now, and what is wrong, if something is.
func (c *Core) waitsFor(t *crawler.Status, now time.Time) (text, trouble string) {
	text = c.waitsForAll(t, now)
	switch {
	case text != "" || t.State != "running":
		return text, ""
	case t.HostsHeld > 0:
		return c.asking(t)
	case t.NextDue > 0:
		return c.resting(t)
	case t.Waiting+t.Leased == t.Parked && !c.state.seeded:
		return "the seeds are not all read yet, and there is nothing else to do", ""
	case t.Waiting+t.Leased == t.Parked && c.o.Stay:
		return "there is nothing to do; it stays for more seeds (trawl add)", ""
	}
	return "", ""
}

// waitsForAll names what keeps from asking any host, or more hosts; "" when nothing does.
func (c *Core) waitsForAll(t *crawler.Status, now time.Time) string {
	switch {
	case t.State == "paused":
		return "it is paused, and asks for nothing new until trawl resume"
	case t.State != "running":
		return ""
	case c.state.unsent >= maxUnsent:
		return "the task queue does not take the turns that are made"
	case c.state.streamFull:
		return "standard output does not take the rows"
	case c.state.quietFor(now) > 0:
		return fmt.Sprintf("restored from a backup: the rights of those who worked on end in %v", c.state.quietFor(now).Round(100*time.Millisecond))
	case c.state.careful() && t.Slots > 0:
		return fmt.Sprintf("one URL is asked for at a time, since the process ended %d times and nothing was settled; %d more", c.state.job.Ends, c.state.job.Careful)
	case t.Slots == 0:
		return "no fetcher has joined"
	case silentFetcher(t.Fetchers) != "":
		return silentFetcher(t.Fetchers)
	case int(t.HostsHeld+t.HostsOffered) >= t.Slots:
		return fmt.Sprintf("all %d slots of the fetchers are taken", t.Slots)
	case c.state.work.Pending() && t.HostsHeld == 0:
		return c.state.workWord()
	case t.HostsOffered > 0 && t.HostsHeld == 0:
		if mute := c.state.fetchers.MuteText(); mute != "" {
			return fmt.Sprintf("%d turns are offered, and %s", t.HostsOffered, mute)
		}
		return fmt.Sprintf("%d turns are offered and no fetcher takes them", t.HostsOffered)
	}
	return ""
}

// silentFetcher names a fetcher whose network is away, "" when there is none.
func silentFetcher(all []crawler.FetcherStatus) string {
	for i := range all {
		if text := all[i].SilentText(); text != "" {
			return "fetcher " + all[i].Name + " " + text
		}
	}
	return ""
}
