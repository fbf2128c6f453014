package crawldir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"trawl/storage"
)

func TestAClearedDirectoryIsNewAndStaysLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	d, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"ledger/000001.log", "queue/x", "archive/a.warc.gz", "files/host/a", "exports/rows.csv", "job.yaml", "trawl.log", "incoming/spool/x", ".removed-ledger/x"} {
		file := filepath.Join(path, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Clear(); err != nil {
		t.Fatal(err)
	}
	var left []string
	err = filepath.WalkDir(path, func(name string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(path, name); rel != "." {
			left = append(left, rel)
		}
		return err
	})
	want := []string{"archive", "exports", "files", "incoming", "ledger", "lock", "queue", "version"}
	if err != nil || len(left) != len(want) {
		t.Fatalf("%v are left, %v; want %v", left, err, want)
	}
	for i := range want {
		if left[i] != want[i] {
			t.Errorf("%s is left, want %s", left[i], want[i])
		}
	}
	if _, err := Open(path, true); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("another one gets %v, want that it is in use", err)
	}
	info, err := os.Stat(d.Ledger())
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the ledger's directory: %v, %v; want it private", info, err)
	}
}
