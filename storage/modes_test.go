package storage_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"trawl/internal/durable/disktest"
	"trawl/storage/archive"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

func TestWhatTheUserAskedForFollowsTheUmaskAndTheRestIsPrivate(t *testing.T) {
	file, dir := disktest.UsualModes(t)
	path := filepath.Join(t.TempDir(), "a.trawl")
	d, err := crawldir.Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w, err := archive.NewWARC(path, archive.WARCOptions{Prefix: "f"})
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Put(t, w, storagetest.Exchange("http://example.com/", "body"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		path: dir, d.Archive(): dir, d.Files(): dir, d.Exports(): dir,
		d.Ledger(): 0o700, d.Queue(): 0o700, filepath.Join(path, "incoming"): 0o700, filepath.Join(path, "lock"): 0o600,
	} {
		if got := disktest.Permissions(t, name); got != want {
			t.Errorf("%s is %o, want %o", name, got, want)
		}
	}
	warcs, _ := filepath.Glob(filepath.Join(d.Archive(), "*.warc.gz"))
	if len(warcs) != 1 || disktest.Permissions(t, warcs[0]) != file&^0o222 {
		t.Errorf("WARC files %v, want one that is %o", warcs, file&^0o222)
	}
}
