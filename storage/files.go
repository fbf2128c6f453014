package storage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler"
)

// FilesOptions are the settings of an archive of plain files.
type FilesOptions struct {
	Logger *slog.Logger // nil = none
}

// Files is an archive of plain files below dir/files, one for each body, decoded, under the exchange's name
// or the one made from its URL. Only answers with 2xx become files. Safe for concurrent use.
//
// A body lies below dir/incoming first. Sync makes it durable, then gives it its name, then makes the name
// durable: a file that can be seen under its name is whole, whenever the power fails. Names that Put has
// given away are kept for their bodies meanwhile.
//
// Names that stand in each other's way are settled in order of arrival, and the locator tells how: a
// directory whose name is a file's gets the mark "{dir}", a file whose name is a directory's "{file}", a
// body that the server cut off "{part}", a file whose name has another content already a hash of its URL in braces.
type Files struct {
	dir     string
	root    *os.Root // of dir: no name leads out of it
	log     *slog.Logger
	syncing chan struct{} // held by the one who syncs

	mu      sync.Mutex
	pending map[string]pendingFile // by final name, relative to dir; since the last sync
	moving  map[string]pendingFile // taken out of pending by the sync under way
	parents map[string]int         // directories that files of both need, and for how many
	broken  error                  // why nothing can be stored any more
}

// pendingFile is a body without its name.
type pendingFile struct {
	temp string // relative to dir
	url  crawler.URL
}

// NewFiles opens the archive below dir, which is made where it is missing. What an earlier run left
// without a name is removed: no row tells of it.
func NewFiles(dir string, o FilesOptions) (*Files, error) {
	if err := makeDirs(dir, filesDir); err != nil {
		return nil, fmt.Errorf("make files directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open files directory: %w", err)
	}
	f := &Files{dir: dir, root: root, log: cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
		syncing: make(chan struct{}, 1), pending: map[string]pendingFile{}, parents: map[string]int{}}
	err = root.RemoveAll(f.scratch())
	if err == nil {
		err = root.MkdirAll(f.scratch(), privateDir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("empty the directory of unfinished files: %w", err), root.Close())
	}
	return f, nil
}

// Put stores the body and says under which name it will lie after Sync. A spool file is taken over by
// renaming it where it needs no decoding and lies on the same file system. An answer other than 2xx is not
// stored; the Locator is zero then. Names that lead out of the directory are refused with [crawler.ErrBadName].
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
	name, err := crawler.CleanName(cmp.Or(x.Name, crawler.FileName(x.URL)))
	if err != nil {
		return crawler.Locator{}, err
	}
	if x.Truncated == "disconnect" {
		name = markName(name, partMark)
	}
	temp, size, err := f.writeTemp(ctx, x)
	if err != nil {
		return crawler.Locator{}, err
	}
	name, err = f.reserve(filesDir+"/"+name, pendingFile{temp, x.URL}, size, x.Digest)
	if err != nil {
		return crawler.Locator{}, errors.Join(err, f.root.Remove(temp))
	}
	return crawler.Locator{File: name, Length: size}, nil
}

// reserve finds the final name and keeps it for the file.
func (f *Files) reserve(name string, p pendingFile, size int64, digest crawler.Digest) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return "", f.broken
	}
	at, err := placeName(name, f.kindOf)
	if err != nil {
		return "", err
	}
	mine, err := f.mayReplace(at, p, size, digest)
	if err != nil {
		return "", err
	}
	if !mine {
		at = markName(at, fmt.Sprintf("{%016x}", xxhash.Sum64String(p.url.String())))
	}
	if old, ok := f.pending[at]; ok {
		if err := f.root.Remove(old.temp); err != nil {
			return "", err
		}
	} else {
		countParents(f.parents, at, 1)
	}
	f.pending[at] = p
	return at, nil
}

// mayReplace reports whether the name is free for the file: unused, used by the same URL since the last
// sync, or by the same content. Called with mu held.
func (f *Files) mayReplace(name string, p pendingFile, size int64, digest crawler.Digest) (bool, error) {
	for _, m := range []map[string]pendingFile{f.pending, f.moving} {
		if old, ok := m[name]; ok {
			return old.url == p.url, nil
		}
	}
	info, err := f.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || info.Size() != size {
		return false, err
	}
	if digest.IsZero() {
		if digest, err = hashFile(f.root, p.temp); err != nil {
			return false, err
		}
	}
	there, err := hashFile(f.root, name)
	return there == digest, err
}

// kindOf tells what stands or will stand under a name. Called with mu held.
func (f *Files) kindOf(name string) (nameKind, error) {
	if f.parents[name] > 0 {
		return nameDir, nil
	}
	if _, ok := f.pending[name]; ok {
		return nameFile, nil
	}
	if _, ok := f.moving[name]; ok {
		return nameFile, nil
	}
	return rootKind(f.root)(name)
}

// Close makes all durable and visible, and closes the archive.
func (f *Files) Close() error {
	err := f.Sync(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken == nil {
		f.broken = fmt.Errorf("archive is closed: %w", os.ErrClosed)
		return errors.Join(err, f.root.Close())
	}
	if errors.Is(f.broken, os.ErrClosed) {
		return nil
	}
	return errors.Join(err, f.root.Close())
}

// scratch is the directory of bodies without their names, relative to dir.
func (f *Files) scratch() string { return incomingDir + "/put" }

// countParents adds n to the count of each directory above the name.
func countParents(parents map[string]int, name string, n int) {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if parents[d] += n; parents[d] == 0 {
			delete(parents, d)
		}
	}
}

// isSuccess reports whether the status is 2xx, or there is none to be read.
func isSuccess(head []byte) bool {
	line, _, _ := strings.Cut(string(head[:min(len(head), 64)]), "\n")
	parts := strings.Fields(line)
	return len(parts) < 2 || len(parts[1]) != 3 || parts[1][0] == '2'
}

func hashFile(root *os.Root, name string) (crawler.Digest, error) {
	f, err := root.Open(name)
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
