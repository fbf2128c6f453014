package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/storage"
	"trawl/storage/ledger/format"
)

// Versions of keys and values. They go up when an older trawl would misread them, or this one what an older one wrote.
const (
	// Schema is the newest that this trawl reads, OldestSchema the oldest.
	Schema       = schemaRestored
	OldestSchema = 3
	// schemaFresh is that of a new ledger. Up to 4 (that of restored ones) rows had via and seed in full; such a ledger is read as it
	// is, and its number goes up when it is opened to be written.
	schemaFresh = 5
	// schemaRestored is that of a restored ledger: a trawl that does not know of restoring would take the turns of
	// the life before for its own.
	schemaRestored = 6
	// schemaSteps are between two numbers of the same meaning.
	schemaSteps = 2
)

// Defaults of what a ledger takes. With them the store takes less than 200 MB however large the crawl.
const (
	DefaultCacheBytes    = 64 << 20
	DefaultMemtableBytes = 16 << 20
	// DefaultOpenFiles is how many files of tables a ledger keeps open.
	DefaultOpenFiles = 500
)

// Options are the settings of a ledger. The zero value is the default.
type Options struct {
	// Logger hears of what goes wrong in the background. Default: nobody.
	Logger *slog.Logger
	// CacheBytes bounds the memory for blocks read and for what is not on disk as tables yet, in
	// bytes. It should hold the filters of the keys, 2.5 bytes a URL. Default: DefaultCacheBytes.
	CacheBytes int64
	// MemtableBytes is the size of one table in memory, of which there are three at most, in bytes.
	// Default: DefaultMemtableBytes.
	MemtableBytes int64
	// OpenFiles is how many files the ledger may keep open; it takes some 74 in any case. Default: DefaultOpenFiles.
	OpenFiles int
	// ReadOnly opens a ledger that is there already, and refuses to commit.
	ReadOnly bool
	// Records hears of every record once it is applied, in order; it is the hearer's for the call. nil = nobody.
	Records func(format.Record)
	// FS is the file system; tests give one in memory. Default: the operating system's.
	FS vfs.FS
}

func (o Options) withDefaults() (Options, error) {
	var problems []error
	if o.CacheBytes < 0 {
		problems = append(problems, fmt.Errorf("ledger cache of %d bytes: use 0 for the default, or more", o.CacheBytes))
	}
	if o.MemtableBytes < 0 || o.MemtableBytes > 1<<30 {
		problems = append(problems, fmt.Errorf("ledger memtable of %d bytes: use 0 for the default, up to 1 GiB", o.MemtableBytes))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = DefaultMemtableBytes
	}
	if o.OpenFiles < 0 {
		problems = append(problems, fmt.Errorf("ledger with %d open files: use 0 for the default, or more", o.OpenFiles))
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = DefaultOpenFiles
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	return o, errors.Join(problems...)
}

// Ledger is the store of all rows and hosts, in one Pebble database, so that whatever belongs together
// changes in one batch. One writer commits; readers may read at any time, each answer from one moment.
// Errors wrap [storage.ErrDamaged] where what is stored makes no sense.
type Ledger struct {
	dir string
	db  *pebble.DB
	o   Options

	commit sync.Mutex // one record at a time; guards clock and buffer
	clock  time.Time  // newest that was committed
	buffer []byte     // of the newest record
	due    dueFloors
	queues queueFloors

	broken atomic.Pointer[error] // a write failed; see fail
	gone   chan struct{}         // closed then
	opened atomic.Bool
	closed sync.Once
}

// Open opens the ledger in dir, or makes one. Errors wrap ErrInUse when another process has it open,
// ErrNewer or ErrOlder when a trawl wrote it whose format this one does not read, ErrDamaged when it cannot be read, and fs.ErrNotExist when it is
// to be read only and is not there.
func Open(dir string, o Options) (*Ledger, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Ledger{dir: dir, o: o, gone: make(chan struct{})}
	if !o.ReadOnly {
		err = o.FS.MkdirAll(dir, 0o700)
	} else if _, err = o.FS.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, noLedger(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	if err := l.begin(); err != nil {
		if l.failure() == nil {
			err = errors.Join(err, l.db.Close())
		}
		return nil, err
	}
	l.opened.Store(true)
	return l, nil
}

func (l *Ledger) open() error {
	var db *pebble.DB
	var err error
	opening := func() error {
		db, err = openPebble(l.dir, pebbleOptions(l))
		return nil
	}
	if failed := l.call(opening); failed != nil {
		return failed
	}
	if err != nil {
		return openError(l.dir, err)
	}
	l.db = db
	return nil
}

// openPebble opens the database. A damaged one makes Pebble panic in places, which must not take the user's
// explanation away; and where the file is gone that names the list of tables it starts again, and would
// remove the tables that are there.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	if desc, err := pebble.Peek(dir, o.FS); err == nil && !desc.Exists {
		names, err := o.FS.List(dir)
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".sst") }) {
			return nil, errors.New("it has tables and no list of them")
		} else if err != nil {
			return nil, err
		}
	}
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return pebble.Open(dir, o)
}

func openError(dir string, err error) error {
	var errno syscall.Errno
	switch text := err.Error(); {
	case errors.Is(err, syscall.EAGAIN), strings.Contains(text, "lock held by current process"):
		return fmt.Errorf("ledger %s is %w: trawl is running on %s", dir, storage.ErrInUse, filepath.Dir(dir))
	case formatUnknown(text):
		return fmt.Errorf("ledger %s is %w (%v); use that trawl", dir, storage.ErrNewer, err)
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return noLedger(dir)
	case errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist): // a missing file of the database is damage
		return fmt.Errorf("open ledger %s: %w", dir, oneLine(err))
	}
	return damaged(dir, err)
}

func noLedger(dir string) error {
	return fmt.Errorf("there is no ledger in %s: %w", dir, fs.ErrNotExist)
}

// damaged says what, where and what to do.
func damaged(where string, err error) error {
	return fmt.Errorf("ledger %s is %w: %w; restore a backup of it, or crawl anew with `fresh`", where, storage.ErrDamaged, oneLine(err))
}

// begin checks what was opened, and writes the first records of a fresh ledger.
func (l *Ledger) begin() error {
	schema, found, err := l.metaUint(l.db, format.MetaSchema)
	switch {
	case err != nil:
		return err
	case found && schema > Schema:
		return fmt.Errorf("ledger %s is %w (schema %d, this trawl knows up to %d); use that trawl", l.dir, storage.ErrNewer, schema, Schema)
	case found && schema < OldestSchema:
		return fmt.Errorf("ledger %s is %w (schema %d, this trawl reads %d and later); go on with that trawl, or crawl anew with `fresh`", l.dir, storage.ErrOlder, schema, OldestSchema)
	case found:
		if l.clock, _, err = l.metaTime(l.db, format.MetaClock); err != nil || schema >= schemaFresh || l.o.ReadOnly {
			return err
		}
		return l.write(func(w *format.Writer) { w.Number(format.MetaSchema, schema+schemaSteps) })
	case l.o.ReadOnly:
		return noLedger(l.dir)
	}
	if err := l.mustBeEmpty(); err != nil {
		return err
	}
	return l.write(func(w *format.Writer) {
		w.Number(format.MetaSchema, schemaFresh)
		w.Bytes(format.MetaLife, newLife())
	})
}

func newLife() []byte {
	var life crawler.Life
	_, _ = rand.Read(life[:]) // never fails
	return life[:]
}

// mustBeEmpty keeps us from writing into a database that is something else.
func (l *Ledger) mustBeEmpty() error {
	it, err := l.db.NewIter(nil)
	if err != nil {
		return l.readError("first key", err)
	}
	defer it.Close()
	if it.First() {
		return damaged(l.dir, errors.New("it is a database without a schema, so not a ledger"))
	}
	if err := it.Error(); err != nil {
		return l.readError("first key", err)
	}
	return nil
}

// Close writes out what is in memory, so that the next start is quick, and ends the ledger. No call may be
// under way, and no sequence being read. Calling it again does nothing.
func (l *Ledger) Close() (err error) {
	l.closed.Do(func() { err = l.close() })
	return err
}

func (l *Ledger) close() error {
	if err := l.failure(); err != nil {
		return err
	}
	err := l.call(func() (err error) {
		if !l.o.ReadOnly {
			err = l.db.Flush()
		}
		return errors.Join(err, l.db.Close())
	})
	if failed := l.failure(); failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("close ledger %s: %w", l.dir, err)
	}
	return nil
}
