package scheduler

import (
	"time"

	"trawl/crawler"
)

// maxRobotsHops is how many redirects of a robots.txt are followed; after more it counts as unavailable
// (RFC 9309 section 2.3.1.2).
const maxRobotsHops = 5

// robotsFile takes over what was learned of a host's robots.txt.
func (st *step) robotsFile(name crawler.Host, f crawler.RobotsFile) {
	h := st.host(name)
	policy := st.s.job.Job.Robots
	h.RobotsWait = false
	stored := crawler.HostRobots{RobotsFile: f, Fetched: st.now, Expires: st.now}
	switch f.Status {
	case crawler.RobotsRules, crawler.RobotsUnavailable:
		ttl := policy.TTL
		if f.TTL > 0 {
			ttl = min(ttl, f.TTL)
		}
		stored.Expires = st.now.Add(ttl)
		h.RobotsTries = 0
		h.CrawlDelay = crawler.ParseRobots(f.Body, crawler.ProductToken(st.s.job.Job.UserAgent)).CrawlDelay
	case crawler.RobotsUnreachable:
		st.robotsUnreachable(h, f.Detail)
	case crawler.RobotsElsewhere:
		st.addErrand(h, f.Hop)
	default:
		return
	}
	st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: name, File: stored})
}

// robotsUnreachable backs the host off, three times as long each time, and gives it up after the last try.
func (st *step) robotsUnreachable(h *crawler.HostState, detail string) {
	policy := st.s.job.Job.Robots
	h.RobotsTries++
	if h.RobotsTries >= policy.Tries {
		st.giveUp(h, crawler.ReasonRobotsUnreachable, "robots.txt could not be read: "+detail)
		return
	}
	wait := policy.Backoff
	for range h.RobotsTries - 1 {
		wait *= 3
	}
	wait += time.Duration(float64(wait) / 10 * st.jitter())
	st.holdBack(h, st.now.Add(wait))
}

// holdBack moves the host's clock forward, never back.
func (st *step) holdBack(h *crawler.HostState, until time.Time) {
	if until.After(h.Next) {
		h.Next = until
	}
}

func (st *step) giveUp(h *crawler.HostState, why crawler.Reason, detail string) {
	if h.GivenUp == "" {
		h.GivenUp, h.GivenUpDetail = why, detail
	}
}

// addErrand queues the next hop of h's robots.txt at the host it leads to; h waits for it.
func (st *step) addErrand(h *crawler.HostState, hop crawler.RobotsHop) {
	if hop.Count > maxRobotsHops || hop.URL.IsZero() || st.strange(hop.URL.Host()) {
		st.robotsFile(h.Host, crawler.RobotsFile{Scheme: hop.Scheme, Status: crawler.RobotsUnavailable, Detail: "more than 5 redirects"})
		return
	}
	hop.For = h.Host
	h.RobotsWait = true
	st.changes.Errands = append(st.changes.Errands, hop)
	st.host(hop.URL.Host()).Errands++
}

// endErrand removes an errand that was run.
func (st *step) endErrand(at *crawler.HostState, hop crawler.RobotsHop) {
	st.changes.EndErrands = append(st.changes.EndErrands, hop)
	at.Errands = max(0, at.Errands-1)
}

// errandAnswer takes over how an errand ended at its host.
func (st *step) errandAnswer(at *crawler.HostState, t *turn, a crawler.RobotsAnswer) {
	for i, e := range t.Errands {
		if e != a.Hop {
			continue
		}
		t.Errands = append(t.Errands[:i:i], t.Errands[i+1:]...)
		st.endErrand(at, e)
		if a.Next.IsZero() {
			file := a.File
			file.Scheme = e.Scheme
			st.robotsFile(e.For, file)
			return
		}
		st.addErrand(st.host(e.For), crawler.RobotsHop{For: e.For, Scheme: e.Scheme, URL: a.Next, Count: e.Count + 1})
		return
	}
}

func (st *step) errandsOf(h *crawler.HostState) ([]crawler.RobotsHop, error) {
	if h.Errands == 0 {
		return nil, nil
	}
	return st.read.Errands(h.Host)
}

func (st *step) mustErrands(h *crawler.HostState) []crawler.RobotsHop {
	errands, err := st.errandsOf(h)
	st.fail(err, "read errands of %s", h.Host)
	return errands
}
