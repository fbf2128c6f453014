package storage

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Backup makes a copy of the ledger, as of a moment during the call, in a directory that is not there yet.
// Commits go on meanwhile. The copy is a ledger like any other; where the file system can, it shares its
// tables with this one and takes little space.
func (l *Ledger) Backup(dir string) error {
	if err := l.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("back up ledger %s to %s: %w", l.dir, dir, err)
	}
	return l.failure()
}

// NewLife gives the ledger a new life. Whoever continues from a copy calls it before anything else, so that
// a scheduler that still works on the original, and the fetchers of both, notice that there are two.
func (l *Ledger) NewLife() error {
	l.commit.Lock()
	defer l.commit.Unlock()
	if l.o.ReadOnly {
		return fmt.Errorf("ledger %s is open for reading only", l.dir)
	}
	err := errors.Join(l.db.Set(appendMeta(nil, metaLife), newLife(), pebble.Sync), l.failure())
	if err != nil {
		return fmt.Errorf("give ledger %s a new life: %w", l.dir, err)
	}
	return nil
}
