package scheduler

// newStep begins a step of this moment.
func (s *Scheduler) newStep() *Step {
	s.core.state.fetchers = s.present()
	return s.core.newStep(s.clock.now())
}

// seal commits a step that was made by hand.
func (s *Scheduler) seal(st *Step) error {
	if st.seal(); st.err != nil {
		return st.err
	}
	if c := st.Changes(); c != nil {
		if err := s.ledger.Commit(c); err != nil {
			return err
		}
	}
	s.core.Committed(st)
	return nil
}

// seeding is a step's seeds; last says that those of the start are whole.
func seeding(last bool, seeds ...Seed) gathered {
	return gathered{seeds: []seedEvent{{&Seeding{Seeds: seeds, Last: last}, make(chan struct{})}}}
}
