package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage/crawldir"
)

// scratchDir is where bodies lie without their names, relative to the crawl directory.
const scratchDir = crawldir.IncomingDir + "/put"

// FilesOptions are the settings of an archive of plain files.
type FilesOptions struct {
	Logger *slog.Logger // nil = none
}

// Files is an archive of plain files: one for each body, decoded, below dir/incoming/bodies, under the name that
// [crawler.BodyName] makes from its URL and content. The ledger gives the names that people see, and [Bodies] puts the
// bodies under them once their rows are settled. Only answers with 2xx become files. Safe for concurrent use.
//
// Sync makes a body durable, then gives it its name, then makes the name durable: a file that can be seen under its name
// is whole, whenever the power fails.
type Files struct {
	dir     string
	log     *slog.Logger
	fsync   durable.Fsync
	syncing chan struct{} // held by the one who syncs

	mu      sync.Mutex
	pending map[string]string // temporary files by their names to be; since the last sync
	broken  error             // why nothing can be stored any more
}

// NewFiles opens the archive below dir, which is made where it is missing. What an earlier run left
// without a name is removed: no row names it.
func NewFiles(dir string, o FilesOptions) (*Files, error) { return newFiles(dir, o, durable.System) }

func newFiles(dir string, o FilesOptions, fsync durable.Fsync) (*Files, error) {
	if err := crawldir.MakeDurable(fsync, dir, crawldir.FilesDir, crawldir.IncomingDir); err != nil {
		return nil, fmt.Errorf("make files directory: %w", err)
	}
	f := &Files{dir: dir, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)), fsync: fsync,
		syncing: make(chan struct{}, 1), pending: map[string]string{}}
	err := os.RemoveAll(f.path(scratchDir))
	for _, d := range []string{scratchDir, bodiesDir} {
		if err == nil {
			err = os.MkdirAll(f.path(d), durable.PrivateDir)
		}
	}
	if err == nil { // a body's name is durable only if that of its directory is
		err = f.fsync.SyncDirectory(f.path(crawldir.IncomingDir))
	}
	if err != nil {
		return nil, fmt.Errorf("empty the directory of unfinished files: %w", err)
	}
	return f, nil
}

// path is that of a file in the archive. All names are made here of digests and random letters, so none leads out of the directory, and
// no os.Root is needed, which opens every directory on the way again: ten system calls for a file instead of two.
func (f *Files) path(name string) string { return filepath.Join(f.dir, name) }

// Put stores the body and says under which name it will lie after Sync. A spool file is taken over by
// renaming it where it needs no decoding and lies on the same file system. An answer other than 2xx is not
// stored; the Locator is zero then.
func (f *Files) Put(ctx context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	if err := ctx.Err(); err != nil {
		return crawler.Locator{}, err
	}
	if !isSuccess(x.Response) {
		return crawler.Locator{}, nil
	}
	l, err := f.put(ctx, x)
	if err != nil {
		return crawler.Locator{}, fmt.Errorf("store %s as a file: %w", x.URL, err)
	}
	return l, nil
}

func (f *Files) put(ctx context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	temp, size, err := f.writeTemp(ctx, x)
	if err != nil {
		return crawler.Locator{}, err
	}
	digest := x.Digest
	if digest.IsZero() {
		digest, err = hashFile(f.path(temp))
	}
	name := crawler.BodyName(x.URL, digest)
	if err == nil {
		err = f.keep(name, temp)
	}
	if err != nil {
		return crawler.Locator{}, errors.Join(err, os.Remove(f.path(temp)))
	}
	return crawler.Locator{File: name, Length: size}, nil
}

// keep notes a body for the next sync. Of two with one name, which are the same, it keeps the later one.
func (f *Files) keep(name, temp string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if old, ok := f.pending[name]; ok {
		if err := os.Remove(f.path(old)); err != nil {
			return err
		}
	}
	f.pending[name] = temp
	return nil
}

// Close makes all durable and visible, and closes the archive.
func (f *Files) Close() error {
	err := f.Sync(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = fmt.Errorf("archive is closed: %w", os.ErrClosed)
		return err
	}
	if errors.Is(f.broken, os.ErrClosed) {
		return nil
	}
	return err
}

// isSuccess reports whether the status is 2xx, or there is none to be read.
func isSuccess(head []byte) bool {
	line, _, _ := strings.Cut(string(head[:min(len(head), 64)]), "\n")
	parts := strings.Fields(line)
	return len(parts) < 2 || len(parts[1]) != 3 || parts[1][0] == '2'
}

func hashFile(path string) (crawler.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return crawler.Digest{}, err
	}
	defer f.Close() // it is only read
	return hashReader(f)
}

func hashReader(r io.Reader) (crawler.Digest, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return crawler.Digest{}, err
	}
	return crawler.Digest(h.Sum(nil)), nil
}
