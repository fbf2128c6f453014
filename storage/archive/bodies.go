package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/durable"
	"trawl/storage/crawldir"
)

// Bodies puts bodies that have arrived under the names that the ledger gave. Whatever it does may be done again after a
// crash, with the same end. For one goroutine, but for Close.
type Bodies struct {
	root  *os.Root
	fsync durable.Fsync

	mu   sync.Mutex
	dirs map[string]bool     // whose entries are not durable yet
	open map[string]*os.File // directories that were opened since the last sync
}

// maxOpenDirs is how many directories are held open between two syncs. A list often has many files for each, and opening one by way of
// an os.Root opens all above it.
const maxOpenDirs = 64

// NewBodies opens the directory.
func NewBodies(dir string) (*Bodies, error) { return newBodies(dir, durable.System) }

func newBodies(dir string, fsync durable.Fsync) (*Bodies, error) {
	if err := crawldir.MakeDurable(fsync, dir, crawldir.FilesDir, crawldir.IncomingDir); err != nil {
		return nil, fmt.Errorf("open files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open files: %w", err)
	}
	return &Bodies{root: root, fsync: fsync, dirs: map[string]bool{}, open: map[string]*os.File{}}, nil
}

// Close closes the directory.
func (b *Bodies) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeAll()
	return b.root.Close()
}

// Place puts the body of a URL under its name, relative to the crawl directory, and replaces what has the name. Its
// error is crawler.ErrNoBody where neither the body nor a file with its bytes is there, a [crawler.NameRefused] where the
// file system does not take the name, and any other is the disk's. The name is durable after Sync.
func (b *Bodies) Place(ctx context.Context, u weburl.URL, digest crawler.Digest, size int64, to string) error {
	if err := checkFileName(to); err != nil {
		return err
	}
	body := crawler.BodyName(u, digest)
	err := b.rename(body, to)
	if errors.Is(err, fs.ErrNotExist) { // one of the directories is missing, or the body
		switch _, err := b.root.Lstat(body); {
		case errors.Is(err, fs.ErrNotExist):
			return b.placed(ctx, to, size, digest)
		case err != nil:
			return err
		}
		if err := b.root.MkdirAll(path.Dir(to), durable.DirMode); err != nil {
			return refused(to, err)
		}
		b.closeDirs() // one may have been open that was removed
		err = b.rename(body, to)
	}
	if errors.Is(err, unix.EXDEV) { // files/ is a disk of its own
		if err = b.copy(ctx, body, to); err == nil {
			err = b.root.Remove(body)
		}
	}
	if err != nil {
		return refused(to, err)
	}
	b.changed(to, body)
	return nil
}

// rename gives a body its name where its directory is there.
func (b *Bodies) rename(body, to string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open)+2 > maxOpenDirs {
		b.closeAll()
	}
	from, err := b.directory(path.Dir(body))
	if err != nil {
		return err
	}
	into, err := b.directory(path.Dir(to))
	if err != nil {
		return err
	}
	err = unix.Renameat(int(from.Fd()), path.Base(body), int(into.Fd()), path.Base(to))
	if err == unix.EISDIR {
		return unix.EEXIST // what stands in rows, and what os.Rename says: a directory is in the way
	}
	return err
}

// directory opens a directory, or has it open. No name leads out of the root. Called with mu held.
func (b *Bodies) directory(name string) (*os.File, error) {
	if d, ok := b.open[name]; ok {
		return d, nil
	}
	d, err := b.root.OpenFile(name, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	b.open[name] = d
	return d, nil
}

func (b *Bodies) closeDirs() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeAll()
}

// closeAll is called with mu held.
func (b *Bodies) closeAll() {
	for name, d := range b.open {
		d.Close() // it was only looked through
		delete(b.open, name)
	}
}

// placed reports whether the file has the bytes already: a crash came after it got its name.
func (b *Bodies) placed(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	f, err := b.root.Open(name)
	if err != nil {
		return errors.Join(crawler.ErrNoBody, durable.Unless(err, fs.ErrNotExist))
	}
	defer f.Close() // it is only read
	info, err := f.Stat()
	if err != nil || info.Size() != size {
		return errors.Join(crawler.ErrNoBody, err)
	}
	got, err := hashReader(&contextReader{ctx, f})
	switch {
	case err != nil:
		return err
	case got != digest:
		return crawler.ErrNoBody
	}
	b.changed(name)
	return nil
}

// Link puts the bytes of a file under a further name: as a hard link, or as a copy where the file system has none. Its
// errors are those of Place.
func (b *Bodies) Link(ctx context.Context, from, to string) error {
	if err := errors.Join(checkFileName(from), checkFileName(to)); err != nil {
		return err
	}
	have, err := b.root.Stat(from)
	if err != nil {
		return errors.Join(crawler.ErrNoBody, durable.Unless(err, fs.ErrNotExist))
	}
	if is, err := b.root.Lstat(to); err == nil && os.SameFile(have, is) {
		b.changed(to)
		return nil
	}
	if err := b.root.MkdirAll(path.Dir(to), durable.DirMode); err != nil {
		return refused(to, err)
	}
	if err := b.link(from, to); err != nil {
		if err = b.copy(ctx, from, to); err != nil {
			return refused(to, err)
		}
	}
	b.changed(to)
	return nil
}

// link replaces what has the name.
func (b *Bodies) link(from, to string) error {
	err := b.root.Link(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	temp := b.temp(crawldir.IncomingDir)
	if err := b.root.Link(from, temp); err != nil {
		return err
	}
	if err := b.root.Rename(temp, to); err != nil {
		return errors.Join(err, b.root.Remove(temp))
	}
	return nil
}

func (b *Bodies) temp(dir string) string { return path.Join(dir, ".name-"+rand.Text()) }

// copy writes a copy, durable, and gives it its name.
func (b *Bodies) copy(ctx context.Context, from, to string) error {
	temp := b.temp(crawldir.IncomingDir)
	err := b.copyTo(ctx, from, temp, to)
	if errors.Is(err, unix.EXDEV) {
		err = b.copyTo(ctx, from, b.temp(path.Dir(to)), to)
	}
	return err
}

func (b *Bodies) copyTo(ctx context.Context, from, temp, to string) (err error) {
	in, err := b.root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // it is only read
	out, err := b.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.FileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, &contextReader{ctx, in})
	if err == nil {
		err = b.fsync(out)
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = b.root.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(err, b.root.Remove(temp))
	}
	return nil
}

func (b *Bodies) changed(names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		durable.AddParents(b.dirs, name)
	}
}

// Sync makes durable what was done since the last call.
func (b *Bodies) Sync() error {
	b.mu.Lock()
	dirs := b.dirs
	b.dirs = map[string]bool{}
	b.closeAll() // somebody may put others in their places
	b.mu.Unlock()
	if err := b.fsync.SyncAll(b.root, dirs); err != nil {
		return fmt.Errorf("sync files: %w", err)
	}
	return nil
}

// Sweep removes bodies that no row waits for: of fetches that were repeated, or whose turn was lost.
func (b *Bodies) Sweep(waits func(weburl.URLKey) (bool, error)) error {
	entries, err := fs.ReadDir(b.root.FS(), bodiesDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		name := bodiesDir + "/" + e.Name()
		k, _, ok := crawler.ParseBodyName(name)
		if !ok {
			continue
		}
		keep, err := waits(k)
		if err == nil && !keep {
			err = durable.Unless(b.root.Remove(name), fs.ErrNotExist)
		}
		if err != nil {
			return fmt.Errorf("remove bodies that nobody waits for: %w", err)
		}
	}
	return err
}

func checkFileName(name string) error {
	if len(name) <= len(crawldir.FilesDir) || name[:len(crawldir.FilesDir)+1] != crawldir.FilesDir+"/" {
		return badStoredName(name)
	}
	return CheckName(name)
}

// refused distinguishes a name that the file system does not take from trouble with the disk, which is no URL's fault.
func refused(name string, err error) error {
	for _, trouble := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS, context.Canceled, context.DeadlineExceeded, unix.EMFILE, unix.ENFILE} {
		if errors.Is(err, trouble) {
			return err
		}
	}
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		err = errno // the names that were tried on the way are ours
	}
	return &crawler.NameRefused{Name: name, Err: err}
}

// ProbeNames finds out which names the file system of a crawl directory's files takes for one.
func ProbeNames(dir string) (rule crawler.NameRule, err error) {
	if err := crawldir.MakeDirs(dir, crawldir.FilesDir); err != nil {
		return rule, fmt.Errorf("try names of files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return rule, fmt.Errorf("try names of files: %w", err)
	}
	defer root.Close()
	const composed, capitals, decomposed = "\u00e4", "PROBE", "a\u0308"
	at, id := crawldir.FilesDir+"/.trawl-", rand.Text()
	name := func(word, letter string) string { return at + word + letter + id }
	f, err := root.OpenFile(name("probe", composed), os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.PrivateFile)
	if errors.Is(err, unix.EROFS) {
		return rule, nil
	} else if err != nil {
		return rule, fmt.Errorf("try names of files: %w", err)
	}
	is := func(other string) bool {
		_, err := root.Lstat(other)
		return err == nil
	}
	rule = crawler.NameRule{Case: is(name(capitals, composed)), Form: is(name("probe", decomposed))}
	return rule, errors.Join(f.Close(), root.Remove(name("probe", composed)))
}
