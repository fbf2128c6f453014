package crawler

import "time"

// Limits are limits of the user's that are reached. Whether a URL is beyond one, and whether the job or a host is full, is said
// here alone.
type Limits uint8

const (
	LimitDepth Limits = 1 << iota // [Job.Depth], of a row
	LimitHost                     // [HostSettings.MaxPages], of a host
	LimitPages                    // [Job.MaxPages]
	LimitBytes                    // [Job.MaxBytes]
)

// Has reports whether a limit is among them.
func (l Limits) Has(one Limits) bool { return l&one != 0 }

// LimitsOf are the limits of the whole job that these tallies have reached. How long a body is shows only when it came, so what was
// under way when MaxBytes was reached comes on top.
func (j *Job) LimitsOf(t *Tallies) (reached Limits) {
	if j.MaxPages > 0 && t.Counts[Fetched] >= j.MaxPages {
		reached |= LimitPages
	}
	if j.MaxBytes > 0 && t.Bytes >= j.MaxBytes {
		reached |= LimitBytes
	}
	return reached
}

// Full reports whether a job with these tallies has all that its limits let it have: what is left waits.
func (j *Job) Full(t *Tallies) bool { return j.LimitsOf(t) != 0 }

// FullAt reports whether a host has its share of pages.
func (j *Job) FullAt(h *HostState) bool { return j.RoomAt(h) <= 0 }

// TooDeep reports whether a row of this depth is beyond the job's limit. No row is where no job is known yet.
func (j *Job) TooDeep(depth int) bool { return j.Kind != "" && j.Depth >= 0 && depth > j.Depth }

// Beyond are the limits that keep a waiting row of a host from being asked for.
func (j *Job) Beyond(t *Tallies, h *HostState, r *Row) Limits {
	reached := j.LimitsOf(t)
	if j.TooDeep(r.Depth) {
		reached |= LimitDepth
	}
	if j.FullAt(h) {
		reached |= LimitHost
	}
	return reached
}

// Parked is how many waiting URLs of a job with these tallies are beyond a limit.
func (j *Job) Parked(t *Tallies) int64 {
	if j.Full(t) {
		return t.Counts[Waiting]
	}
	return t.Parked
}

// Ended reports whether a job with these tallies has nothing left that may be asked for.
func (j *Job) Ended(t *Tallies) bool { return t.Counts[Waiting]+t.Counts[Leased] == j.Parked(t) }

// Standing is where a stored row stands, as people see it: leased while the turn of its host lists it, and why it waits, "" when it
// only waits for a turn of its host. h is the zero value where no host is known.
func (s *JobState) Standing(t *Tallies, h *HostState, r *Row, leased bool, now time.Time) (Outcome, Reason) {
	switch {
	case r.Outcome.Final():
		return r.Outcome, r.Reason
	case leased:
		return Leased, ""
	case s.Job.Beyond(t, h, r) != 0:
		return Waiting, ReasonLimit
	case !r.RetryAt.IsZero():
		return Waiting, ReasonRetry
	case s.Paused:
		return Waiting, ReasonPaused
	case h.WaitsForClock(now):
		if _, why := h.Delay(&s.Job); why == DelayRobots {
			return Waiting, ReasonCrawlDelay
		}
	}
	return Waiting, ""
}

// WaitsForClock reports whether nothing but its clock keeps the host from being asked.
func (h *HostState) WaitsForClock(now time.Time) bool {
	return h.Turn.IsZero() && h.GivenUp == "" && h.Away == "" && !h.RobotsWait && h.RobotsTries == 0 && h.Next.After(now)
}

// DelayCause is what the delay between two requests to a host comes from.
type DelayCause uint8

const (
	DelayJob     DelayCause = iota // the user's own word
	DelayRobots                    // Crawl-delay
	DelayBackOff                   // answers that asked for less
)

// Delay is the least time between two requests to the host, with what it comes from. Where several agree the user's own word counts,
// then robots.txt.
func (h *HostState) Delay(j *Job) (d time.Duration, why DelayCause) {
	settings := j.For(h.Host)
	d = settings.Delay
	if asked := min(h.CrawlDelay, j.MaxCrawl); !settings.IgnoreRobots && asked > d {
		d, why = asked, DelayRobots
	}
	if h.Penalty > d {
		d, why = h.Penalty, DelayBackOff
	}
	return d, why
}

// DelayInForce is [HostState.Delay] without its cause.
func (h *HostState) DelayInForce(j *Job) time.Duration {
	d, _ := h.Delay(j)
	return d
}
