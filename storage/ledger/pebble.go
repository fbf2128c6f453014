package ledger

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Settings of the database, by measurement: filters at every level, since most links that are looked up
// are not there; large index blocks, so that they are few; tables at L0 merged early, so that a lookup
// finds few of them.
const (
	filterBits     = 10 // a key: one in a hundred lookups of what is not there reads a block
	blockBytes     = 8 << 10
	denseBytes     = 32 << 10 // of a block of the last levels: about a hundred rows, most of one host
	denseLevels    = 2        // they have 99 in 100 of a large ledger
	indexBytes     = 64 << 10
	baseLevelBytes = 256 << 20
)

func pebbleOptions(l *Ledger) *pebble.Options {
	o := &pebble.Options{
		FS:                          l.files(),
		CacheSize:                   l.o.CacheBytes,
		MemTableSize:                uint64(l.o.MemtableBytes),
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       40,
		LBaseMaxBytes:               baseLevelBytes,
		MaxOpenFiles:                l.o.OpenFiles,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
		// Fixed here, so that a newer Pebble does not change what is on disk without our schema saying so.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		ReadOnly:           l.o.ReadOnly,
		ErrorIfNotExists:   l.o.ReadOnly,
		Logger:             pebbleLog{l},
		EventListener: &pebble.EventListener{
			BackgroundError: l.background,
			// The reader that met it gets an error, too.
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				if l.opened.Load() {
					l.o.Logger.Error("the ledger is damaged", "dir", l.dir, "file", i.Path, "error", oneLine(i.Details))
				}
			},
		},
	}
	o.ApplyCompressionSettings(compression)
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockBytes
		if i >= len(o.Levels)-denseLevels {
			o.Levels[i].BlockSize = denseBytes
		}
		o.Levels[i].IndexBlockSize = indexBytes
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	return o
}

// compression of the levels. Measured at 300,000 URLs of which a fifth was fetched, merged, in bytes on disk a URL: fastest with blocks of
// 8 KiB 160, zstd at its first level with 16 KiB 125 and with 32 KiB 118, at its third with 32 KiB 110. Reading costs the same at both
// levels of zstd. Pebble's own profile falls back to the fastest where zstd wins less than a tenth, and it is a tenth that we want.
func compression() pebble.DBCompressionSettings {
	dense := *block.GoodCompression
	dense.AdaptiveReductionCutoffPercent = 0 // its name stays: Pebble's tools know it
	s := pebble.UniformDBCompressionSettings(block.FastestCompression)
	for i := len(s.Levels) - denseLevels; i < len(s.Levels); i++ {
		s.Levels[i] = &dense
	}
	return s
}

// pebbleLog passes on what Pebble cannot mend. Its other messages are for its makers.
type pebbleLog struct{ l *Ledger }

func (pebbleLog) Infof(string, ...any) {}

func (p pebbleLog) Errorf(format string, args ...any) {
	p.l.o.Logger.Error("ledger", "dir", p.l.dir, "error", fmt.Sprintf(format, args...))
}

// Fatalf is called where Pebble expects the process to end. We end more gently: everything after it fails, the
// commit under way included.
func (p pebbleLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if cause, ok := a.(error); ok {
			err = cause
		}
	}
	p.l.fail(err)
}

// formatUnknown recognizes Pebble's word for a database of a newer Pebble.
func formatUnknown(text string) bool { return strings.Contains(text, "unknown format major version") }

// files is the file system for Pebble.
func (l *Ledger) files() vfs.FS {
	if l.o.ReadOnly {
		return readOnlyFS{l.o.FS}
	}
	return l.o.FS
}

// readOnlyFS lets a ledger be read where no file can be made, as Pebble's lock would be. The lock of the crawl directory
// keeps others away.
type readOnlyFS struct{ vfs.FS }

func (f readOnlyFS) Lock(name string) (io.Closer, error) {
	c, err := f.FS.Lock(name)
	if errors.Is(err, syscall.EROFS) {
		return io.NopCloser(nil), nil
	}
	return c, err
}

// Unwrap gives what is below, as vfs wants it.
func (f readOnlyFS) Unwrap() vfs.FS { return f.FS }
