package scheduler

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"trawl/crawler"
)

// recountBatch is how many hosts are rewritten in one commit when limits have changed.
const recountBatch = 1000

// settings puts the job's settings in force: those of a fresh ledger as they are, those of an old one if
// they go on with the same job, completed by what that one has. What was stored of the seeds' addresses is kept.
func (s *Scheduler) settings(st *state, l *crawler.LedgerState) error {
	job := s.o.Job
	if err := job.Validate(); err != nil {
		return err
	}
	if l.State.Job.Kind == "" {
		return s.begin(st, l.Fresh)
	}
	before := l.State.Job
	given, _ := job.Continue(&l.State, s.o.Said)
	if err := before.SameAs(&job); err != nil {
		return fmt.Errorf("%w: %w; give the same settings, another --dir, or --fresh", ErrOtherJob, err)
	}
	if err := job.Validate(); err != nil {
		return err
	}
	job.SeedPrivate = union(before.SeedPrivate, s.o.Job.SeedPrivate)
	st.job.Job, st.job.Given = job, given
	if sameLimits(&before, &job) {
		return s.reopen(st)
	}
	if err := s.recount(st); err != nil {
		return fmt.Errorf("apply the changed limits: %w", err)
	}
	return s.reopen(st)
}

// begin stores the job's settings before anything else is: a ledger that has rows must say what they are for,
// whenever the process ends. One that has rows and does not say it was left by a start that ended before it
// could; the settings of this start are taken for its job, and its hosts are counted under them.
func (s *Scheduler) begin(st *state, fresh bool) error {
	st.job = crawler.JobState{Job: s.o.Job, Given: s.o.Job}
	if !fresh {
		s.log.Warn("the ledger does not say what job it holds; it goes on as the one that this command gives")
		if err := s.recount(st); err != nil {
			return fmt.Errorf("apply the limits: %w", err)
		}
	}
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &st.job}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// reopen stores the settings in force, and takes a finished job up again when a limit was raised.
func (s *Scheduler) reopen(st *state) error {
	if s.o.RetryFailed != nil {
		if err := s.retryFailed(st, *s.o.RetryFailed); err != nil {
			return fmt.Errorf("take failed URLs up again: %w", err)
		}
	}
	t := &st.tallies
	full := st.job.Job.MaxPages > 0 && t.Counts[crawler.Fetched] >= st.job.Job.MaxPages
	if !t.Done() && !full {
		st.job.Finished = time.Time{}
	}
	return s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &st.job})
}

// recount sets every host's parked URLs under the limits in force. It may be cut off anywhere: the settings
// are stored after it, so the next start does it again.
func (s *Scheduler) recount(st *state) error {
	var batch []crawler.HostChange
	flush := func() error {
		t := st.tallies.Clone()
		c := crawler.Changes{Now: s.clock.now(), Hosts: batch, Tallies: &t}
		batch = nil
		return s.o.Ledger.Commit(&c)
	}
	for h, err := range s.o.Index.Hosts() {
		if err != nil {
			return err
		}
		old, fresh := h, h
		fresh.Deep = 0
		if st.job.Job.Depth >= 0 {
			if fresh.Deep, err = s.o.Index.Beyond(h.Host, st.job.Job.Depth); err != nil {
				return err
			}
		}
		fresh.Park(&st.job.Job)
		if fresh.Deep != old.Deep || fresh.Parked != old.Parked {
			st.tallies.Parked += fresh.Parked - old.Parked
			batch = append(batch, crawler.HostChange{Old: &old, New: &fresh})
		}
		if len(batch) >= recountBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// union has what is in a, and then what only b has.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, one := range b {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// sameLimits reports whether no host's parked URLs can differ.
func sameLimits(a, b *crawler.Job) bool {
	return a.Depth == b.Depth && a.MaxPerHost == b.MaxPerHost && reflect.DeepEqual(a.Hosts, b.Hosts)
}
