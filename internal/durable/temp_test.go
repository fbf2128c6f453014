package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"trawl/internal/durable/disktest"
)

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
	if got := disktest.Names(t, dir); len(got) != 2 {
		t.Errorf("of two that are open are left %q", got)
	}
	one.Close()
	removeStale(filepath.Join(dir, "rows.csv"))
	if got := disktest.Names(t, dir); !slices.Equal(got, []string{filepath.Base(two.Name())}) {
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
	if err := os.WriteFile(two.Name(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
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
	if got := disktest.Names(t, dir); !slices.Equal(got, []string{".rows.csv.1-0.tmp", "other"}) {
		t.Errorf("there are %q", got)
	}
}
