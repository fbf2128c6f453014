package archive

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/internal/durable/disktest"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

func TestAnAppendTakesWhatWasAnnounced(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		d := openDepot(t, t.TempDir())
		for _, c := range []struct {
			what   string
			offset int64
			text   string
			n      int64
			want   error // nil: it is taken
			size   int64 // afterwards
		}{
			{"a file that is not there has no end but the beginning", 1, "x", 1, ErrOffset, 0},
			{"fewer than no bytes", 0, "x", -1, ErrOffset, 0},
			{"nothing", 0, "x", 0, nil, 0},
			{"some", 0, "abc", 3, nil, 3},
			{"not what is behind them", 3, "defg", 2, nil, 5},
			{"at another place", 3, "x", 1, ErrOffset, 5},
			{"fewer than no bytes at the end", 5, "x", -1, ErrOffset, 5},
			{"nothing more", 5, "", 0, nil, 5},
		} {
			err := d.Append(t.Context(), name, c.offset, strings.NewReader(c.text), c.n)
			size, sizeErr := d.Size(t.Context(), name)
			if !errors.Is(err, c.want) || c.want == nil && err != nil || size != c.size || sizeErr != nil {
				t.Errorf("%s: %s: %v, %d bytes, %v", name, c.what, err, size, sizeErr)
			}
		}
		if err := d.Finish(t.Context(), name, 5, storagetest.Digest("abcde")); err != nil {
			t.Error(err)
		}
		for _, offset := range []int64{0, 5} {
			if err := d.Append(t.Context(), name, offset, strings.NewReader("x"), 1); !errors.Is(err, ErrTaken) {
				t.Errorf("%s: append to a finished one at %d: %v", name, offset, err)
			}
		}
	}
}

func TestWhatCannotBeSyncedHasNotArrived(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		d := openDepot(t, t.TempDir())
		if err := d.Append(t.Context(), name, 0, strings.NewReader("abc"), 3); err != nil {
			t.Fatal(err)
		}
		d.fsync = func(*os.File) error { return syscall.EIO }
		if err := d.Append(t.Context(), name, 3, strings.NewReader("def"), 3); !errors.Is(err, syscall.EIO) {
			t.Errorf("append: %v", err)
		}
		if size, err := d.Size(t.Context(), name); size != 3 || err != nil {
			t.Errorf("%d bytes, %v", size, err)
		}
		if err := d.Finish(t.Context(), name, 3, storagetest.Digest("abc")); !errors.Is(err, syscall.EIO) {
			t.Errorf("finish: %v", err)
		}
		d.fsync = durable.System
		if err := d.Finish(t.Context(), name, 3, storagetest.Digest("abc")); err != nil {
			t.Errorf("finish again: %v", err)
		}
	}
}

func TestAFileIsFinishedOnlyAsItWasAnnounced(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		for _, c := range []struct {
			what, arrived, announced string
			want                     error
		}{
			{"nothing arrived", "", "abc", fs.ErrNotExist},
			{"less arrived", "ab", "abc", ErrOffset},
			{"more arrived", "abcd", "abc", ErrShipment},
			{"other bytes arrived", "abd", "abc", ErrShipment},
			{"it arrived", "abc", "abc", nil},
		} {
			dir := t.TempDir()
			d := openDepot(t, dir)
			if err := upload(t.Context(), d, name, c.arrived, 2); err != nil {
				t.Fatal(err)
			}
			err := d.Finish(t.Context(), name, int64(len(c.announced)), storagetest.Digest(c.announced))
			if c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("%s: %s: %v, want %v", name, c.what, err, c.want)
			}
			info, err := os.Stat(filepath.Join(dir, name))
			if done := err == nil && (IsFinal(info) || !InWARC(name)); done != (c.want == nil) {
				t.Errorf("%s: %s: finished %v", name, c.what, done)
			}
			size, _ := d.Size(t.Context(), name)
			if set := errors.Is(c.want, ErrShipment); set && size != 0 || !set && size != int64(len(c.arrived)) {
				t.Errorf("%s: %s: %d bytes are left of it", name, c.what, size)
			}
			rejected := disktest.Tree(t, dir)[nameInIncoming(name)+".rejected"]
			if want := c.arrived; errors.Is(c.want, ErrShipment) && rejected != want {
				t.Errorf("%s: %s: set aside is %q", name, c.what, rejected)
			}
		}
	}
}

func TestWhoeverGivesUpFinishesNothing(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		d := openDepot(t, t.TempDir())
		if err := upload(t.Context(), d, name, "abc", 3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Finish(ctx, name, 3, storagetest.Digest("abc")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Append(t.Context(), name, 3, strings.NewReader("d"), 1); err != nil {
			t.Errorf("%s is finished: %v", name, err)
		}
	}
}

func TestAFinishedFileIsComparedAgain(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		dir := t.TempDir()
		d := openDepot(t, dir)
		if err := deliver(t.Context(), d, name, "abc"); err != nil {
			t.Fatal(err)
		}
		if !InWARC(name) { // of a sender that did not hear of it
			if err := os.WriteFile(filepath.Join(dir, growingName(name)), []byte("ab"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for announced, want := range map[string]error{"abd": ErrTaken, "ab": ErrTaken, "abcd": ErrTaken, "abc": nil} {
			if err := d.Finish(t.Context(), name, int64(len(announced)), storagetest.Digest(announced)); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s: %q: %v, want %v", name, announced, err, want)
			}
		}
		disktest.WantTree(t, dir, map[string]string{name: "abc"})
	}
}

func TestAFinishedWARCFileKeepsWhoMayRunIt(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	if err := upload(t.Context(), d, warcName1, "abc", 3); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, warcName1)
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Finish(t.Context(), warcName1, 3, storagetest.Digest("abc")); err != nil || disktest.Permissions(t, path) != 0o555 {
		t.Errorf("%o, %v", disktest.Permissions(t, path), err)
	}
}

func TestWhatIsPendingInAnOutbox(t *testing.T) {
	dir := t.TempDir()
	whole := func() string { // a file of another run
		from := t.TempDir()
		l := storagetest.Put(t, openWARC(t, from, WARCOptions{Compress: crawler.CompressNone}), storagetest.Exchange("http://a.example/", "one"))
		return disktest.Tree(t, from)[l.File]
	}()
	w := openWARC(t, dir, WARCOptions{})
	o := openOutbox(t, dir, w)
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "one")) // not synced, so there is nothing to be shipped of it; it is the first
	leftFile(t, dir, "f1-20260101000000-00001-0000000000.warc", whole, 0o444)
	leftFile(t, dir, "f1-20260101000000-00002-0000000000.warc", whole, 0o444) // came into being since
	leftFile(t, dir, "f2-20260101000000-00009-0000000000.warc", whole, 0o444) // another's
	leftFile(t, dir, "mine.warc", whole, 0o444)
	leftFile(t, dir, "notes.txt", "no", 0o444)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, crawldir.ArchiveDir, "d.warc"), 0o700), os.WriteFile(filepath.Join(dir, bodiesDir, "notes"), nil, 0o600),
		os.MkdirAll(filepath.Join(dir, bodyAt("http://h/dir", "x")), 0o700), os.WriteFile(filepath.Join(dir, fileName1), []byte("body"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range pendingOf(t, o) {
		if got = append(got, s.Name); !s.Final || s.Size != int64(len(readPending(t, o, s.Name))) {
			t.Errorf("%+v", s)
		}
	}
	want := "archive/f1-20260101000000-00001-0000000000.warc archive/f2-20260101000000-00009-0000000000.warc archive/mine.warc " + fileName1
	if strings.Join(got, " ") != want {
		t.Errorf("pending are %q, want %q", got, want)
	}
	if _, err := o.Open("archive/none.warc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what is not there: %v", err)
	}
	if err := errors.Join(o.Shipped("archive/none.warc"), o.Shipped(fileName1), o.Shipped(fileName1)); err != nil {
		t.Error(err)
	}
}

func TestAnOutboxListsSoManyFilesAtATime(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir, nil)
	for _, url := range []string{"http://h/1", "http://h/2"} {
		if err := os.WriteFile(filepath.Join(dir, bodyAt(url, "x")), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for before, want := range map[int]int{0: 2, maxPending - 2: maxPending, maxPending - 1: maxPending, maxPending: maxPending} {
		list, err := o.pendingFiles(make([]crawler.Shipment, before))
		if err != nil || len(list) != want {
			t.Errorf("after %d files: %d, %v; want %d", before, len(list), err, want)
		}
	}
}
