package durable

import (
	"os"
	"path/filepath"
	"testing"

	"trawl/internal/durable/disktest"
)

func TestTheOperatingSystemIsAskedToSync(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if System(w) == nil {
		t.Error("a pipe was synced, which no system does")
	}
}

func TestAFileThatWasReplacedOutlivesAPowerCut(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "rows.jsonl")
	if err := os.WriteFile(file, []byte("the older rows"), 0o666); err != nil {
		t.Fatal(err)
	}
	disk := disktest.New(t, root)
	err := Fsync(disk.Fsync).ReplaceFile(file, 0o666, func(f *os.File) error {
		_, err := f.WriteString("rows")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	disk.Cut(t, func(t *testing.T, root string) { disktest.WantTree(t, root, map[string]string{"rows.jsonl": "rows"}) })
}
