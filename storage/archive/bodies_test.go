package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/durable/disktest"
	"trawl/storage/storagetest"
)

func openBodies(t testing.TB, dir string) *Bodies {
	t.Helper()
	b, err := NewBodies(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// withBody is a directory into which the body of a URL has come.
func withBody(t testing.TB, url, body string) (string, *Bodies) {
	t.Helper()
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	storagetest.Put(t, f, storagetest.Exchange(url, body))
	storagetest.Sync(t, f)
	return dir, openBodies(t, dir)
}

func place(t testing.TB, b *Bodies, url, body, to string) error {
	t.Helper()
	return b.Place(t.Context(), weburl.MustParse(url), storagetest.Digest(body), int64(len(body)), to)
}

func TestABodyGetsItsNamesAndAgainAfterACrash(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "body")
	for range 2 { // the second time is after a crash
		if err := place(t, b, "http://h/a", "body", "files/x/own"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"files/other", "files/x/y/z"} {
			if err := b.Link(t.Context(), "files/x/own", name); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Sync(); err != nil {
			t.Fatal(err)
		}
		disktest.WantTree(t, dir, map[string]string{"files/x/own": "body", "files/other": "body", "files/x/y/z": "body"})
	}
	one, _ := os.Stat(filepath.Join(dir, "files/x/own"))
	two, _ := os.Stat(filepath.Join(dir, "files/other"))
	if !os.SameFile(one, two) {
		t.Error("a further name is a copy, though the file system has links")
	}
}

func TestTheSettledBodyReplacesAnEarlierOne(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "new")
	for _, name := range []string{"files/own", "files/other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old one"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(place(t, b, "http://h/a", "new", "files/own"), b.Link(t.Context(), "files/own", "files/other")); err != nil {
		t.Fatal(err)
	}
	disktest.WantTree(t, dir, map[string]string{"files/own": "new", "files/other": "new"})
}

func TestABodyThatIsNotThereIsSaid(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "body")
	if err := os.WriteFile(filepath.Join(dir, "files", "b"), []byte("else"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"files/b", "files/c"} { // another body, or none, has the name
		if err := place(t, b, "http://h/b", "body", to); !errors.Is(err, crawler.ErrNoBody) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := b.Link(t.Context(), "files/c", "files/d"); !errors.Is(err, crawler.ErrNoBody) {
		t.Errorf("a link: %v", err)
	}
}

func TestANameThatTheFileSystemRefusesConcernsNoOther(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "body")
	if err := os.MkdirAll(filepath.Join(dir, "files/dir/sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "files/file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"files/dir", "files/file/below"} {
		_, refused := errors.AsType[*crawler.NameRefused](place(t, b, "http://h/a", "body", to))
		if !refused {
			t.Errorf("%s is not refused", to)
		}
	}
	if err := place(t, b, "http://h/a", "body", "files/good"); err != nil {
		t.Fatal(err)
	}
	if _, refused := errors.AsType[*crawler.NameRefused](b.Link(t.Context(), "files/good", "files/dir")); !refused {
		t.Error("a link in the place of a directory is not refused")
	}
	disktest.WantTree(t, dir, map[string]string{"files/good": "body", "files/file": ""})
}

func TestBodiesGetNoNameOutsideOfFiles(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "body")
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "files", "way")); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"ledger/x", "files/../ledger/x", "../x", "/x", "files", "files/", "archive/x.warc", "files/way/out"} {
		if err := place(t, b, "http://h/a", "body", to); err == nil {
			t.Errorf("%q is taken", to)
		}
	}
	disktest.WantTree(t, outside, map[string]string{})
}

func TestBodiesThatNoRowWaitsForAreSwept(t *testing.T) {
	dir, b := withBody(t, "http://h/a", "body")
	f := openFileArchive(t, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://h/b", "waited for"))
	storagetest.Sync(t, f)
	waits := weburl.MustParse("http://h/b").Key()
	if err := b.Sweep(func(k weburl.URLKey) (bool, error) { return k == waits, nil }); err != nil {
		t.Fatal(err)
	}
	disktest.WantTree(t, dir, map[string]string{bodyAt("http://h/b", "waited for"): "waited for"})
}

func TestNamesOfThisFileSystemAreToldApart(t *testing.T) {
	dir := t.TempDir()
	rule, err := ProbeNames(dir)
	if err != nil || rule.Case != !tellsCase(dir) {
		t.Errorf("%+v, %v", rule, err)
	}
	disktest.WantTree(t, dir, map[string]string{})
}

// tellsCase reports whether names that differ in case are two here.
func tellsCase(dir string) bool {
	if os.WriteFile(filepath.Join(dir, "a"), nil, 0o600) != nil {
		return false
	}
	defer os.Remove(filepath.Join(dir, "a"))
	_, err := os.Stat(filepath.Join(dir, "A"))
	return err != nil
}

func TestADirectoryThatWasReplacedMeanwhileGetsTheNextBody(t *testing.T) {
	dir, b := withBody(t, "http://a.example/1", "one")
	if err := place(t, b, "http://a.example/1", "one", "files/a/1"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "files/a")); err != nil {
		t.Fatal(err)
	}
	f := openFileArchive(t, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://a.example/2", "two"))
	storagetest.Sync(t, f)
	if err := place(t, b, "http://a.example/2", "two", "files/a/2"); err != nil {
		t.Fatal(err)
	}
	disktest.WantTree(t, dir, map[string]string{"files/a/2": "two"})
}

func TestSoManyDirectoriesAreOpenAtMost(t *testing.T) {
	dir := t.TempDir()
	f, b := openFileArchive(t, dir), openBodies(t, dir)
	want := map[string]string{}
	for i := range 2 * maxOpenDirs {
		url, name := fmt.Sprintf("http://a.example/%d", i), fmt.Sprintf("files/%d/x", i)
		storagetest.Put(t, f, storagetest.Exchange(url, "text"))
		storagetest.Sync(t, f)
		if err := place(t, b, url, "text", name); err != nil {
			t.Fatal(err)
		}
		if len(b.open) > maxOpenDirs {
			t.Fatalf("%d directories are open", len(b.open))
		}
		want[name] = "text"
	}
	disktest.WantTree(t, dir, want)
	if err := b.Sync(); err != nil || len(b.open) > 0 {
		t.Errorf("after a sync %d directories are open, %v", len(b.open), err)
	}
}
