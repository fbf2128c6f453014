package trawl

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync/atomic"

	"trawl/internal/node"
	"trawl/storage/export"
)

// export writes the files that the options ask for, and those that the last ending left. An interrupted ending leaves what
// takes too long to the next start.
func (c *Crawl) export(ctx context.Context) error {
	due, err := c.dueExports()
	if err != nil {
		return err
	}
	patience, cancel := node.Patience(ctx, c.Ending())
	defer cancel()
	for i, f := range due {
		n, err := c.exportFile(patience, f)
		if err != nil && patience.Err() != nil {
			ending := Interrupted
			c.ending.Store(&ending)
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
	defer c.node.Linger(func() string { return fmt.Sprintf("writing %s: %d of %d rows", f, rows.Load(), all) })()
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
