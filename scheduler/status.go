package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trawl/crawler"
)

func (s *Scheduler) publishStatus() {
	st, now := s.state, s.clock.now()
	t := st.tallies.Clone()
	c := &t.Counts
	status := crawler.Status{
		Job: st.job.Job.Name, Kind: st.job.Job.Kind, State: s.stateWord(), Elapsed: now.Sub(st.startedAt), Finished: st.job.Finished,
		Seen: t.Seen(), Waiting: c[crawler.Waiting], Leased: c[crawler.Leased], Fetched: c[crawler.Fetched],
		Redirected: c[crawler.Redirected], Unchanged: c[crawler.Unchanged], Failed: c[crawler.Failed], Excluded: c[crawler.Excluded],
		Parked: st.job.Job.Parked(&t), Reasons: t.Reasons, Dropped: t.Dropped, Bounds: t.Bounds,
		Bytes: t.Bytes, Requests: t.Requests, Hosts: t.Hosts, HostsAway: t.Away, HostsHeld: int64(st.held()),
		LateParts: t.LateParts, Lapses: t.Lapses, Slots: s.slots(), Fetchers: s.fetcherStatus(),
	}
	status.HostsOffered = int64(len(st.turns)) - status.HostsHeld
	status.HostsDue = s.hostsDue(now)
	if due, ok := st.front.next(); ok {
		status.NextDue = max(0, due.Sub(now))
	}
	status.PagesPerSecond, status.BytesPerSecond = s.rates.perSecond()
	status.WaitsFor, status.Trouble = s.waitsFor(&status)
	s.status.Store(&status)
}

// fewHosts are counted at each status; of more, at most once in dueEvery.
const (
	fewHosts = 1 << 12
	dueEvery = time.Second
)

// hostsDue counts the hosts that may be asked now, of those that the front holds.
func (s *Scheduler) hostsDue(now time.Time) int64 {
	if st := s.state; len(st.front.at) <= fewHosts || now.Sub(st.dueAt) >= dueEvery {
		st.due, st.dueAt = st.front.due(now), now
	}
	return s.state.due
}

func (s *Scheduler) stateWord() string {
	switch {
	case s.state.over():
		return "done"
	case s.stop.Load():
		return "stopping"
	case s.state.job.Paused:
		return "paused"
	}
	return "running"
}

// waitsFor names the one thing that the job waits for now, and what is wrong, if something is.
func (s *Scheduler) waitsFor(t *crawler.Status) (text, trouble string) {
	text = s.waitsForAll(t)
	switch {
	case text != "" || t.State != "running":
		return text, ""
	case t.HostsHeld > 0:
		return s.asking(t)
	case t.NextDue > 0:
		return s.resting(t)
	case t.Waiting+t.Leased == t.Parked && !s.state.seeded:
		return "the seeds are not all read yet, and there is nothing else to do", ""
	case t.Waiting+t.Leased == t.Parked && s.o.Stay:
		return "there is nothing to do; it stays for more seeds (trawl add)", ""
	}
	return "", ""
}

// waitsForAll names what keeps from asking any host, or more hosts; "" when nothing does.
func (s *Scheduler) waitsForAll(t *crawler.Status) string {
	switch {
	case t.State == "paused":
		return "it is paused, and asks for nothing new until trawl resume"
	case t.State != "running":
		return ""
	case s.state.unsent >= maxUnsent:
		return "the task queue does not take the turns that are made"
	case s.streamFull():
		return "standard output does not take the rows"
	case s.state.quietFor(s.clock.now()) > 0:
		return fmt.Sprintf("restored from a backup: the rights of those who worked on end in %v", s.state.quietFor(s.clock.now()).Round(100*time.Millisecond))
	case s.state.careful() && t.Slots > 0:
		return fmt.Sprintf("one URL is asked for at a time, since the process ended %d times and nothing was settled; %d more", s.state.job.Ends, s.state.job.Careful)
	case t.Slots == 0:
		return "no fetcher has joined"
	case silentFetcher(t.Fetchers) != "":
		return silentFetcher(t.Fetchers)
	case int(t.HostsHeld+t.HostsOffered) >= t.Slots:
		return fmt.Sprintf("all %d slots of the fetchers are taken", t.Slots)
	case s.state.work.Pending() && t.HostsHeld == 0:
		return s.state.workWord()
	case t.HostsOffered > 0 && t.HostsHeld == 0:
		if mute := s.state.muteWord(); mute != "" {
			return fmt.Sprintf("%d turns are offered, and %s", t.HostsOffered, mute)
		}
		return fmt.Sprintf("%d turns are offered and no fetcher takes them", t.HostsOffered)
	}
	return ""
}

func (s *Scheduler) fetcherStatus() []crawler.FetcherStatus {
	turns := make(map[string]int)
	for _, t := range s.state.turns {
		if t.Held {
			turns[t.Fetcher]++
		}
	}
	var all []crawler.FetcherStatus
	if f := s.fetchers.Load(); f != nil {
		for _, one := range *f {
			one.Turns, one.Pages = turns[one.Name], s.state.settled[one.Name]
			one.Silent = s.silentFor(one.Name)
			all = append(all, one)
		}
	}
	for name, pages := range s.state.settled { // those that left
		if !slices.ContainsFunc(all, func(f crawler.FetcherStatus) bool { return f.Name == name }) {
			all = append(all, crawler.FetcherStatus{Name: name, Pages: pages, Turns: turns[name]})
		}
	}
	slices.SortFunc(all, func(a, b crawler.FetcherStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// rates are counts of the last seconds. Owned by the loop.
type rates struct{ samples []rateSample }

type rateSample struct {
	at           time.Time
	pages, bytes int64
}

// rateWindow is the time that rates are taken over.
const rateWindow = 10 * time.Second

func (r *rates) add(now time.Time, t *crawler.Tallies) {
	if n := len(r.samples); n > 1 && now.Sub(r.samples[n-2].at) < tick {
		r.samples = r.samples[:n-1] // the one before is near enough
	}
	r.samples = append(r.samples, rateSample{now, t.Counts[crawler.Fetched], t.Bytes})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) > rateWindow {
		r.samples = slices.Delete(r.samples, 0, 1)
	}
}

func (r *rates) perSecond() (pages, bytes float64) {
	if len(r.samples) < 2 {
		return 0, 0
	}
	a, b := r.samples[0], r.samples[len(r.samples)-1]
	d := b.at.Sub(a.at).Seconds()
	if d <= 0 {
		return 0, 0
	}
	return float64(b.pages-a.pages) / d, float64(b.bytes-a.bytes) / d
}
