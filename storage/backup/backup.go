package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"trawl/internal/durable"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// A backup is one file, a tar compressed with zstd, of entries in this order:
//
//	manifest.json  [Info]
//	job.yaml       the current settings, for people; may be missing
//	members        where a cluster's fetchers are found; may be missing
//	ledger/NAME    the files of the ledger, as of one moment
//	end.json       [backupEnd]: what went before it, with its digest
//
// What does not end with end.json was cut. Bodies are not in it.
const (
	// backupFormat goes up when an older trawl would misread a backup.
	backupFormat = 1

	backupManifest = "manifest.json"
	backupLedger   = "ledger/"
	backupEndName  = "end.json"

	// MaxText is the most bytes of an entry that is not of the ledger.
	MaxText = 1 << 20
	// MaxFiles is the most files of a ledger that a backup may have.
	MaxFiles = 1 << 20
	// backupWindow is the memory that compressing looks back on, in bytes.
	backupWindow = 1 << 20
	// summaryCache is the cache of a copy that is opened to be described, in bytes.
	summaryCache = 1 << 20
)

// backupEnd proves that what went before it is whole.
type backupEnd struct {
	Entries int    `json:"entries"`
	Digest  string `json:"digest"` // sha256: of all entries' names, sizes and contents
}

// Info is what a backup says of itself.
type Info struct {
	Format int       `json:"format"`
	Trawl  string    `json:"trawl"` // version of the program that made it
	Layout int       `json:"layout"`
	Schema uint64    `json:"schema"`
	Taken  time.Time `json:"taken"`
	ledger.Summary
	Files int   `json:"files"` // of the ledger
	Bytes int64 `json:"bytes"` // of these files
}

// Write writes a backup of the directory's crawl. With a ledger, which is the directory's and may be in use, a copy
// is made first (it shares its tables with the ledger where the file system can) and removed at the end; without one
// the ledger must be closed. version is the program's. Several calls at once do no harm.
func Write(ctx context.Context, d *crawldir.Dir, w io.Writer, l *ledger.Ledger, version string) (info Info, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("back up %s: %w", d.Path(), err)
		}
	}()
	taken, from := time.Now(), d.Ledger()
	if l != nil {
		temp, err := d.BackupDir()
		if err != nil {
			return info, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
		from = filepath.Join(temp, crawldir.LedgerDir)
		if err := l.Backup(from); err != nil {
			return info, err
		}
	}
	copied, err := ledger.Open(from, ledger.Options{ReadOnly: true, CacheBytes: summaryCache})
	if err != nil {
		return info, err
	}
	info.Summary, info.Schema, err = copied.Summary()
	if err = errors.Join(err, copied.Close()); err != nil {
		return info, err
	}
	info.Format, info.Layout, info.Trawl, info.Taken = backupFormat, crawldir.Layout, version, taken.UTC().Round(0)
	files, err := ledgerFiles(from)
	if err != nil {
		return info, err
	}
	for _, f := range files {
		info.Files++
		info.Bytes += f.Size()
	}
	return info, writeBackup(ctx, w, &info, d.Path(), from, files)
}

// ledgerFile is how the files of a ledger are called.
var ledgerFile = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)

// pebbleLock is the file by which Pebble knows that a database is open.
const pebbleLock = "LOCK"

// ledgerFiles lists what belongs to a ledger that nobody writes.
func ledgerFiles(dir string) ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil:
			return nil, err
		case e.Name() == pebbleLock:
		case !info.Mode().IsRegular() || !ledgerFile.MatchString(e.Name()):
			return nil, fmt.Errorf("%s is no file of a ledger: move it away", filepath.Join(dir, e.Name()))
		case len(files) == MaxFiles:
			return nil, fmt.Errorf("the ledger has more than %d files", MaxFiles)
		default:
			files = append(files, info)
		}
	}
	return files, nil
}

func writeBackup(ctx context.Context, w io.Writer, info *Info, dir, from string, files []fs.FileInfo) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(backupWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	b := &backupWriter{ctx: ctx, tar: tar.NewWriter(z), sum: newBackupSum(), taken: info.Taken}
	b.json(backupManifest, info)
	for _, name := range crawldir.Texts() {
		b.text(filepath.Join(dir, name), name)
	}
	for _, f := range files {
		b.file(filepath.Join(from, f.Name()), backupLedger+f.Name(), f.Size())
	}
	b.json(backupEndName, b.sum.end())
	if b.err != nil {
		return errors.Join(b.err, ctx.Err(), closeQuietly(z))
	}
	return errors.Join(b.tar.Close(), z.Close())
}

// closeQuietly frees an encoder whose output nobody will use.
func closeQuietly(z *zstd.Encoder) error {
	z.Reset(io.Discard)
	return z.Close()
}

// backupWriter writes entries. The first error sticks.
type backupWriter struct {
	ctx   context.Context
	tar   *tar.Writer
	sum   *backupSum
	taken time.Time
	err   error
}

func (b *backupWriter) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *backupWriter) json(name string, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if b.fail(err); b.err == nil {
		b.entry(name, int64(len(text)), func(w io.Writer) error { _, err := w.Write(text); return err })
	}
}

// text copies a file that may be missing.
func (b *backupWriter) text(path, name string) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || b.err != nil {
		return
	} else if err != nil {
		b.fail(err)
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err == nil && len(text) > MaxText {
		err = fmt.Errorf("%s is larger than %d bytes", path, MaxText)
	}
	if b.fail(err); err == nil {
		b.entry(name, int64(len(text)), func(w io.Writer) error { _, err := w.Write(text); return err })
	}
}

func (b *backupWriter) file(path, name string, size int64) {
	if b.err != nil {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		b.fail(err)
		return
	}
	defer f.Close()
	b.entry(name, size, func(w io.Writer) error {
		_, err := io.CopyN(w, storage.Until(b.ctx, f), size)
		return err
	})
}

func (b *backupWriter) entry(name string, size int64, write func(io.Writer) error) {
	if b.err != nil {
		return
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.taken}
	if b.fail(b.tar.WriteHeader(h)); b.err != nil {
		return
	}
	b.sum.begin(name, size)
	if err := write(io.MultiWriter(b.tar, b.sum)); err != nil {
		b.fail(fmt.Errorf("copy %s: %w", name, err))
	}
}

// backupSum is the digest of entries.
type backupSum struct {
	hash.Hash
	entries int
}

func newBackupSum() *backupSum { return &backupSum{Hash: sha256.New()} }

func (s *backupSum) begin(name string, size int64) {
	s.entries++
	head := binary.BigEndian.AppendUint64(append([]byte(name), 0), uint64(size))
	_, _ = s.Write(head) // never fails
}

func (s *backupSum) end() backupEnd {
	return backupEnd{Entries: s.entries, Digest: "sha256:" + hex.EncodeToString(s.Sum(nil))}
}

// WriteFile makes a private file appear whole under its name: written beside its place, synced, renamed.
func WriteFile(ctx context.Context, path string, write func(io.Writer) error) error {
	return durable.WriteFile(ctx, path, 0o600, func(f *os.File) error { return write(f) })
}

// isText reports whether an entry is one of the files besides the ledger.
func isText(name string) bool { return slices.Contains(crawldir.Texts(), name) }
