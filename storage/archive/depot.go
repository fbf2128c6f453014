package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage"
	"trawl/storage/crawldir"
)

// Sentinels of the depot. Errors that wrap them name the file.
var (
	// ErrTaken: another file has the name for good; nothing was changed.
	ErrTaken = errors.New("the name belongs to a finished file with other content")
	// ErrOffset: an append does not begin where the file ends; ask for its Size.
	ErrOffset = errors.New("not at the end of what has arrived")
	// ErrShipment: what arrived is not what was announced. It was set aside; the file is to be sent again.
	ErrShipment = errors.New("what arrived differs from what was announced")
)

// Depot is the scheduler's directory as the place where the fetchers' files arrive. Safe for concurrent use.
//
// WARC files grow in place below archive/, so that what has arrived can be read at once; a finished one
// is made read-only, and grows no more. Bodies that are to become files grow below incoming/, and lie in incoming/bodies
// when they are whole and compared; [Bodies] puts them under their names. What an append added is durable before it returns; after a crash a file may be longer
// than what was acknowledged, which the sender learns from Size, and wrong there, which Finish finds.
type Depot struct {
	root  *os.Root
	fsync durable.Fsync

	mu   sync.Mutex
	busy map[string]chan struct{} // by name: a call that is under way; closed at its end
}

// NewDepot opens the depot below dir.
func NewDepot(dir string) (*Depot, error) { return newDepot(dir, durable.System) }

func newDepot(dir string, fsync durable.Fsync) (*Depot, error) {
	if err := crawldir.MakeDurable(fsync, dir, crawldir.ArchiveDir, crawldir.FilesDir, crawldir.IncomingDir); err != nil {
		return nil, fmt.Errorf("open depot: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open depot: %w", err)
	}
	d := &Depot{root: root, fsync: fsync, busy: map[string]chan struct{}{}}
	if err = root.MkdirAll(bodiesDir, durable.PrivateDir); err == nil {
		err = d.syncLeft()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open depot: %w", err), root.Close())
	}
	return d, nil
}

// syncLeft syncs the files that grow, and their names: a process that was killed may not have come to it, and Size
// tells the sender that they are here.
func (d *Depot) syncLeft() error {
	left := map[string]bool{crawldir.IncomingDir: true, crawldir.ArchiveDir: true}
	for _, dir := range []string{crawldir.IncomingDir, crawldir.ArchiveDir} {
		entries, err := fs.ReadDir(d.root.FS(), dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() && !IsFinal(info) {
				left[dir+"/"+e.Name()] = true
			}
		}
	}
	return d.fsync.SyncAll(d.root, left)
}

// Close closes the depot.
func (d *Depot) Close() error { return d.root.Close() }

// lock checks a name and waits until no other call works on it.
func (d *Depot) lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := checkShipment(name); err != nil {
		return nil, err
	}
	for {
		d.mu.Lock()
		other, ok := d.busy[name]
		if !ok {
			break
		}
		d.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer d.mu.Unlock()
	done := make(chan struct{})
	d.busy[name] = done
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, name)
		close(done)
	}, nil
}

// Size reports how many bytes of the file have arrived, 0 for one that is not known.
func (d *Depot) Size(ctx context.Context, name string) (int64, error) {
	unlock, err := d.lock(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("size of shipped file: %w", err)
	}
	defer unlock()
	info, err := d.root.Stat(growingName(name))
	if errors.Is(err, fs.ErrNotExist) && !InWARC(name) {
		info, err = d.root.Stat(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("size of shipped file: %w", err)
	}
	return info.Size(), nil
}

// Append adds n bytes at the offset, which must be the file's size. They are durable when it returns nil; after
// an error the file is as it was.
func (d *Depot) Append(ctx context.Context, name string, offset int64, r io.Reader, n int64) error {
	unlock, err := d.lock(ctx, name)
	if err != nil {
		return fmt.Errorf("append to shipped file: %w", err)
	}
	defer unlock()
	if err := d.append(ctx, name, offset, r, n); err != nil {
		return fmt.Errorf("append to %s at %d: %w", name, offset, err)
	}
	return nil
}

func (d *Depot) append(ctx context.Context, name string, offset int64, r io.Reader, n int64) (err error) {
	growing := growingName(name)
	info, err := d.root.Stat(growing)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && !InWARC(name):
		if err := d.mustBeFree(name); err != nil {
			return err
		}
	case err != nil && !fresh:
		return err
	case err == nil && IsFinal(info):
		return ErrTaken
	}
	if fresh && offset != 0 || !fresh && offset != info.Size() || n < 0 {
		return ErrOffset
	}
	f, err := d.root.OpenFile(growing, os.O_WRONLY|os.O_CREATE, durable.FileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	got, err := io.Copy(io.NewOffsetWriter(f, offset), io.LimitReader(storage.Until(ctx, r), n))
	if err == nil && got < n {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = d.fsync(f)
	}
	if err != nil {
		return errors.Join(err, f.Truncate(offset))
	}
	if fresh {
		return d.fsync.SyncName(d.root, path.Dir(growing))
	}
	return nil
}

// mustBeFree refuses the name of a finished file.
func (d *Depot) mustBeFree(name string) error {
	if _, err := d.root.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ErrTaken, err)
	}
	return nil
}

// Finish compares the file with its size and digest, and gives it its final name; that is durable when it
// returns nil. Calling it again compares again, and changes nothing. What differs from a file that has the
// name already is refused with ErrTaken; what differs from the announcement is set aside.
func (d *Depot) Finish(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	unlock, err := d.lock(ctx, name)
	if err != nil {
		return fmt.Errorf("finish shipped file: %w", err)
	}
	defer unlock()
	if InWARC(name) {
		err = d.finishWARC(ctx, name, size, digest)
	} else {
		err = d.finishFile(ctx, name, size, digest)
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", name, err)
	}
	return nil
}

func (d *Depot) finishWARC(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	info, err := d.root.Stat(name)
	if err != nil {
		return err
	}
	same, err := d.compare(ctx, name, size, digest)
	switch {
	case err != nil:
		return err
	case IsFinal(info) && !same:
		return ErrTaken
	case IsFinal(info): // a crash may have come between this and the sync
		return d.fsync.SyncName(d.root, name)
	case info.Size() < size:
		return fmt.Errorf("%d of %d bytes have arrived: %w", info.Size(), size, ErrOffset)
	case !same:
		return d.setAside(name, name)
	}
	if err := d.root.Chmod(name, info.Mode().Perm()&^anyoneWrites); err != nil {
		return err
	}
	return d.fsync.SyncName(d.root, name)
}

func (d *Depot) finishFile(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	growing := growingName(name)
	if _, err := d.root.Stat(name); err == nil {
		return d.finishAgain(ctx, name, growing, size, digest)
	}
	info, err := d.root.Stat(growing)
	if errors.Is(err, fs.ErrNotExist) && size == 0 {
		if err = d.makeEmpty(growing); err == nil {
			info, err = d.root.Stat(growing)
		}
	}
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("%d of %d bytes have arrived: %w", info.Size(), size, ErrOffset)
	}
	same, err := d.compare(ctx, growing, size, digest)
	if err != nil {
		return err
	}
	if !same {
		return d.setAside(name, growing)
	}
	if err := d.root.Rename(growing, name); err != nil {
		return err
	}
	return d.fsync.SyncName(d.root, bodiesDir)
}

// finishAgain compares with a file that has the name. A crash may have come between its renaming and the sync.
func (d *Depot) finishAgain(ctx context.Context, at, growing string, size int64, digest crawler.Digest) error {
	same, err := d.compare(ctx, at, size, digest)
	if err != nil {
		return err
	}
	if !same {
		return ErrTaken
	}
	if err := d.root.Remove(growing); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.fsync.SyncName(d.root, bodiesDir)
}

func (d *Depot) makeEmpty(name string) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, durable.FileMode)
	if err != nil {
		return err
	}
	return errors.Join(d.fsync(f), f.Close())
}

func (d *Depot) compare(ctx context.Context, name string, size int64, digest crawler.Digest) (bool, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close() // it is only read
	info, err := f.Stat()
	if err != nil || info.Size() != size {
		return false, err
	}
	got, err := hashReader(&contextReader{ctx, f})
	return got == digest, err
}

// setAside moves what is wrong out of the way, so that the file can be sent again. It is kept for people; the
// next one of the same name replaces it.
func (d *Depot) setAside(name, where string) error {
	return errors.Join(ErrShipment, d.root.Rename(where, nameInIncoming(name)+".rejected"))
}

func InWARC(name string) bool { return strings.HasPrefix(name, crawldir.ArchiveDir+"/") }

// growingName is where a file grows: under a hash of its name where it is not in place, so that no name
// stands in another's way.
func growingName(name string) string {
	if InWARC(name) {
		return name
	}
	return nameInIncoming(name)
}

func nameInIncoming(name string) string {
	h := sha256.Sum256([]byte(name))
	return crawldir.IncomingDir + "/" + hex.EncodeToString(h[:16])
}
