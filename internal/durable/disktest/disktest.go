// Package disktest is a disk that forgets, for the tests of code that promises that something outlives a power cut.
package disktest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// Disk watches a directory that is worked in as ever. It is told of each sync by Fsync, and so knows what a power cut would
// leave. Safe for concurrent use.
type Disk struct {
	t    testing.TB
	root string

	mu    sync.Mutex
	nodes map[uint64]*node // by inode
}

// node is a file or a directory, as of its last sync.
type node struct {
	held    *os.File // open, so that no other gets its inode
	mode    fs.FileMode
	bytes   []byte            // of a file
	entries map[string]uint64 // of a directory
}

// New watches the directory, which is durable as it is now.
func New(t testing.TB, root string) *Disk {
	t.Helper()
	d := &Disk{t: t, root: root, nodes: make(map[uint64]*node)}
	t.Cleanup(func() {
		for _, n := range d.nodes {
			n.held.Close()
		}
	})
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, d.sync(path))
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Fsync takes the place of the operating system's.
func (d *Disk) Fsync(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // others work on
		}
		if err != nil {
			return err
		}
		if at, err := os.Lstat(path); err != nil || !os.SameFile(at, info) {
			return nil
		}
		if err := d.sync(path); err != nil {
			return err
		}
		return fs.SkipAll // one without a name is gone with the power anyway
	})
}

// sync makes what lies under a path durable: the bytes of a file, or the names in a directory.
func (d *Disk) sync(path string) error {
	id, err := d.node(path)
	if err != nil {
		return err
	}
	n := d.nodes[id]
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	n.mode = info.Mode()
	if !info.IsDir() {
		n.bytes, err = os.ReadFile(path)
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	n.entries = make(map[string]uint64)
	for _, e := range entries {
		child, err := d.node(filepath.Join(path, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		n.entries[e.Name()] = child
	}
	return nil
}

// node is what is known of the file or directory that lies under a path.
func (d *Disk) node(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	id := uint64(info.Sys().(*syscall.Stat_t).Ino)
	if d.nodes[id] != nil {
		return id, f.Close()
	}
	d.nodes[id] = &node{held: f, mode: info.Mode()}
	return id, nil
}

// Cut runs a check on what a power cut now would leave, once for each kind of disk: one on which everything is as it was when
// it was last synced, and one on which names, permissions and growth are there at once, and only the bytes are not.
func (d *Disk) Cut(t *testing.T, check func(t *testing.T, root string)) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	root, err := d.node(d.root)
	if err != nil {
		t.Fatal(err)
	}
	early, err := d.namesAtOnce()
	if err != nil {
		t.Fatal(err)
	}
	for name, nodes := range map[string]map[uint64]*node{"a disk that is late with everything": d.nodes, "a disk that is late with bytes": early} {
		t.Run("on "+name, func(t *testing.T) {
			to := t.TempDir()
			if err := rebuild(nodes, root, to, make(map[uint64]string)); err != nil {
				t.Fatal(err)
			}
			check(t, to)
		})
	}
}

// namesAtOnce is what is left on the second kind of disk. Bytes beyond those that were synced are zeros.
func (d *Disk) namesAtOnce() (map[uint64]*node, error) {
	left := make(map[uint64]*node)
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		id, err := d.node(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		n := *d.nodes[id]
		n.mode, n.entries = info.Mode(), make(map[string]uint64)
		if more := info.Size() - int64(len(n.bytes)); !info.IsDir() && more > 0 {
			n.bytes = append(slices.Clip(n.bytes), make([]byte, more)...)
		}
		left[id] = &n
		if path == d.root {
			return nil
		}
		above, err := d.node(filepath.Dir(path))
		if err == nil {
			left[above].entries[filepath.Base(path)] = id
		}
		return err
	})
	return left, err
}

// rebuild makes what is left of a directory. Names of one file stay names of one file.
func rebuild(nodes map[uint64]*node, dir uint64, to string, made map[uint64]string) error {
	for name, id := range nodes[dir].entries {
		n, at := nodes[id], filepath.Join(to, name)
		var err error
		switch other := made[id]; {
		case n.mode.IsDir():
			err = errors.Join(os.Mkdir(at, 0o700), rebuild(nodes, id, at, made))
		case other != "":
			err = os.Link(other, at)
		default:
			made[id] = at
			err = os.WriteFile(at, n.bytes, 0o600)
		}
		if err = errors.Join(err, os.Chmod(at, n.mode.Perm())); err != nil {
			return err
		}
	}
	return nil
}
