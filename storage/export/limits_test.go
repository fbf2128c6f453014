package export

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable/disktest"
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
	n, err := Write(ctx, path, func(w io.Writer) (int64, error) {
		_, err := io.WriteString(w, "all of it")
		cancel()
		return 7, err
	})
	if n != 7 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	disktest.WantTree(t, dir, map[string]string{})
	if n, err := Write(t.Context(), path, func(w io.Writer) (int64, error) { _, err := io.WriteString(w, "all"); return 7, err }); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	disktest.WantTree(t, dir, map[string]string{"rows.txt": "all"})
	file, _ := disktest.UsualModes(t)
	if got := disktest.Permissions(t, path); got != file {
		t.Errorf("the export is %o, want %o", got, file)
	}
	broken := errors.New("broken")
	if _, err := Write(t.Context(), path+".gz", func(io.Writer) (int64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("compressed: %v", err)
	}
	disktest.WantTree(t, dir, map[string]string{"rows.txt": "all"})
}

func TestAPipeThatNobodyReadsIsGivenUpWithTheContext(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes:", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := File(ctx, pipe, CSV, rowsOf(bareRow()))
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
	_, err = Write(ctx, pipe, func(w io.Writer) (int64, error) {
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
