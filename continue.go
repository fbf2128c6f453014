package trawl

import (
	"context"
	"errors"
	"fmt"

	"trawl/crawler"
	"trawl/scheduler"
	"trawl/storage"
)

// Remembered completes a job as [New] would in the directory of o, and refuses what it refuses; nothing else is done. A
// directory that is in use is an error, as it is for New.
func Remembered(job Job, o Options) (Job, error) {
	if o.Fresh || !HoldsCrawl(o.Dir) {
		return job, nil
	}
	ledger, done, err := readAtRest(o.Dir)
	if errors.Is(err, storage.ErrInUse) {
		return job, fmt.Errorf("%w: job.yaml there has the settings in force", err)
	} else if err != nil {
		return job, err
	}
	defer done()
	l, err := ledger.Load(context.Background())
	if err != nil {
		return job, err
	}
	job, _, err = o.continues(&l, job)
	return job, err
}

// continues completes a job by what a ledger has, and refuses another one. kept are the settings that stay as they were.
func (o *Options) continues(l *crawler.LedgerState, job Job) (_ Job, kept []string, err error) {
	before := &l.State.Job
	if before.Kind == "" {
		return job, nil, nil
	}
	_, kept = job.Continue(&l.State, o.Said)
	err = before.SameAs(&job)
	switch {
	case err == nil:
	case before.Kind != job.Kind:
		err = fmt.Errorf("%s: %w: %w; %s; or choose another `dir`, or `fresh`", o.Dir, scheduler.ErrOtherJob, err, o.rightCommand(before.Kind))
	default:
		err = fmt.Errorf("%s: %w: %w; leave that away, choose another `dir`, or `fresh`", o.Dir, scheduler.ErrOtherJob, err)
	}
	if err == nil {
		err = job.Validate()
	}
	return job, kept, crawler.UsageError(err)
}

// rightCommand says how a directory's job of the kind is continued.
func (o *Options) rightCommand(kind crawler.Kind) string {
	command := string(kind)
	if o.Serve != nil {
		command = "scheduler"
	}
	return fmt.Sprintf("trawl %s `dir` %s goes on with it", command, o.Dir)
}
