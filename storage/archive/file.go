package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
)

// archiveFile is a WARC file that grows.
type archiveFile interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Close() error
}

// anyoneWrites is the permission that a file that grows has, and a final one has not.
const anyoneWrites fs.FileMode = 0o222

// makeFinal marks a WARC file that will not grow any more: nobody may write to it.
func makeFinal(f archiveFile) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return f.Chmod(info.Mode().Perm() &^ anyoneWrites)
}

// IsFinal reports whether makeFinal was called.
func IsFinal(info fs.FileInfo) bool { return info.Mode().Perm()&anyoneWrites == 0 }

// createFile is how files are made but in tests.
func (w *WARC) createFile(path string) (archiveFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.FileMode)
	if err != nil {
		return nil, err
	}
	return &syncedFile{f, w.fsync}, nil
}

// syncedFile is synced as its archive says.
type syncedFile struct {
	*os.File
	fsync durable.Fsync
}

func (f *syncedFile) Sync() error { return f.fsync(f.File) }

// append adds n encoded bytes whose first length bytes are the record to be pointed to.
func (w *WARC) append(src io.Reader, n, length int64) (crawler.Locator, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return crawler.Locator{}, fmt.Errorf("archive is closed: %w", os.ErrClosed)
	}
	if w.broken != nil {
		return crawler.Locator{}, w.broken
	}
	if err := w.roomFor(n); err != nil {
		return crawler.Locator{}, err
	}
	at := w.size
	if err := w.write(src, n); err != nil {
		return crawler.Locator{}, err
	}
	w.puts++
	return crawler.Locator{File: crawldir.ArchiveDir + "/" + w.name, Offset: at, Length: length}, nil
}

// write adds n bytes at the end of the whole exchanges, all or none. Called with mu held.
func (w *WARC) write(src io.Reader, n int64) error {
	got, err := io.Copy(io.NewOffsetWriter(w.file, w.size), src)
	if err == nil && got != n {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		w.size += n
		return nil
	}
	if cut := w.file.Truncate(w.size); cut != nil {
		w.broken = fmt.Errorf("cut archive back after a failed write: %w", errors.Join(cut, err))
		return w.broken
	}
	return err
}

// roomFor sees to it that there is a file with room for n more bytes. A file takes at least one exchange,
// whatever its size. Called with mu held.
func (w *WARC) roomFor(n int64) error {
	if w.file != nil && w.size+n > w.o.MaxSize {
		if err := w.finishFile(); err != nil {
			return err
		}
	}
	if w.file != nil {
		return nil
	}
	name, f, err := w.newFile()
	if err != nil {
		return err
	}
	w.name, w.file, w.size, w.safe, w.made = name, f, 0, 0, true
	var buf bytes.Buffer
	if err := w.writeInfo(&buf, name); err != nil {
		return w.dropFile(err)
	}
	if err := w.write(&buf, int64(buf.Len())); err != nil {
		return w.dropFile(err)
	}
	return nil
}

// newFile makes the next file. Called with mu held.
func (w *WARC) newFile() (string, archiveFile, error) {
	for {
		w.number++
		name := w.fileName(w.number)
		f, err := w.create(filepath.Join(w.dir, crawldir.ArchiveDir, name))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("begin WARC file: %w", err)
		}
		return name, f, nil
	}
}

func (w *WARC) writeInfo(out io.Writer, name string) error {
	fields := append([]warc.Field{
		{Name: "software", Value: "trawl"},
		{Name: "format", Value: "WARC File Format 1.1"},
		{Name: "conformsTo", Value: "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"},
	}, w.o.Info...)
	_, err := w.encoder.Encode(out, warc.Info(w.now(), name, lastOfEach(fields)))
	return err
}

// lastOfEach keeps the last value of each name at the first one's place, so that the caller's fields win.
func lastOfEach(fields []warc.Field) []warc.Field {
	var out []warc.Field
	at := map[string]int{}
	for _, f := range fields {
		if i, ok := at[f.Name]; ok {
			out[i] = f
			continue
		}
		at[f.Name] = len(out)
		out = append(out, f)
	}
	return out
}

// dropFile gives up a file that holds no exchange yet. Called with mu held.
func (w *WARC) dropFile(cause error) error {
	err := errors.Join(w.file.Close(), os.Remove(filepath.Join(w.dir, crawldir.ArchiveDir, w.name)))
	w.file, w.name, w.size, w.safe, w.made = nil, "", 0, 0, false
	if err != nil {
		w.o.Logger.Warn("cannot remove an empty WARC file", "error", err)
	}
	return cause
}

// finishFile makes the file durable and final; there is none afterwards. Syncing before the next file begins means
// that only one file can have a torn end. Called with mu held.
func (w *WARC) finishFile() error {
	if w.file == nil {
		return w.broken
	}
	f := w.file
	err := w.broken
	if err == nil {
		if err = w.syncFile(f); err == nil {
			err = w.fsync.SyncDirectory(filepath.Join(w.dir, crawldir.ArchiveDir))
		}
	}
	if err != nil {
		w.broken = fmt.Errorf("sync archive: %w", err)
		w.file = nil
		return errors.Join(w.broken, f.Close())
	}
	w.synced, w.file, w.name, w.safe, w.made = w.puts, nil, "", 0, false
	return errors.Join(makeFinal(f), f.Close())
}

func (w *WARC) fileName(number int) string {
	ending := ".warc.gz"
	if w.o.Compress == crawler.CompressNone {
		ending = ".warc"
	}
	return fmt.Sprintf("%s-%s-%05d-%s%s", w.o.Prefix, w.now().Format("20060102150405"), number, w.process, ending)
}

// scratch is the directory of records that are being compressed.
func (w *WARC) scratch() string { return filepath.Join(w.dir, crawldir.IncomingDir, "warc") }

func (w *WARC) scratchFile() (*os.File, error) {
	if err := os.MkdirAll(w.scratch(), durable.PrivateDir); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(w.scratch(), rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, durable.FileMode)
}

// putSpooled compresses an exchange into a temporary file first, so that memory stays bounded and the
// others are held up for a copy only.
func (w *WARC) putSpooled(ctx context.Context, x *crawler.Exchange) (l crawler.Locator, err error) {
	tmp, err := w.scratchFile()
	if err != nil {
		return l, err
	}
	defer func() {
		if rm := errors.Join(tmp.Close(), os.Remove(tmp.Name())); rm != nil {
			w.o.Logger.Warn("cannot remove a temporary file", "error", rm)
		}
	}()
	length, err := w.encodeFile(ctx, tmp, x)
	if err != nil {
		return l, err
	}
	n, err := tmp.Seek(0, io.SeekCurrent)
	if err != nil {
		return l, err
	}
	return w.append(io.NewSectionReader(tmp, 0, n), n, length)
}

// putOwnFile writes an exchange with a large body into a WARC file of its own, which appears in the archive
// when it is whole and durable.
func (w *WARC) putOwnFile(ctx context.Context, x *crawler.Exchange) (l crawler.Locator, err error) {
	w.mu.Lock()
	w.number++
	name := w.fileName(w.number)
	w.mu.Unlock()
	tmp, err := w.scratchFile()
	if err != nil {
		return l, err
	}
	defer func() {
		if err != nil {
			tmp.Close() // a second time where it was closed already
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if err := w.writeInfo(tmp, name); err != nil {
		return l, err
	}
	at, err := tmp.Seek(0, io.SeekCurrent)
	if err != nil {
		return l, err
	}
	length, err := w.encodeFile(ctx, tmp, x)
	if err != nil {
		return l, err
	}
	if err := errors.Join(w.fsync(tmp), makeFinal(tmp), tmp.Close()); err != nil {
		return l, err
	}
	target := filepath.Join(w.dir, crawldir.ArchiveDir, name)
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%s is there already: %w", name, cmp.Or(err, fs.ErrExist))
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return l, err
	}
	l = crawler.Locator{File: crawldir.ArchiveDir + "/" + name, Offset: at, Length: length}
	if err := w.fsync.SyncDirectory(filepath.Join(w.dir, crawldir.ArchiveDir)); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.broken = fmt.Errorf("sync archive: %w", err)
	}
	return l, nil
}

// warcName is the name of a WARC file of ours, taken apart.
type warcName struct {
	prefix string
	number int
}

var warcNamePattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})-(\d{14})-(\d{5,9})(-[a-z0-9]{10})?\.warc(\.gz)?$`)

func parseWARCName(s string) (warcName, bool) {
	m := warcNamePattern.FindStringSubmatch(s)
	if m == nil {
		return warcName{}, false
	}
	n, err := strconv.Atoi(m[3])
	return warcName{prefix: m[1], number: n}, err == nil
}

// FetcherOf is the fetcher that wrote a WARC file, "" where the name does not say it.
func FetcherOf(name string) string {
	n, _ := parseWARCName(strings.TrimPrefix(name, crawldir.ArchiveDir+"/"))
	return n.prefix
}

func isWARCPrefix(s string) bool {
	n, ok := parseWARCName(s + "-20060102150405-00001.warc")
	return ok && n.prefix == s
}

// recoverWARCs cuts torn ends off the files that were left open, of those that mine picks, and makes them
// final. It returns the highest number of such a file. A file that is broken elsewhere than at its end is
// reported and left: its other records can be read.
func recoverWARCs(dir string, log *slog.Logger, fsync durable.Fsync, mine func(warcName) bool) (number int, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, crawldir.ArchiveDir))
	if err != nil {
		return 0, fmt.Errorf("list archive: %w", err)
	}
	for _, e := range entries {
		n, ok := parseWARCName(e.Name())
		if !ok || !e.Type().IsRegular() || !mine(n) {
			continue
		}
		number = max(number, n.number)
		if err := recoverWARC(filepath.Join(dir, crawldir.ArchiveDir, e.Name()), log, fsync); err != nil {
			return 0, err
		}
	}
	return number, nil
}

func recoverWARC(path string, log *slog.Logger, fsync durable.Fsync) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("recover archive: %w", err)
	}
	if IsFinal(info) {
		return nil
	}
	start := time.Now()
	cut, err := warc.Recover(path, fsync)
	if _, broken := errors.AsType[*warc.Error](err); broken {
		log.Error("WARC file is broken and left as it is", "file", path, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if cut > 0 {
		log.Warn("cut the torn end off a WARC file", "file", path, "bytes", cut, "took", time.Since(start))
	}
	if cut == info.Size() {
		return os.Remove(path)
	}
	return os.Chmod(path, info.Mode().Perm()&^anyoneWrites)
}
