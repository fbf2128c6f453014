package scheduler

import (
	"context"

	"trawl/crawler"
)

type changeEvent struct {
	change crawler.Change
	done   chan error
}

// Change changes the running job; it is in the ledger when Change returns nil. An error that the job would
// not be valid changes nothing. Fetchers hear of it with their next renewal.
func (s *Scheduler) Change(ctx context.Context, c crawler.Change) error {
	e := changeEvent{change: c, done: make(chan error, 1)}
	select {
	case s.changes <- e:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// change is made by the loop. refused is the user's mistake, err the ledger's failure.
func (s *Scheduler) change(ctx context.Context, c *crawler.Change) (refused, err error) {
	order, refused := s.core.Change(c)
	if refused != nil {
		return refused, nil
	}
	if err := s.carryOut(context.WithoutCancel(ctx), order); err != nil {
		return nil, err
	}
	s.publishNotice()
	s.publishStatus()
	return nil, nil
}
