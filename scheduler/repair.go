package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Lost is what has no record any more: rows, and robots files of hosts, by scheme.
type Lost struct {
	Rows   []weburl.URLKey
	Robots map[weburl.Host][]string
	Files  []crawler.ShippedFile // that nobody is to ship: of what they lack, no row but these needs anything
}

// retryBatch is how many rows wait again in one commit.
const retryBatch = 500

// Repair lets the rows wait again whose records are lost, and takes their hosts up again, in a ledger that
// nobody schedules; the next run of the job fetches them. Robots files only forget their record. It returns
// how many rows wait again that were done. It may be cut off anywhere, and called again.
func Repair(ctx context.Context, l Ledger, lost Lost) (int64, error) {
	loaded, err := l.Load(ctx)
	if err != nil {
		return 0, fmt.Errorf("read ledger: %w", err)
	}
	s := &Scheduler{o: Options{Ledger: l}, log: slog.New(slog.DiscardHandler), clock: newClock(loaded.Clock, nil)}
	s.state = &state{
		job: loaded.State, work: loaded.Work, tallies: loaded.Tallies.Clone(), sequence: loaded.Sequence,
		away: make(map[weburl.Host]struct{}), hosts: &hostCache{m: make(map[weburl.Host]*crawler.HostState)}, front: newFront(1), recent: newRecent(1),
		shipped: &shipped{files: make(map[string]crawler.ShippedFile)},
	}
	var again int64
	for keys := range slices.Chunk(sorted(lost.Rows), retryBatch) {
		n, err := s.repairRows(keys)
		if err == nil {
			err = ctx.Err()
		}
		if again += n; err != nil {
			return again, fmt.Errorf("repair rows: %w", err)
		}
	}
	for h, schemes := range lost.Robots {
		if err := s.repairRobots(h, schemes); err != nil {
			return again, fmt.Errorf("repair robots of %s: %w", h, err)
		}
	}
	for files := range slices.Chunk(lost.Files, retryBatch) {
		if err := s.forgetFiles(files); err != nil {
			return again, fmt.Errorf("forget files that were not shipped: %w", err)
		}
	}
	return again, s.takeUpJob()
}

// forgetFiles comes after the rows that point into the files, so that one whose repair was cut off is still missed.
func (s *Scheduler) forgetFiles(files []crawler.ShippedFile) error {
	st := s.newStep()
	for _, f := range files {
		st.changes.Names.Shipped = append(st.changes.Names.Shipped, crawler.ShippedFile{Name: f.Name})
	}
	return s.seal(st)
}

func (s *Scheduler) repairRows(keys []weburl.URLKey) (again int64, err error) {
	st := s.newStep()
	rows := st.load(keys)
	for _, k := range keys {
		row := rows[k]
		switch {
		case row == nil:
		case row.Outcome == crawler.Waiting: // its newest fetch failed; it waits on, or is leased
			fresh := *row
			fresh.Archive = crawler.Locator{}
			st.put(row, &fresh, false)
		default:
			again++
			fresh := *row
			fresh.Result = crawler.Result{URL: row.URL, Outcome: crawler.Waiting} // what was found is not there any more
			fresh.RetryAt, fresh.Attempts, fresh.Tries, fresh.Spared, fresh.Lapses, fresh.Fetcher = time.Time{}, 0, 0, 0, 0, ""
			st.put(row, &fresh, false)
			st.takeUpHost(row.URL.Host())
		}
	}
	return again, s.seal(st)
}

func (s *Scheduler) repairRobots(h weburl.Host, schemes []string) error {
	files, err := s.o.Ledger.Robots(h)
	if err != nil {
		return err
	}
	st := s.newStep()
	for _, f := range files {
		if slices.Contains(schemes, f.Scheme) {
			f.Archive = crawler.Locator{}
			st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: h, File: f})
		}
	}
	return s.seal(st)
}

// seal commits a step that was made outside of the loop.
func (s *Scheduler) seal(st *step) error {
	st.seal()
	if st.err != nil {
		return st.err
	}
	return s.commit(st)
}

// takeUpJob opens a finished job again when something waits in it.
func (s *Scheduler) takeUpJob() error {
	t, job := &s.state.tallies, &s.state.job
	if job.Finished.IsZero() || job.Job.Ended(t) {
		return nil
	}
	job.Finished = time.Time{}
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: job}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}
