package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"trawl/crawler"
)

// retryBatch is how many failed URLs are taken up again in one commit.
const retryBatch = 500

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
func (s *Scheduler) change(c *crawler.Change) (refused, err error) {
	fresh := s.state.job
	c.Apply(&fresh)
	if err := fresh.Job.Validate(); err != nil {
		return err, nil
	}
	if fresh.LogLevel != "" && new(slog.Level).UnmarshalText([]byte(fresh.LogLevel)) != nil {
		return fmt.Errorf("log level %q: use debug, info, warn or error", fresh.LogLevel), nil
	}
	before := &s.state.job.Job
	limits := !sameLimits(before, &fresh.Job)
	s.state.job = fresh
	if limits {
		if err := s.recount(s.state); err != nil {
			return nil, fmt.Errorf("apply the changed limits: %w", err)
		}
		s.state.hosts.clear()
		s.state.front = newFront(s.o.FrontHosts)
	}
	s.state.epoch++
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &s.state.job}); err != nil {
		return nil, fmt.Errorf("write ledger: %w", err)
	}
	s.publishNotice()
	s.publishStatus()
	return nil, nil
}

// retryFailed lets URLs that failed with the reason ("" = any) wait again, and takes their hosts up again.
func (s *Scheduler) retryFailed(state *state, why crawler.Reason) error {
	s.state = state
	st := s.newStep()
	flush := func() error {
		st.seal()
		if st.err != nil {
			return st.err
		}
		err := s.commit(st)
		st = s.newStep()
		return err
	}
	for row, err := range s.o.Index.All() {
		if err != nil {
			return err
		}
		if row.Outcome != crawler.Failed || (why != "" && row.Reason != why) {
			continue
		}
		st.takeUp(row)
		if len(st.order) >= retryBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (st *step) takeUp(row *crawler.Row) {
	fresh := *row
	fresh.Outcome, fresh.Reason, fresh.Detail, fresh.RetryAt = crawler.Waiting, "", "", time.Time{}
	fresh.Attempts, fresh.Lapses = 0, 0
	st.put(row, &fresh, false)
	st.takeUpHost(row.URL.Host())
}

func (st *step) takeUpHost(name crawler.Host) {
	h := st.host(name)
	h.GivenUp, h.GivenUpDetail, h.FailuresInRow, h.RobotsTries = "", "", 0, 0
}
