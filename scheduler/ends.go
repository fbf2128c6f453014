package scheduler

import (
	"fmt"
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// A page may kill the process that fetches it. Where that is the scheduler's own, the start after it cannot tell such an
// end from a power cut, an operator's kill -9 or the death of its container, and most ends are those: they count for no
// URL. Only when the process ended carefulAfter times in a row and nothing was settled in between, one URL is asked for
// at a time, until carefulURLs are settled; an end in that time counts for the URL that was in work.
const (
	carefulAfter = 3
	carefulURLs  = 10
	// takeBackBatch is how many offered turns are taken back in one commit.
	takeBackBatch = 1000
)

// countEnd looks at a start how the run before ended.
func (st *state) countEnd(l *crawler.LedgerState, local string) {
	j := &st.job
	died := j.Running && !l.Recall // what a restored ledger says is of the moment of its copy
	j.Running = false
	st.endCounts = died && j.Careful > 0
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

// begun stores that a process runs the job, ended that it came to an orderly end.
func (s *Scheduler) begun() error { return s.markRunning(true) }
func (s *Scheduler) ended() error { return s.markRunning(false) }

func (s *Scheduler) markRunning(on bool) error {
	s.state.job.Running = on
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &s.state.job}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// careful reports whether one URL is asked for at a time.
func (s *state) careful() bool { return s.job.Careful > 0 }

// beCareful takes back what is offered, so that nothing but one URL at a time is asked for from here on.
func (s *Scheduler) beCareful() error {
	if !s.state.careful() {
		return nil
	}
	s.log.Warn("the process ended without a word several times in a row and nothing was settled in between: one URL is asked for at a time now, so that one that brings the process down is found",
		"ends", s.state.job.Ends, "urls", s.state.job.Careful)
	var offered []weburl.Host
	for name, t := range s.state.turns {
		if !t.Held {
			offered = append(offered, name)
		}
	}
	for names := range slices.Chunk(offered, takeBackBatch) {
		st := s.newStep()
		for _, name := range names {
			st.endTurn(st.host(name), st.editTurn(name))
		}
		if err := s.seal(st); err != nil {
			return fmt.Errorf("take offered turns back: %w", err)
		}
	}
	return nil
}

// settledURLs notes that n results were settled: the process is able to work.
func (st *step) settledURLs(n int) {
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
func (s *Scheduler) mostTurns() int {
	if s.state.careful() {
		return min(1, s.slots())
	}
	return s.slots()
}
