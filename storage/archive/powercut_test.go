package archive

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/internal/durable/disktest"
	"trawl/storage/archive/warc"
	"trawl/storage/storagetest"
)

// forgetfulDir is a directory on a disk that forgets what is not synced.
func forgetfulDir(t *testing.T) (*disktest.Disk, string) {
	root := t.TempDir()
	return disktest.New(t, root), filepath.Join(root, "new", "crawl")
}

// filesOn are the plain files of a directory on that disk, closed at the end of the test.
func filesOn(t *testing.T, disk *disktest.Disk, dir string) *Files {
	t.Helper()
	f, err := newFiles(dir, FilesOptions{}, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// cut runs a check on what a power cut leaves of the directory.
func cut(t *testing.T, disk *disktest.Disk, check func(t *testing.T, dir string)) {
	t.Helper()
	disk.Cut(t, func(t *testing.T, root string) { check(t, filepath.Join(root, "new", "crawl")) })
}

func TestRecordsThatWereSyncedOutliveAPowerCut(t *testing.T) {
	for _, c := range []struct {
		name string
		o    WARCOptions
		end  func(*WARC) error
	}{
		{"in one file", WARCOptions{}, func(w *WARC) error { return w.Sync(context.Background()) }},
		{"in files of an exchange each", WARCOptions{MaxSize: 1}, func(w *WARC) error { return w.Sync(context.Background()) }},
		{"in a file that was closed", WARCOptions{}, (*WARC).Close},
		{"not compressed", WARCOptions{Compress: crawler.CompressNone}, func(w *WARC) error { return w.Sync(context.Background()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk, dir := forgetfulDir(t)
			c.o.Prefix = "f1"
			w, err := newWARC(dir, c.o, disk.Fsync)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			kept := make(map[string]crawler.Locator)
			for n := range 3 {
				body := fmt.Sprint("body ", n)
				kept[body] = storagetest.Put(t, w, storagetest.Exchange(fmt.Sprint("http://a.example/", n), body))
			}
			if err := c.end(w); err != nil {
				t.Fatal(err)
			}
			if err := w.usable(); err == nil { // what nobody synced stands in nobody's way
				storagetest.Put(t, w, storagetest.Exchange("http://a.example/last", "not synced"))
			}
			cut(t, disk, func(t *testing.T, dir string) {
				openWARC(t, dir, WARCOptions{})
				for body, l := range kept {
					mustVerify(t, dir, l, storagetest.Digest(body))
				}
			})
		})
	}
}

func TestALargeBodyOutlivesAPowerCut(t *testing.T) {
	disk, dir := forgetfulDir(t)
	w, err := newWARC(dir, WARCOptions{Prefix: "f1", MaxSize: 10}, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := storagetest.Put(t, w, spooled(t, storagetest.Exchange("http://a.example/", "a large body")))
	storagetest.Sync(t, w)
	cut(t, disk, func(t *testing.T, dir string) {
		openWARC(t, dir, WARCOptions{})
		mustVerify(t, dir, l, storagetest.Digest("a large body"))
	})
}

// What a process that was killed left is recovered and final: nobody looks at it again after the power cut.
func TestARecoveredFileIsWholeAfterAPowerCut(t *testing.T) {
	for _, torn := range []string{"", "a torn end"} {
		disk, dir := forgetfulDir(t)
		w, err := newWARC(dir, WARCOptions{Prefix: "f1"}, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
		storagetest.Sync(t, w)
		storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two"))
		if _, err := w.file.WriteAt([]byte(torn), w.size); err != nil {
			t.Fatal(err)
		}
		if torn != "" {
			if err := w.file.Sync(); err != nil { // as much as the system wrote by itself
				t.Fatal(err)
			}
		}
		if err := w.file.Close(); err != nil { // killed: the file is neither synced nor final
			t.Fatal(err)
		}
		next, err := newWARC(dir, WARCOptions{Prefix: "f1"}, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		cut(t, disk, func(t *testing.T, dir string) {
			openWARC(t, dir, WARCOptions{})
			mustVerify(t, dir, l, storagetest.Digest("one"))
			if cut, err := warc.Recover(filepath.Join(dir, l.File), durable.System); cut != 0 || err != nil {
				t.Errorf("left with a torn end %q: %d bytes of it are there again, %v", torn, cut, err)
			}
		})
	}
}

func TestPlainFilesThatWereSyncedOutliveAPowerCut(t *testing.T) {
	disk, dir := forgetfulDir(t)
	f := filesOn(t, disk, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://h/a", "one"))
	storagetest.Put(t, f, spooled(t, storagetest.Exchange("http://h/b", "two")))
	storagetest.Sync(t, f)
	storagetest.Put(t, f, storagetest.Exchange("http://h/c", "not synced"))
	cut(t, disk, func(t *testing.T, dir string) {
		openFileArchive(t, dir)
		disktest.WantTree(t, dir, map[string]string{bodyAt("http://h/a", "one"): "one", bodyAt("http://h/b", "two"): "two"})
	})
}

func TestWhatAnOutboxListsOutlivesAPowerCut(t *testing.T) {
	disk, dir := forgetfulDir(t)
	older, err := newWARC(dir, WARCOptions{Prefix: "older"}, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Put(t, older, storagetest.Exchange("http://a.example/0", "by another name"))
	storagetest.Sync(t, older)
	storagetest.Put(t, older, storagetest.Exchange("http://a.example/1", "not synced"))
	if err := older.file.Close(); err != nil { // killed
		t.Fatal(err)
	}
	w, err := newWARC(dir, WARCOptions{Prefix: "f1"}, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	o, err := newOutbox(dir, w, nil, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two"))
	storagetest.Sync(t, w)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/3", "not synced"))
	list := pendingOf(t, o)
	if len(list) != 2 {
		t.Fatalf("pending: %v", list)
	}
	for _, s := range list {
		want := readPending(t, o, s.Name)
		cut(t, disk, func(t *testing.T, dir string) {
			text, err := os.ReadFile(filepath.Join(dir, s.Name))
			if err != nil || !bytes.HasPrefix(text, want) {
				t.Errorf("%s: %d of %d bytes are there, %v", s.Name, len(text), len(want), err)
			}
		})
	}
}

func TestNamesOfBodiesThatWereSyncedOutliveAPowerCut(t *testing.T) {
	disk, dir := forgetfulDir(t)
	f := filesOn(t, disk, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://h/a", "body"))
	storagetest.Sync(t, f)
	b, err := newBodies(dir, disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	steps := []func() error{
		func() error { return place(t, b, "http://h/a", "body", "files/x/own") },
		func() error { return b.Link(t.Context(), "files/x/own", "files/y/z/other") },
		func() error { return b.copy(t.Context(), "files/x/own", "files/copy") }, // where there are no links
		func() error { b.changed("files/copy"); return b.Sync() },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	cut(t, disk, func(t *testing.T, dir string) {
		disktest.WantTree(t, dir, map[string]string{"files/x/own": "body", "files/y/z/other": "body", "files/copy": "body"})
	})
}

// A crash may come after a body got its name and before that was synced. The ledger has it as unplaced, so it is placed again.
func TestANameThatIsFoundInItsPlaceIsSyncedToo(t *testing.T) {
	disk, dir := forgetfulDir(t)
	f := filesOn(t, disk, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://h/a", "body"))
	storagetest.Sync(t, f)
	for _, sync := range []bool{false, true} {
		b, err := newBodies(dir, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		err = place(t, b, "http://h/a", "body", "files/x/own")
		if err == nil {
			err = b.Link(t.Context(), "files/x/own", "files/y/other")
		}
		if err == nil && sync {
			err = b.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cut(t, disk, func(t *testing.T, dir string) {
		for _, name := range []string{"files/x/own", "files/y/other"} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); string(text) != "body" {
				t.Errorf("%s holds %q, %v", name, text, err)
			}
		}
	})
}
