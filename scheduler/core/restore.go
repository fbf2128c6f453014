package core

import (
	"log/slog"
	"time"

	"trawl/crawler"
	"trawl/scheduler/credit"
)

// recall is the first order of a restored ledger. Its turns were given by another life: they are ended, and their URLs
// wait again. What that life gave after the copy was made is not known, not even to which hosts; but every right that it
// gave ends within its lease, and nobody is asked before that, with grace, has passed from now. That end is stored
// last: until then the next start recalls again, and after it the next starts keep to it.
func recall(before *crawler.Job) Order {
	ended := false
	return func(st *Step) (done bool) {
		if !ended {
			ended = st.takeBack(func(*credit.Turn) bool { return true })
			return false
		}
		job := &st.s.job.Job
		st.changes.Quiet = st.now.Add(max(before.Lease, job.Lease) + max(before.Grace, job.Grace))
		st.say(slog.LevelInfo, "this crawl goes on from a backup: its turns were taken back, and nobody is asked before the rights of those who worked on have ended",
			"wait", st.changes.Quiet.Sub(st.now))
		return true
	}
}

// notBefore is when a host may be asked at the earliest, whatever its own clock says: what happened before this start
// is not known for certain. A host that was asked before: not before start + delay, since who asked it last, and when,
// may not have been settled. Any host of a restored ledger: not before the end of the rights of the life before, + delay.
func (s *state) notBefore(h *crawler.HostState) (at time.Time) {
	delay := h.DelayInForce(&s.job.Job)
	if h.Asked {
		at = s.startedAt.Add(delay)
	}
	if restored := s.quiet.Add(delay); !s.quiet.IsZero() && restored.After(at) {
		at = restored
	}
	return at
}

// quietFor is how long no turn is made at all after a restore: until hosts with the job's own delay may be asked. Those
// with a longer one are held back one by one. It spares the ledger a new record of every host.
func (s *state) quietFor(now time.Time) time.Duration {
	if s.quiet.IsZero() {
		return 0
	}
	return max(0, s.quiet.Add(s.job.Job.Delay).Sub(now))
}
