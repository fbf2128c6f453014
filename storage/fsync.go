package storage

import (
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

// fsyncer makes durable what stands in an open file, or which names stand in an open directory. All that is to outlive a
// power cut goes through one, so that tests can put a disk in its place that forgets the rest.
type fsyncer func(*os.File) error

// osFsync is the operating system's.
func osFsync(f *os.File) error { return f.Sync() }

// directory makes durable which names stand in a directory.
func (s fsyncer) directory(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(s(d), d.Close())
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// makeDir makes a directory, and those that lead to it, where they are missing; the names of those are durable then.
func (s fsyncer) makeDir(dir string, mode fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(filepath.Clean(dir))
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err = s.makeDir(above, mode); err == nil {
			err = os.Mkdir(dir, mode)
		}
	}
	if err != nil {
		return unless(err, fs.ErrExist) // another process was quicker; what is no directory will be noticed
	}
	return unless(s.directory(above), fs.ErrPermission) // nobody can sync what he may not read
}

// makeDirs is [makeDirs], and the names are durable then, also those that an earlier process made and did not sync.
func (s fsyncer) makeDirs(dir string, names ...string) error {
	if err := s.makeDir(dir, dirMode); err != nil {
		return err
	}
	if err := makeDirs(dir, names...); err != nil {
		return err
	}
	return s.directory(dir)
}

// name syncs a file or directory by its name.
func (s fsyncer) name(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(s(f), f.Close())
}

// names syncs files or directories, the longest names first. One that was removed meanwhile, being empty,
// needs no sync.
func (s fsyncer) names(root *os.Root, names map[string]bool) error {
	var g errgroup.Group
	g.SetLimit(filesAtOnce)
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		g.Go(func() error {
			if err := s.name(root, name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// addParents adds the directories above the name, whose entries are to be made durable.
func addParents(dirs map[string]bool, name string) {
	for d := path.Dir(name); !dirs[d]; d = path.Dir(d) {
		dirs[d] = true
	}
}
