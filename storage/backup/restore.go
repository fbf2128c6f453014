package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"trawl/internal/durable"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

const (
	// maxBackupWindow is the most memory that a backup may ask for to be unpacked, in bytes.
	maxBackupWindow = 8 << 20
)

// ReadInfo reads what a backup says of itself, not whether it is whole. Errors wrap [storage.ErrDamaged], [storage.ErrNewer] and [storage.ErrOlder].
func ReadInfo(r io.Reader) (Info, error) {
	b, err := newBackupReader(context.Background(), r)
	if err != nil {
		return Info{}, err
	}
	defer b.z.Close()
	return b.info()
}

// InfoOf is [ReadInfo] of a file.
func InfoOf(file string) (Info, error) {
	f, err := os.Open(file)
	if err != nil {
		return Info{}, fmt.Errorf("read backup: %w", err)
	}
	defer f.Close()
	return ReadInfo(f)
}

// Restore makes a crawl directory from a backup. The directory must be empty, but for bodies, or not be there. Its
// ledger gets a new life ([ledger.Ledger.Restored]). Everything is put together aside and moved into its place once it is whole,
// so that after an error, or a crash, there is no crawl. Errors wrap [storage.ErrHoldsCrawl], [storage.ErrInUse], [storage.ErrDamaged], [storage.ErrNewer], [storage.ErrOlder].
func Restore(ctx context.Context, r io.Reader, path string, now time.Time) (info Info, err error) {
	d, made, err := crawldir.OpenVacant(path)
	if err != nil {
		return info, err
	}
	if err = d.ForgetRestore(); err == nil {
		info, err = restore(ctx, d, r, now)
	}
	if err != nil {
		err = errors.Join(err, d.GiveUpRestore(made))
	}
	return info, errors.Join(err, d.Close())
}

func restore(ctx context.Context, d *crawldir.Dir, r io.Reader, now time.Time) (Info, error) {
	staging, err := d.Restoring()
	if err != nil {
		return Info{}, err
	}
	info, err := unpack(ctx, r, staging, durable.System)
	if err != nil {
		return info, err
	}
	l, err := ledger.Open(filepath.Join(staging, crawldir.LedgerDir), ledger.Options{})
	if err != nil {
		return info, err
	}
	if err := errors.Join(l.Restored(now), l.Close()); err != nil {
		return info, err
	}
	return info, d.Restored()
}

// unpack writes the files of a backup into a directory. When it returns nil they are durable and whole.
func unpack(ctx context.Context, r io.Reader, dir string, fsync durable.Fsync) (info Info, err error) {
	b, err := newBackupReader(ctx, r)
	if err != nil {
		return info, err
	}
	defer b.z.Close()
	if info, err = b.info(); err != nil {
		return info, err
	}
	if err := enoughRoom(dir, info.Bytes); err != nil {
		return info, err
	}
	b.fsync = fsync
	if b.root, err = os.OpenRoot(dir); err != nil {
		return info, fmt.Errorf("unpack the backup: %w", err)
	}
	defer b.root.Close()
	for {
		done, err := b.next(&info)
		if err != nil {
			return info, err
		}
		if done {
			break
		}
	}
	if b.files != info.Files || b.bytes != info.Bytes {
		return info, damagedBackup(fmt.Errorf("it has %d files of %d bytes in place of %d of %d", b.files, b.bytes, info.Files, info.Bytes))
	}
	return info, errors.Join(fsync.SyncDirectory(filepath.Join(dir, crawldir.LedgerDir)), fsync.SyncDirectory(dir))
}

func enoughRoom(dir string, need int64) error {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return nil // the writing reports it
	}
	if free := int64(uint64(s.Bavail) * uint64(s.Bsize)); need > free {
		return fmt.Errorf("the backup needs %d bytes and the disk of %s has %d: make room, or choose another `dir`", need, filepath.Dir(dir), free)
	}
	return nil
}

// backupReader reads a backup entry by entry.
type backupReader struct {
	ctx   context.Context
	z     *zstd.Decoder
	tar   *tar.Reader
	sum   *backupSum
	root  *os.Root // where to
	fsync durable.Fsync
	files int // of the ledger, so far
	bytes int64
}

func newBackupReader(ctx context.Context, r io.Reader) (*backupReader, error) {
	z, err := zstd.NewReader(storage.Until(ctx, r), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxBackupWindow))
	if err != nil {
		return nil, damagedBackup(err)
	}
	return &backupReader{ctx: ctx, z: z, tar: tar.NewReader(z), sum: newBackupSum()}, nil
}

// damagedBackup says what to do.
func damagedBackup(why error) error {
	if errors.Is(why, io.EOF) || errors.Is(why, io.ErrUnexpectedEOF) {
		why = errors.New("it ends before its end, so it was cut")
	}
	return fmt.Errorf("the backup is %w: %w; use another one", storage.ErrDamaged, why)
}

// wrong distinguishes a fault of the backup from a fault of its reading.
func (b *backupReader) wrong(err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	return damagedBackup(err)
}

// info reads the first entry.
func (b *backupReader) info() (info Info, err error) {
	h, err := b.tar.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return info, b.wrong(err)
	case err != nil && b.ctx.Err() == nil:
		return info, fmt.Errorf("it is no backup of trawl, or %w (%w); use one that trawl backup made", storage.ErrDamaged, err)
	case err != nil:
		return info, b.ctx.Err()
	case h.Name != backupManifest:
		return info, fmt.Errorf("it is no backup of trawl, or %w (it begins with %.100q); use one that trawl backup made", storage.ErrDamaged, h.Name)
	}
	text, err := b.small(h)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return info, damagedBackup(err)
	}
	switch {
	case info.Format > backupFormat, info.Layout > crawldir.Layout, info.Schema > ledger.Schema:
		return info, fmt.Errorf("the backup is %w (%s; format %d, layout %d, schema %d; this trawl knows up to %d, %d, %d); use that trawl",
			storage.ErrNewer, printableVersion(info.Trawl), info.Format, info.Layout, info.Schema, backupFormat, crawldir.Layout, ledger.Schema)
	case info.Schema < ledger.OldestSchema && info.Schema > 0:
		return info, fmt.Errorf("the backup is %w (%s; schema %d, this trawl reads %d and later); use that trawl", storage.ErrOlder, printableVersion(info.Trawl), info.Schema, ledger.OldestSchema)
	case info.Format < 1 || info.Files < 1 || info.Files > MaxFiles || info.Bytes < 0:
		return info, damagedBackup(fmt.Errorf("it has format %d and %d files of %d bytes", info.Format, info.Files, info.Bytes))
	}
	return info, nil
}

func printableVersion(v string) string { return fmt.Sprintf("%.100q", v) }

// next takes one entry, and reports whether it was the last.
func (b *backupReader) next(info *Info) (done bool, err error) {
	h, err := b.tar.Next()
	if err != nil {
		return false, b.wrong(err)
	}
	name, ofLedger := strings.CutPrefix(h.Name, backupLedger)
	switch {
	case h.Typeflag != tar.TypeReg:
		return false, damagedBackup(fmt.Errorf("%.200q in it is not a plain file", h.Name))
	case h.Name == backupEndName:
		return true, b.end(h)
	case isText(h.Name):
		return false, b.file(h, h.Name, MaxText)
	case !ofLedger || !ledgerFile.MatchString(name) || name == pebbleLock:
		return false, damagedBackup(fmt.Errorf("%.200q in it does not belong there", h.Name))
	}
	if b.files++; b.files > info.Files {
		return false, damagedBackup(fmt.Errorf("it has more than the %d files that it tells of", info.Files))
	}
	left := info.Bytes - b.bytes
	b.bytes += h.Size
	return false, b.file(h, filepath.Join(crawldir.LedgerDir, name), left)
}

// small reads an entry into memory.
func (b *backupReader) small(h *tar.Header) ([]byte, error) {
	if h.Size > MaxText {
		return nil, damagedBackup(fmt.Errorf("%.200q in it has %d bytes, more than %d", h.Name, h.Size, MaxText))
	}
	text, err := io.ReadAll(b.tar)
	if err != nil {
		return nil, b.wrong(err)
	}
	b.sum.begin(h.Name, h.Size)
	_, _ = b.sum.Write(text) // never fails
	return text, nil
}

// file writes an entry to disk and syncs it.
func (b *backupReader) file(h *tar.Header, name string, most int64) error {
	if h.Size > most {
		return damagedBackup(fmt.Errorf("%.200q in it has %d bytes, more than the %d that it may have", h.Name, h.Size, most))
	}
	f, err := b.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return damagedBackup(fmt.Errorf("%.200q is in it twice", h.Name))
	} else if err != nil {
		return fmt.Errorf("unpack the backup: %w", err)
	}
	b.sum.begin(h.Name, h.Size)
	from := &noted{r: b.tar}
	_, err = io.Copy(io.MultiWriter(f, b.sum), from)
	if from.err != nil {
		return errors.Join(b.wrong(from.err), f.Close())
	}
	if err = errors.Join(err, b.fsync(f), f.Close()); err != nil {
		return fmt.Errorf("unpack the backup: %w", err)
	}
	return nil
}

// noted remembers how reading failed, so that it is not taken for a failure to write.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		n.err = err
	}
	return k, err
}

// end compares what came with what was written, and reads on to the very end: the last checksum of the compression is
// there.
func (b *backupReader) end(h *tar.Header) error {
	want := b.sum.end()
	text, err := b.small(h)
	if err != nil {
		return err
	}
	var end backupEnd
	if err := json.Unmarshal(text, &end); err != nil {
		return damagedBackup(err)
	}
	if end != want {
		return damagedBackup(errors.New("its content is not what was written"))
	}
	if _, err := b.tar.Next(); err == nil {
		return damagedBackup(errors.New("something follows its end"))
	} else if !errors.Is(err, io.EOF) {
		return b.wrong(err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(b.z, 1))
	if err == nil && n > 0 {
		err = errors.New("something follows its end")
	}
	if err != nil {
		return b.wrong(err)
	}
	return nil
}
