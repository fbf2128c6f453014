package core

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/robots"
	"trawl/crawler/weburl"
)

// maxRobotsHops is how many redirects of a robots.txt are followed; after more it counts as unavailable
// (RFC 9309 section 2.3.1.2).
const maxRobotsHops = 5

// robotsFile takes over what was learned of a host's robots.txt.
func (st *Step) robotsFile(name weburl.Host, f crawler.RobotsFile) {
	h := st.host(name)
	h.RobotsWait = false
	stored := crawler.HostRobots{RobotsFile: f, Fetched: st.now, Expires: st.now}
	switch f.Status {
	case crawler.RobotsRules, crawler.RobotsUnavailable:
		stored.Expires = st.now.Add(st.robotsTTL(&f))
		h.RobotsTries, h.RobotsDetail = 0, ""
		h.CrawlDelay = st.crawlDelay(name, &f)
	case crawler.RobotsUnreachable:
		if old, usable := st.ranOut(name, f.Scheme); usable {
			stored = st.useOn(old, f.Detail)
			break
		}
		st.robotsUnreachable(h, &stored)
	case crawler.RobotsElsewhere:
		if _, usable := st.ranOut(name, f.Scheme); usable {
			st.addErrand(h, f.Hop) // what is there may be needed, should the other host not have it either
			return
		}
	default:
		return
	}
	st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: name, File: stored})
	if f.Status == crawler.RobotsElsewhere {
		st.addErrand(h, f.Hop) // what is known of it already comes after it, and counts
	}
}

// robotsTTL is how long a file may be used.
func (st *Step) robotsTTL(f *crawler.RobotsFile) time.Duration {
	ttl := st.s.job.Job.Robots.TTL
	if f.TTL > 0 {
		ttl = min(ttl, f.TTL)
	}
	return ttl
}

// crawlDelay is the Crawl-delay of a host with a new file: the larger of those of both schemes, since both are the
// same server.
func (st *Step) crawlDelay(name weburl.Host, f *crawler.RobotsFile) time.Duration {
	token := crawler.ProductToken(st.s.job.Job.UserAgent)
	longest := robots.Parse(f.Body, token).CrawlDelay
	for _, other := range st.robotsInForce(name) {
		if other.Scheme != f.Scheme && other.Status == crawler.RobotsRules {
			longest = max(longest, robots.Parse(other.Body, token).CrawlDelay)
		}
	}
	return longest
}

// ranOut is the stored file of the scheme, if it has rules that were current and only ran out.
func (st *Step) ranOut(name weburl.Host, scheme string) (file crawler.HostRobots, usable bool) {
	for _, r := range st.robotsOf(name) {
		if r.Scheme == scheme {
			file, usable = r, r.Status == crawler.RobotsRules || r.Status == crawler.RobotsUnavailable
		}
	}
	return file, usable
}

// useOn lets a file that ran out, and cannot be read again, be used on until it is asked for the next time (RFC 9309 section 2.4).
func (st *Step) useOn(file crawler.HostRobots, why string) crawler.HostRobots {
	file.UsedOn, file.Expires = why, st.now.Add(st.robotsWait(st.s.job.Job.Robots.Tries-1))
	return file
}

// robotsWait is the wait after so many tries: three times as long each time.
func (st *Step) robotsWait(tries int) time.Duration {
	wait := st.s.job.Job.Robots.Backoff
	for range min(tries, 10) - 1 {
		wait *= 3
	}
	return wait + time.Duration(float64(wait)/10*st.jitter())
}

// robotsUnreachable backs the host off, and gives it up after the last try. A host whose pages of the other scheme are good loses
// those of this one only: the file then says that nothing may be asked for, as long as one with rules would count.
func (st *Step) robotsUnreachable(h *crawler.HostState, file *crawler.HostRobots) {
	policy := st.s.job.Job.Robots
	h.RobotsTries++
	h.RobotsDetail = file.Detail
	switch {
	case h.RobotsTries < policy.Tries:
		st.holdBack(h, st.now.Add(st.robotsWait(h.RobotsTries)))
	case st.hasRules(h.Host):
		h.RobotsTries, h.RobotsDetail = 0, ""
		file.Expires = st.now.Add(policy.TTL)
	default:
		st.giveUp(h, crawler.ReasonRobotsUnreachable, "robots.txt could not be read: "+file.Detail)
	}
}

// hasRules reports whether a robots.txt of the host can be used.
func (st *Step) hasRules(name weburl.Host) bool {
	for _, f := range st.robotsInForce(name) {
		if f.Status != crawler.RobotsUnreachable {
			return true
		}
	}
	return false
}

// holdBack moves the host's clock forward, never back.
func (st *Step) holdBack(h *crawler.HostState, until time.Time) {
	if until.After(h.Next) {
		h.Next = until
	}
}

func (st *Step) giveUp(h *crawler.HostState, why crawler.Reason, detail string) {
	if h.GivenUp == "" {
		h.GivenUp, h.GivenUpDetail = why, detail
	}
}
