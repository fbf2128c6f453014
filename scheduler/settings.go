package scheduler

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"trawl/crawler"
)

// settings puts the job's settings in force: those of a fresh ledger as they are, those of an old one if
// they go on with the same job, completed by what that one has. What was stored of the seeds' addresses is kept.
func (s *Scheduler) settings(st *state, l *crawler.LedgerState) error {
	job := s.o.Job
	if err := job.Validate(); err != nil {
		return err
	}
	s.o.Job = job
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
	s.nameRule(&st.job)
	st.countEnd(l, s.o.LocalFetcher)
	if longer := before.Lease + before.Grace; longer > job.Lease+job.Grace {
		st.job.RightsTo = maxTime(st.job.RightsTo, s.clock.now().Add(longer))
	}
	if !sameLimits(&before, &job) {
		st.work.Recount = &crawler.RecountWork{}
	}
	return s.reopen(st)
}

// begin stores the job's settings before anything else is: a ledger that has rows must say what they are for,
// whenever the process ends. One that has rows and does not say it was left by a start that ended before it
// could; the settings of this start are taken for its job, and its hosts are counted under them.
func (s *Scheduler) begin(st *state, fresh bool) error {
	st.job = crawler.JobState{Job: s.o.Job, Given: s.o.Job}
	s.nameRule(&st.job)
	if !fresh {
		s.log.Warn("the ledger does not say what job it holds; it goes on as the one that this command gives")
		st.work.Recount = &crawler.RecountWork{}
	}
	if err := s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &st.job, Work: &st.work}); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	return nil
}

// reopen stores the settings in force and what is to be done for them, and takes a finished job up again when a limit was raised.
func (s *Scheduler) reopen(st *state) error {
	if s.o.RetryFailed != nil {
		st.work.Take(*s.o.RetryFailed)
	}
	if !st.job.Job.Ended(&st.tallies) {
		st.job.Finished = time.Time{}
	}
	return s.o.Ledger.Commit(&crawler.Changes{Now: s.clock.now(), State: &st.job, Work: &st.work})
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
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
