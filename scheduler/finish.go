package scheduler

import (
	"time"

	"trawl/crawler"
)

// over reports whether the job was found done, that was committed, and no more seeds are read. It stays so: who raises a limit
// after that does it for the next start.
func (s *state) over() bool {
	return s.decided || s.seeded && !s.job.Finished.IsZero() && !s.work.Pending()
}

// held counts turns that a fetcher holds.
func (s *state) held() int {
	n := 0
	for _, t := range s.turns {
		if t.Held {
			n++
		}
	}
	return n
}

// finish ends the job when nothing is left that may be asked for, by the ledger's own counts.
func (st *step) finish(stay bool) {
	state := &st.s.job
	t := st.tallies
	t.Parked = st.parkedAfter()
	switch done := state.Job.Ended(&t); {
	case done && state.Finished.IsZero() && !stay && st.s.seeded && !st.workPending():
		st.jobState().Finished = st.now
	case !done && !state.Finished.IsZero(): // more seeds came, or failed URLs were taken up again
		st.jobState().Finished = time.Time{}
	}
}

// parkedAfter is the tally of parked URLs as it will be when the step is sealed.
func (st *step) parkedAfter() int64 {
	n := st.tallies.Parked
	for _, e := range st.hosts {
		h := *e.new
		h.Park(&st.s.job.Job)
		n += h.Parked
		if e.old != nil {
			n -= e.old.Parked
		}
	}
	return n
}

// pages counts what a fetcher did, for status.
func (s *state) pages(fetcher string, r *crawler.Result) {
	if r.Outcome == crawler.Excluded {
		return
	}
	if _, known := s.settled[fetcher]; !known && len(s.settled) >= maxNames {
		fetcher = otherFetchers
	}
	s.settled[fetcher]++
}

// publishNotice tells fetchers the job as it is now, with its scope where that is not too large.
func (s *Scheduler) publishNotice() {
	n := crawler.JobNotice{Job: s.state.job.Job, Life: s.state.life, Done: s.state.over(), ScopeEpoch: s.state.epoch}
	if s.state.scope.Len() <= maxNoticeSeeds && !s.state.scope.Beyond() {
		n.ScopeKeys, n.ScopeWhole = s.state.scope.Keys(), true
	}
	s.notice.Store(&n)
}
