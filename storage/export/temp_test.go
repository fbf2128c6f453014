package export

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable/disktest"
)

func TestAnExportRemovesWhatKilledOnesOfItsNameLeft(t *testing.T) {
	dir := t.TempDir()
	own := ".rows.csv." + strconv.Itoa(os.Getpid()) + "-0.tmp" // process ids come again
	touch(t, dir, ".rows.csv.17-0.tmp", ".rows.csv.99999999-12.tmp", own)
	others := []string{".other.csv.17-0.tmp", ".rows.csv.17-0.tmp2", ".rows.csv.x-0.tmp", ".rows.csv.17-.tmp", ".rows.csv.tmp", "rows.csv.17-0.tmp", ".rows.csv.gz.17-0.tmp"}
	touch(t, dir, others...)
	if _, err := File(t.Context(), filepath.Join(dir, "rows.csv"), "", rowsOf(bareRow())); err != nil {
		t.Fatal(err)
	}
	want := append(others, "rows.csv")
	slices.Sort(want)
	if got := disktest.Names(t, dir); !slices.Equal(got, want) {
		t.Errorf("the directory holds %q, not %q", got, want)
	}
}

func TestAnExportThroughALinkCleansWhereTheTargetLies(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	touch(t, dir, "rows.csv", ".rows.csv.17-0.tmp")
	link := filepath.Join(elsewhere, "latest.csv")
	if err := os.Symlink(filepath.Join(dir, "rows.csv"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := File(t.Context(), link, "", rowsOf()); err != nil {
		t.Fatal(err)
	}
	if got := disktest.Names(t, dir); !slices.Equal(got, []string{"rows.csv"}) {
		t.Errorf("the directory holds %q", got)
	}
}

func TestExportsToOneNameLeaveEachOtherAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	touch(t, dir, "rows.jsonl")
	both := func(yield func(*crawler.Row, error) bool) {
		// The outer export is under way: the older file is there, and one that is not whole beside it.
		if got := disktest.Names(t, dir); len(got) != 2 {
			t.Errorf("the directory holds %q", got)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "half a r" {
			t.Errorf("meanwhile the file is %q, %v", b, err)
		}
		if n, err := File(t.Context(), path, "", rowsOf(bareRow())); n != 1 || err != nil {
			t.Errorf("the inner export: %d, %v", n, err)
		}
		_ = yield(fullRow(), nil) && yield(bareRow(), nil)
	}
	if n, err := File(t.Context(), path, "", both); n != 2 || err != nil {
		t.Fatalf("the outer export: %d, %v", n, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != wantJSONL {
		t.Errorf("the file is %q, %v", b, err)
	}
	if got := disktest.Names(t, dir); !slices.Equal(got, []string{"rows.jsonl"}) {
		t.Errorf("the directory holds %q", got)
	}
}

func touch(tb testing.TB, dir string, names ...string) {
	tb.Helper()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte("half a r"), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
