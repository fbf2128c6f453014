package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
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
func (s *Scheduler) change(c *crawler.Change) (refused, err error) {
	fresh := s.state.job
	if err := c.Apply(&fresh); err != nil {
		return err, nil
	}
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
		s.state.work.Recount = &crawler.RecountWork{} // from the beginning, should it be under way
	}
	s.state.epoch++
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &s.state.job, Work: &s.state.work}); err != nil {
		return nil, fmt.Errorf("write ledger: %w", err)
	}
	s.publishNotice()
	s.publishStatus()
	return nil, nil
}

func (st *step) takeUp(row *crawler.Row) {
	fresh := *row
	fresh.Outcome, fresh.Reason, fresh.Detail, fresh.RetryAt = crawler.Waiting, "", "", time.Time{}
	fresh.Attempts, fresh.Tries, fresh.Spared, fresh.Lapses = 0, 0, 0, 0
	st.put(row, &fresh, false)
	st.takeUpHost(row.URL.Host())
}

func (st *step) takeUpHost(name weburl.Host) {
	h := st.host(name)
	h.Back()
	h.GivenUp, h.GivenUpDetail, h.RobotsTries, h.RobotsDetail = "", "", 0, ""
}
