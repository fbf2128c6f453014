package core

import (
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// A host to which there is no connection is away: one URL probes it after waits that grow, the others wait untried, and
// nothing of it costs a URL one of its tries. The first answer ends it. It is given up by time, not by counting
// failures: see patienceOver.

// maxSpell is the longest time between two looks that counts as running: a process that stood still, or a machine that
// slept, did not wait for anybody meanwhile.
const maxSpell = 5 * time.Second

// ranEvery is how often the running time is stored while nothing else is.
const ranEvery = 30 * time.Second

// advance moves the job's running time on. The loop calls it at the begin of each step.
func (s *state) advance(now time.Time) {
	spell := now.Sub(s.ranAt)
	s.ranAt = now
	if s.patienceRuns() {
		s.ran += max(0, min(spell, maxSpell))
	}
}

// patienceRuns reports whether time counts against hosts that are away. This is the one place that stops that clock: what keeps
// the job from asking anybody at all belongs here.
func (s *state) patienceRuns() bool { return !s.job.Paused && !s.stopping && !s.fetchers.Away() }

// fault takes what a result of the row says of its host, and reports whose the try was. spare says that it is not
// counted as the URL's own; wait that the URL keeps its place in the queue, since nothing came of the try at all.
func (st *Step) fault(h *crawler.HostState, t *credit.Turn, r *crawler.Result, row *crawler.Row) (spare, wait bool) {
	switch r.Fault() {
	case crawler.FaultNoConnection:
		host := st.unreached(h, t, r.URL.Scheme(), r.Reason, r.Detail)
		return host, host
	case crawler.FaultNoAnswer:
		return st.noAnswer(h, t, r, row)
	case crawler.FaultRefusal:
		h.Refused = r.Status
		st.answered(h, r.URL.Scheme())
		return row.Spared < crawler.MaxSpared, false
	}
	if r.Answered() {
		st.answered(h, r.URL.Scheme())
	}
	return false, false
}

// unreached notes that no connection could be made, and reports whether that is the host's fault. It is the URL's own where the host
// answers by the other scheme and never did by this one: a port that nobody serves, or a certificate that is wrong.
func (st *Step) unreached(h *crawler.HostState, t *credit.Turn, scheme string, why crawler.Reason, detail string) bool {
	if !h.Gone() && h.Answered != 0 && !h.Answered.Has(scheme) {
		return false
	}
	st.missed(h, t, why, detail)
	return true
}

// noAnswer notes a connection without an answer. Several in a row, of more than one URL, make the host away; then those
// tries are given back. While it is away, no probe costs its URL a try.
func (st *Step) noAnswer(h *crawler.HostState, t *credit.Turn, r *crawler.Result, row *crawler.Row) (spare, wait bool) {
	if row.Spared >= crawler.MaxSpared {
		return false, false // the URL has had its share: it is likely to be its own fault
	}
	if h.Gone() {
		st.missed(h, t, r.Reason, r.Detail)
		return true, true
	}
	streak, away := h.Silent.Add(row.Key().URL)
	h.Silent = streak
	if !away {
		return false, false
	}
	st.missed(h, t, r.Reason, fmt.Sprintf("%d tries in a row had no answer, the last: %s", crawler.MaxNoAnswers, r.Detail))
	for _, u := range streak[:len(streak)-1] {
		if own := row.Key(); u != own.URL {
			st.giveBack(weburl.URLKey{Host: own.Host, URL: u})
			continue
		}
		row.Tries, row.Spared = max(0, row.Tries-1), row.Spared+1
	}
	return true, true
}

// giveBack takes a try off a URL's count: it was its host's. What is final stays so.
func (st *Step) giveBack(k weburl.URLKey) {
	row := st.load([]weburl.URLKey{k})[k]
	if row == nil || row.Outcome.Final() && !st.fresh(k) {
		return
	}
	again := *row
	again.Outcome, again.Reason, again.RetryAt = crawler.Waiting, "", time.Time{}
	again.Tries = max(0, again.Tries-1)
	again.Spared++
	st.put(row, &again, false)
}

// fresh reports whether it was this step that made a row final: nobody has heard of it yet.
func (st *Step) fresh(k weburl.URLKey) bool {
	e := st.rows[k]
	return e != nil && e.old != nil && !e.old.Outcome.Final()
}

// missed notes that the host could not be reached. A turn counts once: those of its lanes that were under way say the same.
func (st *Step) missed(h *crawler.HostState, t *credit.Turn, why crawler.Reason, detail string) {
	switch {
	case !h.Gone():
		h.AwaySince, h.Failed, h.Silent = st.now, 1, nil
	case t.Probe:
		h.Failed++
	default:
		return
	}
	h.Away, h.AwayDetail = why, detail
	if over, told := st.patienceOver(h); over {
		st.giveUp(h, why, told+detail)
		return
	}
	st.holdBack(h, st.now.Add(crawler.ProbeWait(h.Failed, st.jitter())))
}

// patienceOver reports whether a host that is away is to be given up, with the words for it. One that has answered is waited
// for by time, of which only that counts in which the job ran; one that never did gets a few attempts.
func (st *Step) patienceOver(h *crawler.HostState) (over bool, told string) {
	if h.Answered == 0 {
		return h.Failed >= crawler.AttemptsNever, fmt.Sprintf("the host never answered in %d attempts, the last: ", h.Failed)
	}
	patience, gone := st.s.job.Job.HostPatience, st.s.ran-h.AnsweredAt
	return h.Failed > crawler.ProbesAtLeast && gone >= patience,
		fmt.Sprintf("the host has not answered for %v (host-patience %v), the last of %d attempts: ", gone.Round(time.Second), patience, h.Failed)
}

// answered notes that the host said something: it is there.
func (st *Step) answered(h *crawler.HostState, scheme string) {
	h.Back()
	h.Answered, h.AnsweredAt = h.Answered.With(scheme), st.s.ran
}

// robotsAnswered notes what the answer to a robots.txt says of the host that gave it.
func (st *Step) robotsAnswered(at *crawler.HostState, scheme string, f *crawler.RobotsFile) {
	if f.HTTP > 0 && f.Fault == "" && crawler.StatusFault(f.HTTP) != crawler.FaultNoAnswer {
		st.answered(at, scheme)
	}
}

// sealRan stores the running time with the step, or by itself where time passes and nothing happens.
func (st *Step) sealRan() {
	if s := st.s; !st.changes.Empty() || st.tallies.Away > 0 && s.ran-s.ranStored >= ranEvery {
		st.changes.Ran = s.ran
	}
}
