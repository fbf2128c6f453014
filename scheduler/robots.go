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
	h.RobotsWait = false
	stored := crawler.HostRobots{RobotsFile: f, Fetched: st.now, Expires: st.now}
	switch f.Status {
	case crawler.RobotsRules, crawler.RobotsUnavailable:
		stored.Expires = st.now.Add(st.robotsTTL(&f))
		h.RobotsTries = 0
		h.CrawlDelay = st.crawlDelay(name, &f)
	case crawler.RobotsUnreachable:
		st.robotsUnreachable(h, f.Detail)
	case crawler.RobotsElsewhere:
	default:
		return
	}
	st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: name, File: stored})
	if f.Status == crawler.RobotsElsewhere {
		st.addErrand(h, f.Hop) // what is known of it already comes after it, and counts
	}
}

// robotsTTL is how long a file may be used.
func (st *step) robotsTTL(f *crawler.RobotsFile) time.Duration {
	ttl := st.s.job.Job.Robots.TTL
	if f.TTL > 0 {
		ttl = min(ttl, f.TTL)
	}
	return ttl
}

// crawlDelay is the Crawl-delay of a host with a new file: the larger of those of both schemes, since both are the
// same server.
func (st *step) crawlDelay(name crawler.Host, f *crawler.RobotsFile) time.Duration {
	token := crawler.ProductToken(st.s.job.Job.UserAgent)
	longest := crawler.ParseRobots(f.Body, token).CrawlDelay
	for _, other := range st.robotsInForce(name) {
		if other.Scheme != f.Scheme && other.Status == crawler.RobotsRules {
			longest = max(longest, crawler.ParseRobots(other.Body, token).CrawlDelay)
		}
	}
	return longest
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
