package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/durable/disktest"
	"trawl/storage/storagetest"
)

func openFileArchive(t testing.TB, dir string) *Files {
	t.Helper()
	f, err := NewFiles(dir, FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// bodyAt is where the body of a URL lies until it gets its name.
func bodyAt(url, body string) string {
	return crawler.BodyName(weburl.MustParse(url), storagetest.Digest(body))
}

func TestABodyIsSeenAfterSyncUnderItsURLAndContent(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	l := storagetest.Put(t, f, storagetest.Exchange("http://a.example/b/c", "hello"))
	if want := (crawler.Locator{File: bodyAt("http://a.example/b/c", "hello"), Length: 5}); l != want {
		t.Errorf("locator %v, want %v", l, want)
	}
	unsaid := storagetest.Exchange("http://a.example/other", "another")
	unsaid.Digest = crawler.Digest{}
	n := storagetest.Put(t, f, unsaid)
	disktest.WantTree(t, filepath.Join(dir, bodiesDir), map[string]string{})
	storagetest.Sync(t, f)
	disktest.WantTree(t, dir, map[string]string{bodyAt("http://a.example/b/c", "hello"): "hello", bodyAt("http://a.example/other", "another"): "another"})
	mustVerify(t, dir, l, storagetest.Digest("hello"))
	mustVerify(t, dir, n, storagetest.Digest("another"))
	if err := VerifyRecord(dir, l, storagetest.Digest("bye")); !errors.Is(err, ErrDigest) {
		t.Errorf("another digest: %v", err)
	}
}

func TestASpoolFileIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	x := spooled(t, storagetest.Exchange("http://a.example/big", "large body"))
	before, err := os.Stat(x.Body.File)
	if err != nil {
		t.Fatal(err)
	}
	l := storagetest.Put(t, f, x)
	storagetest.Sync(t, f)
	after, err := os.Stat(filepath.Join(dir, l.File))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was copied: %v", err)
	}
	if _, err := os.Stat(x.Body.File); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the spool file is still there: %v", err)
	}
}

func TestFilesAreDecoded(t *testing.T) {
	body := strings.Repeat("some text ", 300)
	for _, c := range []struct {
		name string
		edit func(*crawler.Exchange)
		want string
	}{
		{"a coded body", func(x *crawler.Exchange) {}, body},
		{"a coded body in a spool file", func(x *crawler.Exchange) { spooled(t, x) }, body},
		{"a body that was decoded before", func(x *crawler.Exchange) { x.Body.Bytes = []byte(body) }, body},
		{"a body that never was what its head says", func(x *crawler.Exchange) {
			x.Body.Bytes, x.Digest = []byte("no gzip"), crawler.Digest{}
		}, "no gzip"},
		{"an unknown coding", func(x *crawler.Exchange) {
			x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: secret\r\n\r\n")
			x.Body.Bytes = []byte("as it came")
		}, "as it came"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			f := openFileArchive(t, dir)
			x := storagetest.Coded(t, "http://a.example/x", "gzip", body)
			c.edit(x)
			l := storagetest.Put(t, f, x)
			storagetest.Sync(t, f)
			disktest.WantTree(t, dir, map[string]string{l.File: c.want})
			if l.Length != int64(len(c.want)) {
				t.Errorf("length %d", l.Length)
			}
		})
	}
}

// steppedContext ends when it was asked n times.
type steppedContext struct {
	context.Context
	n int
}

func (c *steppedContext) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

func TestAContextThatEndsWhileDecodingLeavesNoHalfFile(t *testing.T) {
	for n := range 6 { // asked by Put, twice or more while hashing, then while decoding
		dir := t.TempDir()
		f := openFileArchive(t, dir)
		var body strings.Builder
		for i := range 100_000 {
			fmt.Fprint(&body, i*i)
		}
		x := spooled(t, storagetest.Coded(t, "http://a.example/x", "gzip", body.String()))
		ctx := &steppedContext{t.Context(), 1 + n*6}
		if _, err := f.Put(ctx, x); !errors.Is(err, context.Canceled) {
			t.Errorf("%d: got %v", n, err)
		}
		storagetest.Sync(t, f)
		disktest.WantTree(t, dir, map[string]string{})
	}
}

func TestOnlySuccessesBecomeFiles(t *testing.T) {
	f := openFileArchive(t, t.TempDir())
	for status, stored := range map[string]bool{"200 OK": true, "206 Partial": true, "404 Not Found": false, "301 x": false, "503": false} {
		x := storagetest.Exchange("http://a.example/"+status[:3], "x")
		x.Response = []byte("HTTP/1.1 " + status + "\r\n\r\n")
		if l := storagetest.Put(t, f, x); l.IsZero() == stored {
			t.Errorf("%s: %v", status, l)
		}
	}
}

func TestAURLThatIsFetchedAgainBeforeTheSyncKeepsBothBodies(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	for _, body := range []string{"old", "new one", "old"} { // the row that is settled says which counts
		storagetest.Put(t, f, storagetest.Exchange("http://h/a", body))
	}
	storagetest.Sync(t, f)
	disktest.WantTree(t, dir, map[string]string{bodyAt("http://h/a", "old"): "old", bodyAt("http://h/a", "new one"): "new one"})
}

func TestWhatAnEarlierRunLeftWithoutANameIsRemoved(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	storagetest.Put(t, f, storagetest.Exchange("http://h/a", "never synced"))
	openFileArchive(t, dir)
	disktest.WantTree(t, dir, map[string]string{})
}

func TestManyFilesAtOnce(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	box, err := NewOutbox(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	shipped := 0
	for g := range 6 {
		wg.Go(func() {
			for i := range 30 {
				body := fmt.Sprintf("%d of %d", i, g)
				l, err := f.Put(t.Context(), storagetest.Exchange(fmt.Sprintf("http://h%d/%d/x", i%3, i*10+g), body))
				if err == nil {
					err = f.Sync(t.Context())
				}
				if err == nil {
					err = VerifyRecord(dir, l, storagetest.Digest(body))
				}
				if err == nil {
					err = box.Shipped(l.File)
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				shipped++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	disktest.WantTree(t, dir, map[string]string{})
	if shipped != 180 {
		t.Errorf("%d were shipped", shipped)
	}
}
