package archive

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
)

const (
	// DefaultMaxSize is the size at which a WARC file is closed and a new one begun, in bytes.
	DefaultMaxSize = 1 << 30
	// ownFileSize is the body size from which an exchange gets a WARC file of its own, in bytes: it is
	// written beside the others instead of holding them up.
	ownFileSize = 64 << 20
	// keptBuffer is the largest buffer that is kept for the next exchange, in bytes.
	keptBuffer = 1 << 20
)

// WARCOptions are the settings of a WARC archive.
type WARCOptions struct {
	Prefix   string              // name of the fetcher; first in file names. Letters, digits, '.', '-', '_'
	MaxSize  int64               // bytes of a file before the next is begun; 0 = DefaultMaxSize
	Compress crawler.Compression // "" = gzip
	Info     []warc.Field        // written into each file's warcinfo: robots, hostname, operator, …
	Logger   *slog.Logger        // nil = none
}

func (o *WARCOptions) validate() error {
	o.MaxSize = cmp.Or(o.MaxSize, DefaultMaxSize)
	o.Compress = cmp.Or(o.Compress, crawler.CompressGzip)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	if !isWARCPrefix(o.Prefix) {
		errs = append(errs, fmt.Errorf("name %q cannot begin a file name: use up to 128 letters, digits, '.', '-' and '_'", o.Prefix))
	}
	if o.MaxSize < 0 {
		errs = append(errs, fmt.Errorf("WARC file size %d is negative", o.MaxSize))
	}
	if o.Compress != crawler.CompressGzip && o.Compress != crawler.CompressNone {
		errs = append(errs, fmt.Errorf("WARC files cannot be compressed with %q: use gzip or none", o.Compress))
	}
	return errors.Join(errs...)
}

// WARC is an archive of WARC files below dir/archive. Safe for concurrent use.
//
// One file grows at a time, by whole exchanges. A file that will not grow any more is made read-only, so
// that one that is writable when the archive is opened is known to be left by a crash: its torn end is
// cut off. Nothing is appended to files of an earlier run.
type WARC struct {
	dir     string // the crawl directory
	process string // random, last in file names: two fetchers of one name never write one file's name
	fsync   durable.Fsync
	o       WARCOptions
	encoder *warc.Encoder
	pool    sync.Pool                              // of *putting
	create  func(path string) (archiveFile, error) // makes a new file; tests put a disk that fails here
	syncing chan struct{}                          // held by the one who syncs

	mu sync.Mutex // guards what follows
	growing
	number int    // of the last file
	puts   uint64 // exchanges appended
	synced uint64 // of these, durable
	broken error  // why nothing can be stored any more
	closed bool

	diskMu  sync.Mutex // taken inside mu or without it, never the other way round
	diskErr error      // of the first sync that failed: a disk reports such a thing only once
}

// growing is the file that grows.
type growing struct {
	file archiveFile // nil before the first exchange
	name string      // without directory; kept when its last sync failed
	size int64       // whole exchanges
	safe int64       // bytes that outlive a crash
	made bool        // it is new in its directory since the last sync
}

// NewWARC opens the archive below dir, which is made where it is missing. Files that an earlier run of
// the same name left open are recovered.
func NewWARC(dir string, o WARCOptions) (*WARC, error) { return newWARC(dir, o, durable.System) }

func newWARC(dir string, o WARCOptions, fsync durable.Fsync) (*WARC, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("archive options: %w", err)
	}
	w := &WARC{dir: dir, o: o, process: strings.ToLower(rand.Text()[:10]), fsync: fsync,
		encoder: warc.NewEncoder(o.Compress == crawler.CompressGzip), syncing: make(chan struct{}, 1)}
	w.create = w.createFile
	w.pool.New = newPutting
	if err := crawldir.MakeDurable(fsync, dir, crawldir.ArchiveDir); err != nil {
		return nil, fmt.Errorf("make archive directory: %w", err)
	}
	if err := os.RemoveAll(w.scratch()); err != nil {
		return nil, fmt.Errorf("remove unfinished records: %w", err)
	}
	number, err := recoverWARCs(dir, o.Logger, fsync, func(n warcName) bool { return n.prefix == o.Prefix })
	if err != nil {
		return nil, err
	}
	w.number = number
	return w, nil
}

// Put stores the answer and the request as two records, and says where the answer lies. They are whole
// in the file when it returns, and durable after Sync. A body in a spool file is read and stays the caller's.
// After a failed write the file is cut back to its last whole exchange and the archive can be used on; after
// a failed sync nobody knows what the disk holds, and the archive takes no more.
func (w *WARC) Put(ctx context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	if err := ctx.Err(); err != nil {
		return crawler.Locator{}, err
	}
	if err := w.usable(); err != nil {
		return crawler.Locator{}, err
	}
	l, err := w.put(ctx, x)
	if err != nil {
		return crawler.Locator{}, fmt.Errorf("archive %s: %w", x.URL, err)
	}
	return l, nil
}

func (w *WARC) put(ctx context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	switch {
	case x.Body.File != "" && x.Body.Size >= min(ownFileSize, w.o.MaxSize):
		return w.putOwnFile(ctx, x)
	case x.Body.File != "":
		return w.putSpooled(ctx, x)
	}
	p := w.pool.Get().(*putting)
	defer w.giveBack(p)
	length, err := w.encode(ctx, &p.out, p, x)
	if err != nil {
		return crawler.Locator{}, err
	}
	p.src.Reset(p.out.Bytes())
	return w.append(&p.src, p.src.Size(), length)
}

func (w *WARC) giveBack(p *putting) {
	p.forget()
	if p.out.Cap() <= keptBuffer {
		w.pool.Put(p)
	}
}

// encode writes both records of the exchange and returns the length of the first, the answer.
func (w *WARC) encode(ctx context.Context, out io.Writer, p *putting, x *crawler.Exchange) (int64, error) {
	closeBody, err := p.take(ctx, x, w.compresses())
	if err != nil {
		return 0, err
	}
	defer closeBody()
	length, err := w.encodeRecord(out, &p.answer)
	if err != nil || len(p.request.Head) == 0 {
		return length, err
	}
	_, err = w.encodeRecord(out, &p.request)
	return length, err
}

// encodeFile is encode for records that go into a file of their own.
func (w *WARC) encodeFile(ctx context.Context, out *os.File, x *crawler.Exchange) (int64, error) {
	p := w.pool.Get().(*putting)
	defer w.giveBack(p)
	return w.encode(ctx, out, p, x)
}

func (w *WARC) compresses() bool { return w.o.Compress == crawler.CompressGzip }

func (w *WARC) encodeRecord(out io.Writer, r *warc.Record) (_ int64, err error) {
	if w.compresses() {
		if r.Stored, err = hardlyShrinks(r); err != nil {
			return 0, fmt.Errorf("look at the body: %w", err)
		}
	}
	return w.encoder.Encode(out, r)
}

// Sync makes all that was put before the call durable. Callers at the same time share the disk's work.
func (w *WARC) Sync(ctx context.Context) error {
	w.mu.Lock()
	target, done, err := w.puts, w.synced, w.broken
	w.mu.Unlock()
	if err != nil {
		return err
	}
	if done >= target {
		return nil
	}
	select {
	case w.syncing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.syncing }()
	return w.syncOnce(target)
}

// syncOnce is run by one caller at a time. Others append and even begin a new file meanwhile; the one that begins one
// has synced the one before.
func (w *WARC) syncOnce(target uint64) error {
	w.mu.Lock()
	f, size, puts, made := w.file, w.size, w.puts, w.made
	done, broken := w.synced >= target, w.broken
	w.mu.Unlock()
	if broken != nil || done {
		return broken
	}
	err := w.syncFile(f)
	if err == nil && made {
		err = w.fsync.SyncDirectory(filepath.Join(w.dir, crawldir.ArchiveDir))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	if w.synced >= puts { // who began the next file has synced and closed this one
		return nil
	}
	if err != nil {
		w.broken = fmt.Errorf("sync archive: %w", err)
		return w.broken
	}
	w.synced = puts
	if w.file == f {
		w.safe, w.made = size, w.made && !made
	}
	return nil
}

// syncFile syncs a file unless a sync has failed before. One that was closed meanwhile is no failure of the disk.
func (w *WARC) syncFile(f archiveFile) error {
	w.diskMu.Lock()
	defer w.diskMu.Unlock()
	if w.diskErr != nil {
		return w.diskErr
	}
	err := f.Sync()
	if err != nil && !errors.Is(err, os.ErrClosed) {
		w.diskErr = err
	}
	return err
}

// Close makes all durable and closes the file, which is final then. Calling it again does nothing.
func (w *WARC) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.finishFile()
}

func (w *WARC) usable() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("archive is closed: %w", os.ErrClosed)
	}
	return w.broken
}

// open reports which file may still grow, "" for none, how much of it is durable, and the highest number given
// to a file so far. A file whose last sync failed counts as growing: nobody knows what the disk has of it.
func (w *WARC) open() (name string, safe int64, number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.name, w.safe, w.number
}

// now is the time in names and warcinfo records.
func (w *WARC) now() time.Time { return time.Now().UTC() }

// None is the archive that stores nothing.
type None struct{}

// NewNone returns an archive that stores nothing.
func NewNone() None { return None{} }

// Put returns the zero Locator.
func (None) Put(context.Context, *crawler.Exchange) (crawler.Locator, error) {
	return crawler.Locator{}, nil
}

// Sync does nothing.
func (None) Sync(context.Context) error { return nil }

// Close does nothing.
func (None) Close() error { return nil }
