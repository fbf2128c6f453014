package trawl

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"trawl/storage/export"
)

// endGrace is how long an interrupted ending works on what users get, rows on standard output and exports, each; what takes
// longer is left to the next start.
const endGrace = 3 * time.Second

// endStream lets the rows that are owed reach standard output: all of them when the job is done or stopped by a limit, for a
// few seconds when it was interrupted. Rows that stay behind are in the ledger and come first when the job goes on.
func (r *run) endStream(ctx context.Context) error {
	if r.stream == nil {
		return nil
	}
	r.stream.end()
	r.linger(func() string { return fmt.Sprintf("%d rows wait for standard output to take them", r.stream.waiting()) })
	defer r.lingers.Store(nil)
	patience, cancel := r.patience(ctx)
	defer cancel()
	select {
	case <-r.stream.done:
	case <-patience.Done():
		r.interrupted()
	case <-r.life.Done():
	}
	r.stream.abandon()
	switch err := r.stream.failure(); {
	case readerLeft(err):
		r.o.Logger.Warn("nobody reads standard output any more, so the job stops; rows that were not written come first when it goes on", "rows", r.stream.waiting())
	case err != nil:
		return fmt.Errorf("standard output: %w", err)
	case r.stream.waiting() > 0:
		r.o.Logger.Warn("standard output did not take all rows; those that were not written come first when the job goes on", "rows", r.stream.waiting())
	}
	return nil
}

func (c *Crawl) interrupted() {
	ending := Interrupted
	c.ending.Store(&ending)
}

// linger makes status say what an ending waits for.
func (c *Crawl) linger(what func() string) { c.lingers.Store(&what) }

// patience ends when an ending should wait no longer: an interrupted one after endGrace, others when they are interrupted.
func (c *Crawl) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Ending() != Interrupted {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), endGrace)
}

// export writes the files that the options ask for, and those that the last ending left. An interrupted ending leaves what
// takes too long to the next start.
func (c *Crawl) export(ctx context.Context) error {
	due, err := c.dueExports()
	if err != nil {
		return err
	}
	patience, cancel := c.patience(ctx)
	defer cancel()
	for i, f := range due {
		n, err := c.exportFile(patience, f)
		if err != nil && patience.Err() != nil {
			c.interrupted()
			c.left = due[i:]
			break
		} else if err != nil {
			return fmt.Errorf("export %s: %w", f, err)
		}
		c.exported = append(c.exported, Exported{File: f, Rows: n})
	}
	return c.dir.LeaveExports(c.left)
}

// dueExports lists the files to be written at the end, each once.
func (c *Crawl) dueExports() ([]string, error) {
	due := slices.DeleteFunc(slices.Clone(c.o.Exports), func(f string) bool { return f == "-" }) // was written as it came
	left, err := c.dir.LeftExports()
	if err != nil {
		return nil, err
	}
	for _, f := range left {
		if !slices.ContainsFunc(due, func(d string) bool { return samePath(d, f) }) && CheckExports([]string{f}) == nil {
			due = append(due, f)
		}
	}
	return due, nil
}

// samePath reports whether two paths name one place, whatever directory they are relative to.
func samePath(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

func (c *Crawl) exportFile(ctx context.Context, f string) (int64, error) {
	format, err := export.FormatOf(f)
	if err != nil {
		return 0, err
	}
	var rows atomic.Int64
	all := c.Status().Seen
	c.linger(func() string { return fmt.Sprintf("writing %s: %d of %d rows", f, rows.Load(), all) })
	defer c.lingers.Store(nil)
	return export.File(ctx, f, format, counted(&rows, c.ledger.All()))
}

// counted passes rows on and counts them.
func counted(n *atomic.Int64, rows iter.Seq2[*Row, error]) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for row, err := range rows {
			n.Add(1)
			if !yield(row, err) {
				return
			}
		}
	}
}
