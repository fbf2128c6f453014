package storage

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"trawl/storage/storagetest"
)

// usualModes are the permissions of a file and a directory that any program makes under the umask.
func usualModes(t *testing.T) (file, dir fs.FileMode) {
	t.Helper()
	place := t.TempDir()
	f, err := os.OpenFile(filepath.Join(place, "f"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Mkdir(filepath.Join(place, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	return permissions(t, filepath.Join(place, "f")), permissions(t, filepath.Join(place, "d"))
}

func permissions(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestWhatTheUserAskedForFollowsTheUmaskAndTheRestIsPrivate(t *testing.T) {
	file, dir := usualModes(t)
	path := filepath.Join(t.TempDir(), "a.trawl")
	d := openDir(t, path, true)
	w := openWARC(t, path, WARCOptions{Prefix: "f"})
	storagetest.Put(t, w, storagetest.Exchange("http://example.com/", "body"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		path: dir, d.Archive(): dir, d.Files(): dir, d.Exports(): dir,
		d.Ledger(): 0o700, d.Queue(): 0o700, filepath.Join(path, "incoming"): 0o700, filepath.Join(path, "lock"): 0o600,
	} {
		if got := permissions(t, name); got != want {
			t.Errorf("%s is %o, want %o", name, got, want)
		}
	}
	warcs, _ := filepath.Glob(filepath.Join(d.Archive(), "*.warc.gz"))
	if len(warcs) != 1 || permissions(t, warcs[0]) != file&^0o222 {
		t.Errorf("WARC files %v, want one that is %o", warcs, file&^0o222)
	}
}
