package crawldir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// removedLedger is where a ledger goes before it is removed, so that no half of one is ever opened.
const removedLedger = ".removed-ledger"

// Clear removes everything in the directory but its lock and its version, and makes it new. Nothing in
// it may be open. The queue goes first, which a ledger can do without, then the ledger as a whole: a crash
// in between leaves either the old crawl or a new one with files that no row points to.
func (d *Dir) Clear() error {
	if err := d.clear(); err != nil {
		return fmt.Errorf("empty crawl directory: %w", err)
	}
	return nil
}

func (d *Dir) clear() error {
	removed := filepath.Join(d.path, removedLedger)
	for _, path := range []string{d.Queue(), removed} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := os.Rename(d.Ledger(), removed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName || e.Name() == versionName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.path, e.Name())); err != nil {
			return err
		}
	}
	return d.furnish(false)
}
