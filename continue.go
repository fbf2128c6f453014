package trawl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"trawl/crawler"
	"trawl/scheduler"
	"trawl/storage"
)

// goOn completes the job by what the directory's job has, and refuses another one.
func (c *Crawl) goOn() error {
	l, err := c.ledger.Load(context.Background())
	if err != nil {
		return err
	}
	return c.continues(&l)
}

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
	c := Crawl{job: job, o: o}
	err = c.continues(&l)
	return c.job, err
}

// continues completes the job by what a ledger has.
func (c *Crawl) continues(l *crawler.LedgerState) (err error) {
	before := &l.State.Job
	if before.Kind == "" {
		return nil
	}
	_, c.kept = c.job.Continue(&l.State, c.o.Said)
	err = before.SameAs(&c.job)
	switch {
	case err == nil:
	case before.Kind != c.job.Kind:
		return crawler.UsageError(fmt.Errorf("%s: %w: %w; %s; or choose another `dir`, or `fresh`", c.o.Dir, scheduler.ErrOtherJob, err, c.rightCommand(before.Kind)))
	default:
		return crawler.UsageError(fmt.Errorf("%s: %w: %w; leave that away, choose another `dir`, or `fresh`", c.o.Dir, scheduler.ErrOtherJob, err))
	}
	return crawler.UsageError(c.job.Validate())
}

// rightCommand says how a directory's job of the kind is gone on with.
func (c *Crawl) rightCommand(kind crawler.Kind) string {
	command := string(kind)
	if c.o.Serve {
		command = "scheduler"
	}
	return fmt.Sprintf("trawl %s `dir` %s goes on with it", command, c.o.Dir)
}

// Job is the job in force at the start: as it was given, completed by what the directory's job has; see [Options].
func (c *Crawl) Job() Job { return c.job }

// AsBefore lists the settings that stay as they were, each with its value, but for the usual ones; "" for none.
func (c *Crawl) AsBefore() string { return strings.Join(c.kept, ", ") }
