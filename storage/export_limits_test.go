package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"trawl/crawler"
)

func TestTheEndOfAContextEndsAnExportBeforeTheNextRow(t *testing.T) {
	row := bareRow()
	for _, c := range []struct {
		what string
		rows int // before the context is over, of three
		want int
		over bool
	}{
		{"at once", 0, 0, true}, {"after one", 1, 1, true}, {"after all", 3, 3, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		given, got, yields := 0, 0, 0
		var last error
		rows := func(yield func(*crawler.Row, error) bool) {
			for ; given < 3; given++ {
				if given == c.rows {
					cancel()
				}
				if !yield(row, nil) {
					return
				}
			}
		}
		for r, err := range whileAlive(ctx, rows) {
			yields++
			if last = err; err == nil {
				got++
			} else if r != nil {
				t.Errorf("%s: a row beside the error", c.what)
			}
		}
		if got != c.want || errors.Is(last, context.Canceled) != c.over || c.over && yields != got+1 {
			t.Errorf("%s: %d rows in %d steps, %v", c.what, got, yields, last)
		}
		cancel()
	}
	broken := errors.New("broken")
	var got []error
	for _, err := range whileAlive(t.Context(), failing(row, broken)) {
		got = append(got, err)
	}
	if !slices.Equal(got, []error{nil, broken}) {
		t.Errorf("of a ledger that breaks come %v", got)
	}
	for range whileAlive(t.Context(), rowsOf(row, row)) {
		break // must end there
	}
}

func TestAnExportWhoseContextIsOverIsNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.txt")
	ctx, cancel := context.WithCancel(t.Context())
	n, err := WriteExport(ctx, path, func(w io.Writer) (int64, error) {
		_, err := io.WriteString(w, "all of it")
		cancel()
		return 7, err
	})
	if n != 7 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	wantTree(t, dir, map[string]string{})
	if n, err := WriteExport(t.Context(), path, func(w io.Writer) (int64, error) { _, err := io.WriteString(w, "all"); return 7, err }); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	wantTree(t, dir, map[string]string{"rows.txt": "all"})
	file, _ := usualModes(t)
	if got := permissions(t, path); got != file {
		t.Errorf("the export is %o, want %o", got, file)
	}
	broken := errors.New("broken")
	if _, err := WriteExport(t.Context(), path+".gz", func(io.Writer) (int64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("compressed: %v", err)
	}
	wantTree(t, dir, map[string]string{"rows.txt": "all"})
}

func TestAPipeThatNobodyReadsIsGivenUpWithTheContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes:", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ExportFile(ctx, pipe, FormatCSV, rowsOf(bareRow()))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nobody reads "+pipe) {
		t.Errorf("%v", err)
	}
}

func TestWritingToAPipeEndsWithTheContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes:", err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0) // reads nothing
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = WriteExport(ctx, pipe, func(w io.Writer) (int64, error) {
		if n, err := w.Write([]byte("x")); n != 1 || err != nil {
			t.Errorf("while the context is alive: %d, %v", n, err)
		}
		cancel()
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return 0, err
			}
		}
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestNamesOfTemporaryFiles(t *testing.T) {
	for name, want := range map[string]bool{
		".rows.csv.1-0.tmp": true, ".rows.csv.123-456.tmp": true,
		"rows.csv.1-0.tmp": false, ".rows.csv.1-0": false, ".rows.csv.1.tmp": false, ".rows.csv.-0.tmp": false, ".rows.csv.1-.tmp": false, ".rows.csv.1-x.tmp": false,
		".rows.csv.x-1.tmp": false, ".rows.csv.1-2-3.tmp": false, ".rows.csvx.1-0.tmp": false, ".rows.csv1-0.tmp": false, "": false, ".rows.csv": false,
	} {
		if isTempOf(name, "rows.csv") != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for text, want := range map[string]bool{"": false, "0": true, "0123456789": true, "1a": false, "a1": false, "-1": false, "1 ": false} {
		if isNumber(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestTemporaryFilesAreTheirMakersWhileTheyAreOpen(t *testing.T) {
	dir := t.TempDir()
	make := func() *os.File {
		t.Helper()
		f, err := createTemp(dir, "rows.csv", 0o640)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	one, two := make(), make()
	for i, f := range []*os.File{one, two} {
		if want := filepath.Join(dir, fmt.Sprintf(".rows.csv.%d-%d.tmp", os.Getpid(), i)); f.Name() != want {
			t.Errorf("%s, want %s", f.Name(), want)
		}
	}
	removeStale(filepath.Join(dir, "rows.csv"))
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("of two that are open are left %q", got)
	}
	one.Close()
	removeStale(filepath.Join(dir, "rows.csv"))
	if got := names(t, dir); !slices.Equal(got, []string{filepath.Base(two.Name())}) {
		t.Errorf("when one is closed there are %q", got)
	}
	if !inPlace(two) || !claim(two) {
		t.Error("a file is not where it was made")
	}
	if err := os.Rename(two.Name(), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if inPlace(two) || claim(two) {
		t.Error("a file that was renamed is in place")
	}
	touch(t, dir, filepath.Base(two.Name()))
	if inPlace(two) || claim(two) {
		t.Error("another file has its place")
	}
	two.Close()
	if inPlace(two) {
		t.Error("a file that is closed is in place")
	}
	if _, err := createTemp(filepath.Join(dir, "none"), "rows.csv", 0o640); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".rows.csv.1-0.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	removeStale(filepath.Join(dir, "rows.csv"))
	if got := names(t, dir); !slices.Equal(got, []string{".rows.csv.1-0.tmp", "other"}) {
		t.Errorf("there are %q", got)
	}
}
