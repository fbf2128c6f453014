package scheduler

import (
	"context"
	"log/slog"
)

// turnEvent is a change of a turn's right, told in the log at level debug: who might ask which host at which time can
// be worked out from these lines alone. They are written after the commit of what they tell, and a grant's before its
// answer leaves.
type turnEvent struct {
	word string // grant, renew, end, lapse, held
	turn *turn
}

func (st *step) note(word string, t *turn) {
	if st.tracing {
		st.events = append(st.events, turnEvent{word, t})
	}
}

func (s *Scheduler) tracing() bool { return s.log.Enabled(context.Background(), slog.LevelDebug) }

func (s *Scheduler) trace(events []turnEvent) {
	for _, e := range events {
		s.log.Debug("turn", "event", e.word, "host", e.turn.Host, "turn", e.turn.ID, "fetcher", e.turn.Fetcher, "lease", s.state.job.Job.Lease)
	}
}

// traceHeld tells the turns that are still held at a start.
func (s *Scheduler) traceHeld() {
	if !s.tracing() {
		return
	}
	for _, t := range s.state.turns {
		if t.Held {
			s.trace([]turnEvent{{"held", t}})
		}
	}
}
