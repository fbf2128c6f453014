package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"trawl/crawler"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

func openOutbox(t testing.TB, dir string, w *WARC) *Outbox {
	t.Helper()
	o, err := NewOutbox(dir, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func pendingOf(t testing.TB, o *Outbox) []crawler.Shipment {
	t.Helper()
	list, err := o.Pending()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func readPending(t testing.TB, o *Outbox, name string) []byte {
	t.Helper()
	r, err := o.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAGrowingFileIsPendingUpToItsLastSync(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	o := openOutbox(t, dir, w)
	one := storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	if list := pendingOf(t, o); len(list) != 0 {
		t.Errorf("before the first sync: %v", list)
	}
	storagetest.Sync(t, w)
	safe := w.size
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two"))
	list := pendingOf(t, o)
	if len(list) != 1 || list[0] != (crawler.Shipment{Name: one.File, Size: safe}) {
		t.Errorf("after a sync: %v, want %d bytes", list, safe)
	}
	if b := readPending(t, o, one.File); int64(len(b)) != safe {
		t.Errorf("%d bytes can be read, %d are durable", len(b), safe)
	}
	if err := o.Shipped(one.File); err == nil {
		t.Error("a file that grows was removed")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	list = pendingOf(t, o)
	if len(list) != 1 || !list[0].Final || list[0].Size <= safe {
		t.Errorf("after close: %v", list)
	}
	if err := errors.Join(o.Shipped(one.File), o.Shipped(one.File)); err != nil {
		t.Error(err)
	}
	if list := pendingOf(t, o); len(list) != 0 {
		t.Errorf("after shipping: %v", list)
	}
}

func TestRotatedAndOwnFilesAreFinal(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 2500})
	o := openOutbox(t, dir, w)
	for range 6 {
		storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	}
	storagetest.Put(t, w, spooled(t, storagetest.Exchange("http://a.example/2", string(make([]byte, 5000)))))
	storagetest.Sync(t, w)
	final := 0
	list := pendingOf(t, o)
	for _, s := range list {
		if s.Final {
			final++
		}
	}
	entries, _ := os.ReadDir(filepath.Join(dir, crawldir.ArchiveDir))
	if len(list) != len(entries) || final != len(list)-1 {
		t.Errorf("%d pending of %d files, %d final", len(list), len(entries), final)
	}
}

func TestAfterAFailedSyncNothingNewIsPending(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	o := openOutbox(t, dir, w)
	disk := &sickDisk{room: -1}
	onSickDisk(w, disk)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	storagetest.Sync(t, w)
	want := pendingOf(t, o)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two"))
	disk.sick = true
	if err := w.Close(); err == nil {
		t.Fatal("the disk was not sick")
	}
	if got := pendingOf(t, o); len(got) != 1 || got[0] != want[0] {
		t.Errorf("pending %v, want %v", got, want)
	}
}

func TestFilesOfAnEarlierRunAreRecoveredAndFinal(t *testing.T) {
	dir := t.TempDir()
	old := openWARC(t, dir, WARCOptions{Prefix: "old-name"})
	l := storagetest.Put(t, old, storagetest.Exchange("http://a.example/1", "one"))
	storagetest.Put(t, old, storagetest.Exchange("http://a.example/2", "two"))
	path := filepath.Join(dir, l.File)
	if err := os.Truncate(path, old.size-1); err != nil {
		t.Fatal(err)
	}
	f := openFileArchive(t, dir)
	file := storagetest.Put(t, f, storagetest.Exchange("http://a.example/b", "file"))
	storagetest.Sync(t, f)
	w := openWARC(t, dir, WARCOptions{Prefix: "new-name"})
	o := openOutbox(t, dir, w)
	list := pendingOf(t, o)
	if len(list) != 2 || !list[0].Final || list[0].Size >= old.size-1 || list[1] != (crawler.Shipment{Name: file.File, Size: 4, Final: true}) {
		t.Fatalf("pending %v", list)
	}
	mustVerify(t, dir, l, storagetest.Digest("one"))
}

func TestTheOutboxKnowsItsOwnNamesOnly(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir, nil)
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "files/../secret", "archive/../secret", "/etc/passwd", "files", "files/", ""} {
		if _, err := o.Open(name); !errors.Is(err, ErrName) {
			t.Errorf("open %q: %v", name, err)
		}
		if err := o.Shipped(name); !errors.Is(err, ErrName) {
			t.Errorf("shipped %q: %v", name, err)
		}
	}
}
