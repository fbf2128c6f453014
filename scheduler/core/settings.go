package core

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"trawl/crawler"
)

// settings sets the job's settings: those of a fresh ledger as they are, those of an old one if
// they continue the same job, completed by what that one has. What was stored of the seeds' addresses is kept.
func (c *Core) settings(l *crawler.LedgerState) error {
	s, job := c.state, c.o.Job
	if err := job.Validate(); err != nil {
		return err
	}
	c.o.Job = job
	if l.State.Job.Kind == "" {
		s.begin(job, l.Fresh)
		s.nameRule(&c.o)
		return nil
	}
	before := l.State.Job
	given, _ := job.Continue(&l.State, c.o.Said)
	if err := before.SameAs(&job); err != nil {
		return fmt.Errorf("%w: %w; give the same settings, another `dir`, or `fresh`", ErrOtherJob, err)
	}
	if err := job.Validate(); err != nil {
		return err
	}
	job.SeedPrivate = union(before.SeedPrivate, c.o.Job.SeedPrivate)
	s.job.Job, s.job.Given = job, given
	s.nameRule(&c.o)
	s.countEnd(l, c.o.LocalFetcher)
	if longer := before.Lease + before.Grace; longer > job.Lease+job.Grace {
		s.job.RightsTo = crawler.MaxTime(s.job.RightsTo, s.startedAt.Add(longer))
	}
	if !sameLimits(&before, &job) {
		s.work.Recount = &crawler.RecountWork{}
	}
	if c.o.RetryFailed != nil {
		s.work.Take(*c.o.RetryFailed)
	}
	if !s.job.Job.Ended(&s.tallies) {
		s.job.Finished = time.Time{}
	}
	return nil
}

// begin takes the settings of a start for those of a ledger that does not say what job it holds. One that has rows all the same was left
// by a start that ended before it could; its hosts are counted under these settings.
func (s *state) begin(job crawler.Job, fresh bool) {
	s.job = crawler.JobState{Job: job, Given: job}
	if !fresh {
		s.notes = append(s.notes, "the ledger does not say what job it holds; it goes on as the one that this command gives")
		s.work.Recount = &crawler.RecountWork{}
	}
}

// storeSettings is the first order of a life, before anything else is stored: a ledger that has rows must say what they are for, whenever
// the process ends.
func storeSettings(st *Step) (done bool) {
	st.jobState()
	work := st.s.work.Clone()
	st.changes.Work = &work
	for _, text := range st.s.notes {
		st.say(slog.LevelWarn, text)
	}
	st.s.notes = nil
	return true
}

// Change is the order that changes the running job as a user says. An error is the user's: the job would not be valid.
func (c *Core) Change(change *crawler.Change) (Order, error) {
	fresh := c.state.job
	if err := change.Apply(&fresh); err != nil {
		return nil, err
	}
	if err := fresh.Job.Validate(); err != nil {
		return nil, err
	}
	if fresh.LogLevel != "" && new(slog.Level).UnmarshalText([]byte(fresh.LogLevel)) != nil {
		return nil, fmt.Errorf("log level %q: use debug, info, warn or error", fresh.LogLevel)
	}
	return func(st *Step) bool {
		before := &st.s.job.Job
		*st.jobState() = fresh
		if !sameLimits(before, &fresh.Job) {
			work := st.s.work.Clone()
			work.Recount = &crawler.RecountWork{} // from the beginning, should it be under way
			st.changes.Work = &work
		}
		st.s.epoch++
		st.s.changed = st.now
		return true
	}, nil
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
