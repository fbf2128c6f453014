package node

import (
	"context"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler"
	"trawl/storage/archive"
	"trawl/storage/check"
	"trawl/storage/ledger"
)

// placedCheck is how often it is looked whether all bodies have their names.
const placedCheck = 50 * time.Millisecond

// bodies are what rows point to, in the directory of the scheduler's node.
type bodies struct {
	dir    string
	ledger *ledger.Ledger
	files  *archive.Bodies
}

// openBodies also finds out which names the file system takes.
func openBodies(dir string, l *ledger.Ledger) (*bodies, crawler.NameRule, error) {
	rule, err := archive.ProbeNames(dir)
	if err != nil {
		return nil, rule, err
	}
	files, err := archive.NewBodies(dir)
	if err != nil {
		return nil, rule, err
	}
	return &bodies{dir: dir, ledger: l, files: files}, rule, nil
}

// close is called when no service uses them any more. b may be nil.
func (b *bodies) close() error {
	if b == nil {
		return nil
	}
	return b.files.Close()
}

// waitPlaced waits until the bodies that are here have their names.
func (b *bodies) waitPlaced(ctx context.Context, core *scheduler.Scheduler) {
	t := time.NewTicker(placedCheck)
	defer t.Stop()
	for !core.Placed() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// missing are the bodies that are not here, though rows point to them.
func (b *bodies) missing(ctx context.Context) ([]check.Missing, error) {
	return check.FindMissing(ctx, b.dir, b.ledger)
}

// sweep removes bodies that no row waits for.
func (b *bodies) sweep() error {
	return b.files.Sweep(func(k weburl.URLKey) (bool, error) {
		_, waits, err := b.ledger.UnplacedVersion(k)
		return waits, err
	})
}
