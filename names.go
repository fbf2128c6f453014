package trawl

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler"
	"trawl/storage/archive"
	"trawl/storage/ledger"
)

// Missing is what a fetcher has not shipped, though rows point to it.
type Missing struct {
	Fetcher string // "" or the scheduler's own: the bodies are lost
	Files   int64
	Rows    int64
}

const (
	// placedCheck is how often it is looked whether all bodies have their names.
	placedCheck = 50 * time.Millisecond
	// missingCheck is how often it is looked which bodies are missing, which reads what the ledger says of them.
	missingCheck = time.Second
)

// openBodies lets the scheduler give bodies their names as files, where its job keeps files.
func (r *run) openBodies(o *scheduler.Options) error {
	o.Shipped = r.ledger
	rule, err := archive.ProbeNames(r.dir.Path())
	if err != nil {
		return err
	}
	if r.bodies, err = archive.NewBodies(r.dir.Path()); err != nil {
		return err
	}
	o.Names, o.Bodies, o.NameRule = r.ledger, r.bodies, rule
	return nil
}

// closeBodies is called when no service uses them any more.
func (r *run) closeBodies() error {
	if r.bodies == nil {
		return nil
	}
	return r.bodies.Close()
}

// waitPlaced waits until the bodies that are there have their names.
func (r *run) waitPlaced(ctx context.Context) {
	t := time.NewTicker(placedCheck)
	defer t.Stop()
	for !r.sched.Placed() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		case <-r.life.Done():
			return
		}
	}
}

// findMissing looks which bodies are not there, though rows point to them. It reads the ledger's lists of what is still
// to come, so it costs little when all is there.
func (r *run) findMissing(ctx context.Context) ([]Missing, error) {
	by := make(map[string]*Missing)
	count := func(fetcher string, rows int64) {
		if by[fetcher] == nil {
			by[fetcher] = &Missing{Fetcher: fetcher}
		}
		by[fetcher].Files++
		by[fetcher].Rows += rows
	}
	for u, err := range r.ledger.Unplaced() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		rows, err := r.ledger.Rows([]weburl.URLKey{u.Key})
		if err != nil {
			return nil, err
		}
		if row := rows[0]; row != nil && row.Outcome == crawler.Fetched {
			count(row.Fetcher, 1)
		}
	}
	files, err := unshipped(r.dir.Path(), r.ledger)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		count(f.Fetcher, f.Rows)
	}
	var list []Missing
	for _, name := range slices.Sorted(maps.Keys(by)) {
		list = append(list, *by[name])
	}
	return list, nil
}

// unshipped lists the files that rows point into and of which bytes are missing that a row needs.
func unshipped(dir string, l *ledger.Ledger) (files []crawler.ShippedFile, err error) {
	for f, err := range l.ShippedFiles() {
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Name)))
		switch {
		case err == nil && info.Size() >= f.End:
		case err == nil || errors.Is(err, fs.ErrNotExist):
			files = append(files, f)
		default:
			return nil, err
		}
	}
	return files, nil
}

// complete looks whether every body is there that a row points to, once the job is done; bodies that no row waits for
// are removed then. Without it the job is not done, whatever the ledger says.
func (r *run) complete(ctx context.Context) (bool, error) {
	r.waitPlaced(ctx)
	missing, err := r.findMissing(r.life)
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	if r.missing = missing; len(missing) > 0 {
		return false, nil
	}
	return true, r.bodies.Sweep(func(k weburl.URLKey) (bool, error) {
		_, waits, err := r.ledger.UnplacedVersion(k)
		return waits, err
	})
}

// Missing lists the bodies that had not arrived when Run ended as Incomplete.
func (c *Crawl) Missing() []Missing { return c.missing }
