package archive

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/internal/durable/disktest"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

func TestTheLocatorOfABodySaysItsLength(t *testing.T) {
	body := strings.Repeat("some text ", 300)
	for what, x := range map[string]*crawler.Exchange{
		"in memory":             storagetest.Exchange("http://a.example/", body),
		"in a spool file":       spooled(t, storagetest.Exchange("http://a.example/", body)),
		"coded":                 storagetest.Coded(t, "http://a.example/", "gzip", body),
		"coded in a spool file": spooled(t, storagetest.Coded(t, "http://a.example/", "gzip", body)),
	} {
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		l := storagetest.Put(t, f, x)
		storagetest.Sync(t, f)
		if l.Length != int64(len(body)) || l.Offset != 0 || l.File != bodyAt("http://a.example/", body) {
			t.Errorf("%s: %+v", what, l)
		}
		mustVerify(t, dir, l, storagetest.Digest(body))
	}
}

func TestACodedBodyThatWasCutIsKeptAsFarAsItCanBeDecoded(t *testing.T) {
	var long strings.Builder
	for i := range 20_000 {
		long.WriteString(storagetest.Digest(string(rune(i))).String())
	}
	for what, spool := range map[string]bool{"in memory": false, "in a spool file": true} {
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		x := storagetest.Coded(t, "http://a.example/", "gzip", long.String())
		x.Body.Bytes, x.Truncated, x.Digest = x.Body.Bytes[:len(x.Body.Bytes)/2], "disconnect", crawler.Digest{}
		if spool {
			spooled(t, x)
		}
		l := storagetest.Put(t, f, x)
		storagetest.Sync(t, f)
		got := disktest.Tree(t, dir)[l.File]
		if len(got) < 1000 || !strings.HasPrefix(long.String(), got) || l.Length != int64(len(got)) || l.File != bodyAt("http://a.example/", got) {
			t.Errorf("%s: %d bytes of %d, %+v", what, len(got), long.Len(), l)
		}
	}
}

func TestACodedBodyOfWhichNothingCanBeDecodedIsStoredAsItCame(t *testing.T) {
	for _, spool := range []bool{false, true} {
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		x := storagetest.Coded(t, "http://a.example/", "gzip", "some text")
		x.Body.Bytes, x.Digest = append(slices.Clone(x.Body.Bytes[:10]), 0xff, 0xff, 0xff, 0xff), crawler.Digest{} // the head of a gzip file, and no block
		stored := string(x.Body.Bytes)
		if spool {
			spooled(t, x)
		}
		l := storagetest.Put(t, f, x)
		storagetest.Sync(t, f)
		if got := disktest.Tree(t, dir); len(got) != 1 || got[l.File] != stored || l.Length != int64(len(stored)) {
			t.Errorf("in a spool file: %v: %q, %+v", spool, got, l)
		}
	}
}

func TestABodyThatCannotBeReadIsAnErrorAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	for what, x := range map[string]*crawler.Exchange{
		"no spool file":               storagetest.Exchange("http://a.example/", "x"),
		"no spool file of a coded":    storagetest.Coded(t, "http://a.example/", "gzip", "x"),
		"a directory of a coded body": storagetest.Coded(t, "http://a.example/", "gzip", "x"),
	} {
		x.Body = crawler.Body{File: filepath.Join(t.TempDir(), "none"), Size: 1}
		if strings.HasPrefix(what, "a directory") {
			x.Body.File = t.TempDir()
		}
		if l, err := f.Put(t.Context(), x); err == nil || !l.IsZero() || !strings.Contains(err.Error(), "store http://a.example/ as a file") {
			t.Errorf("%s: %v, %v", what, l, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Put(ctx, storagetest.Exchange("http://a.example/", "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	storagetest.Sync(t, f)
	disktest.WantTree(t, dir, map[string]string{})
}

func TestAnArchiveOfFilesThatIsClosedOrBrokenTakesNoMore(t *testing.T) {
	put := func(f *Files) error {
		_, err := f.Put(t.Context(), storagetest.Exchange("http://a.example/2", "two"))
		return err
	}
	t.Run("closed", func(t *testing.T) {
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		l := storagetest.Put(t, f, storagetest.Exchange("http://a.example/1", "one"))
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		disktest.WantTree(t, dir, map[string]string{l.File: "one"})
		if err := put(f); !errors.Is(err, os.ErrClosed) {
			t.Errorf("put: %v", err)
		}
	})
	t.Run("after a sync that failed", func(t *testing.T) {
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		storagetest.Sync(t, f) // nothing to do
		storagetest.Put(t, f, storagetest.Exchange("http://a.example/1", "one"))
		f.fsync = func(*os.File) error { return syscall.EIO }
		if err := f.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("sync: %v", err)
		}
		f.fsync = durable.System // the disk tells it once; what it lost is lost all the same
		if err := f.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("the next sync: %v", err)
		}
		if err := put(f); !errors.Is(err, syscall.EIO) {
			t.Errorf("put: %v", err)
		}
		if left := disktest.Tree(t, filepath.Join(dir, crawldir.IncomingDir)); len(left) != 1 { // that of the first one
			t.Errorf("left: %v", left)
		}
		if err := f.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("close: %v", err)
		}
	})
	t.Run("whoever gives up does not wait for a sync", func(t *testing.T) {
		f := openFileArchive(t, t.TempDir())
		f.syncing <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Sync(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		<-f.syncing
	})
}

func TestStatusesThatBecomeFiles(t *testing.T) {
	for head, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\n\r\n": true, "HTTP/1.1 299\r\n\r\n": true, "HTTP/2 204": true, "HTTP/1.1 199 x\r\n": false, "HTTP/1.1 300 x\r\n": false, "HTTP/1.1 404 2": false,
		"": true, "HTTP/1.1": true, "HTTP/1.1 40 x": true, "HTTP/1.1 4040 x": true, "\r\nHTTP/1.1 404 x": true, // there is none to be read
	} {
		if isSuccess([]byte(head)) != want {
			t.Errorf("%q: %v", head, !want)
		}
	}
}

func TestNamesOfStoredFiles(t *testing.T) {
	segment := strings.Repeat("s", crawler.MaxSegmentBytes)
	path := strings.Repeat(segment[:crawler.MaxSegmentBytes-1]+"/", maxStoredName/crawler.MaxSegmentBytes+1)
	long := func(n int) string { // of n bytes, and ends with no slash
		s := crawldir.FilesDir + "/" + path
		return s[:n-1] + "x"
	}
	for name, want := range map[string]struct{ stored, shipped bool }{
		"files/a":          {true, false},
		"files/a/b.html":   {true, false},
		"files/" + segment: {true, false}, "files/a/" + segment + "/b": {true, false}, "files/" + segment + "x": {false, false}, "files/a/" + segment + "x/b": {false, false},
		long(maxStoredName): {true, false}, long(maxStoredName + 1): {false, false},
		"files": {}, "files/": {}, "files//a": {}, "files/../a": {}, "files/./a": {}, "/files/a": {}, "files/a/": {}, "": {}, "a": {}, "incoming/a": {},
		"files/a\x1f": {}, "files/a\x00": {}, "files/a\x7f": {}, `files/a\b`: {}, "files/a ~": {true, false}, "files/é": {true, false}, "files/\u0080": {true, false},
		"archive/a.warc": {true, true}, "archive/a.warc.gz": {true, true}, "archive/a b~.warc": {true, true},
		"archive/a.warc.zst": {}, "archive/.a.warc": {}, "archive/a/b.warc": {}, "archive/": {}, "archive": {}, "archive/../a.warc": {}, "archivea/a.warc": {}, "Archive/a.warc": {},
		"archive/a\x1f.warc": {}, "archive/a\x7f.warc": {}, `archive/a\b.warc`: {}, "archive/.warc": {}, "other/a.warc": {},
		"archive/" + segment[5:] + ".warc": {true, true}, "archive/" + segment[4:] + ".warc": {},
		fileName1: {true, true}, fileName1 + "/": {},
	} {
		if err := CheckName(name); (err == nil) != want.stored || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("stored %.60q (%d bytes): %v", name, len(name), err)
		}
		if err := checkShipment(name); (err == nil) != want.shipped || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("shipped %.60q (%d bytes): %v", name, len(name), err)
		}
	}
}

func TestAPlainFileIsAsLongAsItsRowSays(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	l := storagetest.Put(t, f, storagetest.Exchange("http://a.example/", "body"))
	storagetest.Sync(t, f)
	for more, ok := range map[int64]bool{-1: false, 0: true, 1: false} {
		other := l
		other.Length += more
		if err := VerifyRecord(dir, other, crawler.Digest{}); (err == nil) != ok {
			t.Errorf("%d bytes more: %v", more, err)
		}
	}
	r, err := OpenRecord(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	if r.Head != nil || r.Header.Get("WARC-Truncated") != "" {
		t.Errorf("a plain file has the head %q", r.Head)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := OpenRecord(filepath.Join(dir, "none"), l); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}
