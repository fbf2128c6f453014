package crawldir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trawl/internal/durable"
	"trawl/storage"
)

// restoringName is the directory in which a crawl is put together. While it is there and no version, all that lies
// beside it was put there by a restore that did not come to its end, but for what keptByRestore names.
const restoringName = ".restoring"

// keptByRestore may be there before a restore, and is left alone: bodies that were copied already.
var keptByRestore = map[string]bool{ArchiveDir: true, FilesDir: true, exportsDir: true}

// vacant looks whether nothing would be lost if a crawl were put into the directory.
func vacant(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	begun, other := false, ""
	for _, e := range entries {
		switch n := e.Name(); {
		case n == versionName:
			return fmt.Errorf("%s is %w: it holds a crawl; choose another `dir`", path, storage.ErrHoldsCrawl)
		case n == restoringName:
			begun = true
		case n == lockName, keptByRestore[n], strings.HasPrefix(n, "."+versionName):
		default:
			other = n
		}
	}
	if other != "" && !begun {
		return fmt.Errorf("%s is %w: it holds %s; choose another `dir`", path, storage.ErrHoldsCrawl, other)
	}
	return nil
}

// OpenVacant locks a directory that a crawl is put into, beside bodies that may have been copied already. It is made when it is
// not there; made says so. What holds anything else is refused with [storage.ErrHoldsCrawl]. After [Dir.ForgetRestore] the crawl is put
// together in [Dir.Restoring], and is one with [Dir.Restored]; after a failure call [Dir.GiveUpRestore].
func OpenVacant(path string) (d *Dir, made bool, err error) {
	_, err = os.Lstat(path)
	made = errors.Is(err, fs.ErrNotExist)
	if err := durable.Fsync(durable.System).MakeDir(path, durable.DirMode); err != nil {
		return nil, false, fmt.Errorf("make crawl directory: %w", err)
	}
	if err := vacant(path); err != nil {
		return nil, false, err
	}
	lock, err := lockDir(path, true)
	if err != nil {
		return nil, false, err
	}
	return &Dir{path: path, lock: lock, fsync: durable.System}, made, nil
}

// ForgetRestore removes what a restore left that died.
func (d *Dir) ForgetRestore() error {
	staging := filepath.Join(d.path, restoringName)
	if _, err := os.Lstat(staging); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	problems := []error{os.RemoveAll(d.Ledger()), os.RemoveAll(d.Queue())}
	for _, name := range Texts() {
		problems = append(problems, os.RemoveAll(filepath.Join(d.path, name)))
	}
	if err := errors.Join(append(problems, os.RemoveAll(staging))...); err != nil {
		return fmt.Errorf("remove what an earlier restore left: %w", err)
	}
	return nil
}

// Restoring makes the directory in which a crawl is put together, with an empty one for its ledger.
func (d *Dir) Restoring() (string, error) {
	staging := filepath.Join(d.path, restoringName)
	if err := os.MkdirAll(filepath.Join(staging, LedgerDir), durable.PrivateDir); err != nil {
		return "", fmt.Errorf("make room for the backup: %w", err)
	}
	return staging, nil
}

// Restored moves what was put together, and is durable, into its place: from then on the directory is a crawl's.
func (d *Dir) Restored() error {
	staging := filepath.Join(d.path, restoringName)
	for _, name := range append([]string{LedgerDir}, Texts()...) {
		err := os.Rename(filepath.Join(staging, name), filepath.Join(d.path, name))
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && slices.Contains(Texts(), name)) {
			return fmt.Errorf("put the backup in its place: %w", err)
		}
	}
	if err := d.fsync.SyncDirectory(d.path); err != nil {
		return err
	}
	if err := d.furnish(true); err != nil { // from here on it is a crawl
		return err
	}
	return os.RemoveAll(staging)
}

// GiveUpRestore removes what was put together, and the directory where it was made for that.
func (d *Dir) GiveUpRestore(made bool) error {
	err := os.RemoveAll(filepath.Join(d.path, restoringName))
	if made {
		_ = os.Remove(filepath.Join(d.path, lockName)) // both stay where something else came meanwhile
		_ = os.Remove(d.path)
	}
	return err
}
