package scheduler

import (
	"fmt"

	"trawl/crawler"
)

// owe numbers the rows that the step makes final, so that the same batch says that they are owed to whoever reads along.
func (st *step) owe() {
	if !st.s.streams {
		return
	}
	for _, k := range st.order {
		if st.madeFinal(st.rows[k]) {
			st.owed++
			st.changes.Owed = append(st.changes.Owed, crawler.OwedRow{Number: st.owed, Key: k})
		}
	}
}

func (st *step) madeFinal(e *rowEdit) bool {
	return e.new.Outcome.Final() && (e.old == nil || !e.old.Outcome.Final())
}

// handOver hands the rows that a committed step made final to whoever reads along.
func (s *Scheduler) handOver(st *step) {
	if len(st.changes.Owed) == 0 {
		return
	}
	rows := make([]*crawler.Row, len(st.changes.Owed))
	for i, o := range st.changes.Owed {
		rows[i] = st.rows[o.Key].new
	}
	s.o.Stream.Final(st.changes.Owed[0].Number, rows)
}

func (s *Scheduler) streamFull() bool { return s.o.Stream != nil && s.o.Stream.Full() }

// newlyDelivered is the number of the last delivered row when the ledger does not know of it yet, else 0.
func (s *Scheduler) newlyDelivered() uint64 {
	if s.o.Stream == nil {
		return 0
	}
	if n := s.o.Stream.Delivered(); n > s.state.delivered {
		return n
	}
	return 0
}

// noteDelivered stores at the end of the loop what was delivered since the last step.
func (s *Scheduler) noteDelivered() error {
	n := s.newlyDelivered()
	if n == 0 {
		return nil
	}
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), Delivered: n}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	s.state.delivered = n
	return nil
}
