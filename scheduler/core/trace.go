package core

import (
	"log/slog"

	"trawl/scheduler/credit"
)

// note puts a change of a turn's right into the log at level debug: who might ask which host at which time can be worked out from
// these lines alone. They are written after the commit of what they say, and a grant's before its answer leaves.
func (st *Step) note(word string, t *credit.Turn) {
	if st.tracing {
		st.say(slog.LevelDebug, "turn", "event", word, "host", t.Host, "turn", t.ID, "fetcher", t.Fetcher, "lease", st.s.job.Job.Lease)
	}
}

// traceHeld notes the turns that are still held at a start.
func traceHeld(st *Step) (done bool) {
	for _, t := range st.s.turns.All() {
		if t.Held {
			st.note("held", t)
		}
	}
	return true
}
