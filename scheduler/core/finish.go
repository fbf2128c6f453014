package core

import (
	"time"

	"trawl/crawler"
)

// over reports whether the job was found done, that was committed, and no more seeds are read. It stays so: who raises a limit
// after that does it for the next start.
func (s *state) over() bool {
	return s.decided || s.seeded && !s.job.Finished.IsZero() && !s.work.Pending()
}

// finish ends the job when nothing is left that may be asked for, by the ledger's own counts.
func (st *Step) finish() {
	state := &st.s.job
	t := st.tallies
	t.Parked = st.parkedAfter()
	switch done := state.Job.Ended(&t); {
	case done && state.Finished.IsZero() && !st.o.Stay && st.s.seeded && !st.workPending():
		st.jobState().Finished = st.now
	case !done && !state.Finished.IsZero(): // more seeds came, or failed URLs were taken up again
		st.jobState().Finished = time.Time{}
	}
}

// parkedAfter is the tally of parked URLs as it will be when the step is sealed.
func (st *Step) parkedAfter() int64 {
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
	s.fetchers.Settled(fetcher)
}

// Notice is what fetchers are told of the job as it is now, with its scope where that is not too large; the one before where nothing of it
// has changed.
func (c *Core) Notice(before *crawler.JobNotice) *crawler.JobNotice {
	s := c.state
	if before != nil && before.ScopeEpoch == s.epoch && before.Done == s.over() {
		return before
	}
	n := &crawler.JobNotice{Job: s.job.Job, Life: s.ledger, Done: s.over(), ScopeEpoch: s.epoch}
	if s.scope.Len() <= maxNoticeSeeds && !s.scope.Beyond() {
		n.ScopeKeys, n.ScopeWhole = s.scope.Keys(), true
	}
	return n
}
