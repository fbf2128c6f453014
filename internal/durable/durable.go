package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// FilesAtOnce is how many files are synced at the same time: the disk makes one commit of them.
const FilesAtOnce = 16

// Fsync makes durable what stands in an open file, or which names stand in an open directory. All that is to outlive a
// power cut goes through one, so that tests can put a disk in its place that forgets the rest.
type Fsync func(*os.File) error

// System is the operating system's.
func System(f *os.File) error { return f.Sync() }

// SyncDirectory makes durable which names stand in a directory.
func (s Fsync) SyncDirectory(dir string) error {
	if err := s.SyncFile(dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// MakeDir makes a directory, and those that lead to it, where they are missing; the names of those are durable then.
func (s Fsync) MakeDir(dir string, mode fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(filepath.Clean(dir))
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err = s.MakeDir(above, mode); err == nil {
			err = os.Mkdir(dir, mode)
		}
	}
	if err != nil {
		return Unless(err, fs.ErrExist) // another process was quicker; what is no directory will be noticed
	}
	return Unless(s.SyncDirectory(above), fs.ErrPermission) // nobody can sync what he may not read
}

// SyncFile makes durable what stands in a file.
func (s Fsync) SyncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s(f), f.Close())
}

// SyncName syncs a file or directory by its name.
func (s Fsync) SyncName(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(s(f), f.Close())
}

// SyncAll syncs files or directories, the longest names first. One that was removed meanwhile, being empty,
// needs no sync.
func (s Fsync) SyncAll(root *os.Root, names map[string]bool) error {
	var g errgroup.Group
	g.SetLimit(FilesAtOnce)
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		g.Go(func() error {
			if err := s.SyncName(root, name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// AddParents adds the directories above the name, whose entries are to be made durable.
func AddParents(dirs map[string]bool, name string) {
	for d := path.Dir(name); !dirs[d]; d = path.Dir(d) {
		dirs[d] = true
	}
}

// Unless passes over one error.
func Unless(err, but error) error {
	if errors.Is(err, but) {
		return nil
	}
	return err
}

// ReplaceFile makes a file appear whole: temporary file in the same directory, sync, rename, sync of the
// directory. After an error the temporary file is gone, and an older file of that name is as it was (unless
// it is the last sync that failed). A crash may leave a temporary file, whose name begins with a dot and
// the name meant; see removeStale.
func (s Fsync) ReplaceFile(path string, mode fs.FileMode, write func(*os.File) error) (err error) {
	path = linkTarget(path) // replace what the link names, not the link
	dir, base := filepath.Split(path)
	f, err := createTemp(dir, base, mode)
	if err != nil {
		return err
	}
	defer f.Close() // last, since it gives up the lock; what it could report, Sync has
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := s(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return s.SyncDirectory(orHere(dir))
}

func linkTarget(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// orHere is the directory that filepath.Split gave.
func orHere(dir string) string { return cmp.Or(dir, ".") }
