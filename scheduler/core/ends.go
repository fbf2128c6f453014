package core

import (
	"log/slog"

	"trawl/crawler"
	"trawl/scheduler/credit"
)

// A page may kill the process that fetches it. Where that is the scheduler's own, the start after it cannot tell such an
// end from a power cut, an operator's kill -9 or the death of its container, and most ends are those: they count for no
// URL. Only when the process ended carefulAfter times in a row and nothing was settled in between, one URL is asked for
// at a time, until carefulURLs are settled; an end in that time counts for the URL that was in work.
const (
	carefulAfter = 3
	carefulURLs  = 10
)

// countEnd looks at a start how the run before ended.
func (s *state) countEnd(l *crawler.LedgerState, local string) {
	j := &s.job
	died := j.Running && !l.Recall // what a restored ledger says is of the moment of its copy
	j.Running = false
	s.endCounts = died && j.Careful > 0
	if died {
		j.Ends++
	}
	switch {
	case local == "": // pages are fetched elsewhere, and cannot harm this process
		j.Careful = 0
	case died && j.Ends >= carefulAfter:
		j.Careful = carefulURLs
	}
}

// Running stores that a process runs the job, or that it came to an orderly end.
func Running(on bool) Order {
	return func(st *Step) bool {
		st.jobState().Running = on
		return true
	}
}

// careful reports whether one URL is asked for at a time.
func (s *state) careful() bool { return s.job.Careful > 0 }

// beCareful takes back what is offered, so that nothing but one URL at a time is asked for from here on.
func beCareful(st *Step) (done bool) {
	if !st.s.careful() {
		return true
	}
	if done = st.takeBack(func(t *credit.Turn) bool { return !t.Held }); done {
		st.say(slog.LevelWarn, "the process ended without a word several times in a row and nothing was settled in between: one URL is asked for at a time now, so that one that brings the process down is found",
			"ends", st.s.job.Ends, "urls", st.s.job.Careful)
	}
	return done
}

// settledURLs notes that n results were settled: the process is able to work.
func (st *Step) settledURLs(n int) {
	j := &st.s.job
	if st.changes.State != nil {
		j = st.changes.State
	}
	if n == 0 || j.Ends == 0 {
		return
	}
	j = st.jobState()
	if j.Careful = max(0, j.Careful-n); j.Careful == 0 {
		j.Ends = 0
	}
}

// mostTurns is how many turns may be in force.
func (s *state) mostTurns() int {
	if s.careful() {
		return min(1, s.slots())
	}
	return s.slots()
}
