package storage

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"

	"trawl/crawler"
)

// ExportFile writes rows to a file and tells how many. The format is by the ending of the path when f is "";
// a path that ends with .gz is compressed. The file appears whole or not at all: it is written beside its
// place, synced, and renamed; an older one of that name is replaced at that moment. What exports to this
// name left there when they were killed is removed first. What is not a plain file (a pipe, /dev/stdout) is
// written to directly.
func ExportFile(path string, f Format, rows iter.Seq2[*crawler.Row, error]) (n int64, err error) {
	if f == "" {
		f, err = FormatOf(path)
	} else if err = f.checkGzip(path); err != nil {
		err = fmt.Errorf("export to %s: %w", path, err)
	}
	if err != nil {
		return 0, err
	}
	write := func(file *os.File) error {
		n, err = exportTo(file, isGzip(path), f, rows)
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return 0, fmt.Errorf("export to %s: it is a directory; name a file in it", path)
	}
	removeStale(linkTarget(path))
	err = writeFile(path, 0o666, write)
	return n, err
}

// writeFile makes a file appear whole, and writes to what is not a plain file (a pipe, a device) directly: putting a file
// in its place would take it away from everybody.
func writeFile(path string, mode fs.FileMode, write func(*os.File) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeDirectly(path, write)
	}
	return replaceFile(path, mode, write)
}

func exportTo(w io.Writer, compress bool, f Format, rows iter.Seq2[*crawler.Row, error]) (int64, error) {
	if !compress {
		return Export(w, f, rows)
	}
	out := bufio.NewWriterSize(w, exportBuffer)
	z := gzip.NewWriter(out)
	n, err := Export(z, f, rows)
	if err == nil {
		err = errors.Join(z.Close(), out.Flush())
	}
	return n, err
}

func writeDirectly(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return errors.Join(write(f), f.Close())
}

// replaceFile makes a file appear whole: temporary file in the same directory, sync, rename, sync of the
// directory. After an error the temporary file is gone, and an older file of that name is as it was (unless
// it is the last sync that failed). A crash may leave a temporary file, whose name begins with a dot and
// the name meant; see removeStale.
func replaceFile(path string, mode fs.FileMode, write func(*os.File) error) (err error) {
	path = linkTarget(path) // replace what the link names, not the link
	dir, base := filepath.Split(path)
	f, err := createTemp(dir, base, mode)
	if err != nil {
		return err
	}
	defer f.Close() // last, since it gives up the lock; what it could report, Sync has
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func linkTarget(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// syncDir makes a rename in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(orHere(dir))
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// orHere is the directory that filepath.Split gave.
func orHere(dir string) string { return cmp.Or(dir, ".") }
