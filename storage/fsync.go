package storage

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
)

// fsyncer makes durable what stands in an open file, or which names stand in an open directory. All that is to outlive a
// power cut goes through one, so that tests can put a disk in its place that forgets the rest.
type fsyncer func(*os.File) error

// osFsync is the operating system's.
func osFsync(f *os.File) error { return f.Sync() }

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
