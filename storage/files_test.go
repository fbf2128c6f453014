package storage

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

func mustSync(t testing.TB, a interface{ Sync(context.Context) error }) {
	t.Helper()
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files below a directory with their content.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	if got := tree(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files are %v\nwant %v", got, want)
	}
}

func TestAFileIsSeenUnderItsNameAfterSync(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	l := mustPut(t, f, exchangeOf(t, "http://a.example/b/c", "hello"))
	if want := (crawler.Locator{File: "files/a.example/b/c", Length: 5}); l != want {
		t.Errorf("locator %v, want %v", l, want)
	}
	named := exchangeOf(t, "http://a.example/other", "named")
	named.Name = "my/own name.txt"
	n := mustPut(t, f, named)
	wantTree(t, filepath.Join(dir, filesDir), map[string]string{})
	mustSync(t, f)
	wantTree(t, filepath.Join(dir, filesDir), map[string]string{"a.example/b/c": "hello", "my/own name.txt": "named"})
	mustVerify(t, dir, l, digestOf("hello"))
	mustVerify(t, dir, n, digestOf("named"))
	if err := VerifyRecord(dir, l, digestOf("bye")); !errors.Is(err, ErrDigest) {
		t.Errorf("another digest: %v", err)
	}
	wantTree(t, filepath.Join(dir, incomingDir), map[string]string{})
}

func TestASpoolFileIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	x := spooled(t, exchangeOf(t, "http://a.example/big", "large body"))
	before, err := os.Stat(x.Body.File)
	if err != nil {
		t.Fatal(err)
	}
	l := mustPut(t, f, x)
	mustSync(t, f)
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
			x := codedExchange(t, "http://a.example/x", "gzip", body)
			c.edit(x)
			l := mustPut(t, f, x)
			mustSync(t, f)
			wantTree(t, filepath.Join(dir, filesDir), map[string]string{"a.example/x": c.want})
			if l.Length != int64(len(c.want)) {
				t.Errorf("length %d", l.Length)
			}
			wantTree(t, filepath.Join(dir, incomingDir), map[string]string{})
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
		x := spooled(t, codedExchange(t, "http://a.example/x", "gzip", body.String()))
		ctx := &steppedContext{t.Context(), 1 + n*6}
		if _, err := f.Put(ctx, x); !errors.Is(err, context.Canceled) {
			t.Errorf("%d: got %v", n, err)
		}
		mustSync(t, f)
		wantTree(t, dir, map[string]string{})
	}
}

func TestOnlySuccessesBecomeFiles(t *testing.T) {
	f := openFileArchive(t, t.TempDir())
	for status, stored := range map[string]bool{"200 OK": true, "206 Partial": true, "404 Not Found": false, "301 x": false, "503": false} {
		x := exchangeOf(t, "http://a.example/"+status[:3], "x")
		x.Response = []byte("HTTP/1.1 " + status + "\r\n\r\n")
		if l := mustPut(t, f, x); l.IsZero() == stored {
			t.Errorf("%s: %v", status, l)
		}
	}
}

func TestNamesThatStandInEachOthersWayAreSettled(t *testing.T) {
	type put struct{ url, body, want string }
	for _, c := range []struct {
		name string
		puts []put
	}{
		{"a directory where a file is", []put{{"http://h/a", "1", "h/a"}, {"http://h/a/b", "2", "h/a{dir}/b"}, {"http://h/a/c", "3", "h/a{dir}/c"}}},
		{"a file where a directory is", []put{{"http://h/a.x/b", "1", "h/a.x/b"}, {"http://h/a.x", "2", "h/a{file}.x"}}},
		{"a directory deep in a file", []put{{"http://h/a", "1", "h/a"}, {"http://h/a/b", "2", "h/a{dir}/b"}, {"http://h/a/b/c", "3", "h/a{dir}/b{dir}/c"}}},
		{"another URL with the same name", []put{{"http://h/a/", "1", "h/a/index.html"}, {"http://h/a/index.html", "2", "h/a/index{2ccae1f5a83bbd97}.html"}}},
		{"the same URL once more, with the same content", []put{{"http://h/a", "1", "h/a"}, {"http://h/a", "1", "h/a"}}},
	} {
		for _, synced := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, synced between %v", c.name, synced), func(t *testing.T) {
				dir := t.TempDir()
				f := openFileArchive(t, dir)
				var ls []crawler.Locator
				for _, p := range c.puts {
					l := mustPut(t, f, exchangeOf(t, p.url, p.body))
					if !sameButHash(l.File, "files/"+p.want) {
						t.Errorf("%s lies in %s, want %s", p.url, l.File, p.want)
					}
					ls = append(ls, l)
					if synced {
						mustSync(t, f)
					}
				}
				mustSync(t, f)
				for i, l := range ls {
					mustVerify(t, dir, l, digestOf(c.puts[i].body))
				}
				wantTree(t, filepath.Join(dir, incomingDir), map[string]string{})
				if len(f.parents)+len(f.pending)+len(f.moving) != 0 {
					t.Errorf("kept: %v %v %v", f.parents, f.pending, f.moving)
				}
			})
		}
	}
}

// sameButHash compares names whose hash in braces may be any.
func sameButHash(a, b string) bool {
	cut := func(s string) string {
		head, rest, ok := strings.Cut(s, "{")
		hash, tail, _ := strings.Cut(rest, "}")
		if !ok || len(hash) != 16 {
			return s
		}
		return head + "{}" + tail
	}
	return cut(a) == cut(b)
}

func TestARefetchBeforeTheSyncReplacesTheBody(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	mustPut(t, f, exchangeOf(t, "http://h/a", "old"))
	l := mustPut(t, f, exchangeOf(t, "http://h/a", "new one"))
	mustSync(t, f)
	wantTree(t, dir, map[string]string{"files/h/a": "new one"})
	mustVerify(t, dir, l, digestOf("new one"))
}

func TestAPartIsReplacedByTheWhole(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	x := exchangeOf(t, "http://h/a.iso", "ha")
	x.Truncated = "disconnect"
	mustPut(t, f, x)
	mustSync(t, f)
	wantTree(t, dir, map[string]string{"files/h/a.iso{part}": "ha"})
	mustPut(t, f, exchangeOf(t, "http://h/a.iso", "half"))
	mustSync(t, f)
	wantTree(t, dir, map[string]string{"files/h/a.iso": "half"})
}

func TestNoNameLeadsOutOfTheDirectory(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	f := openFileArchive(t, dir)
	for _, name := range []string{"../x", "/etc/x", "a/../../x", "..", "a\x00b", `..\x`, "dir/"} {
		x := exchangeOf(t, "http://h/a", "evil")
		x.Name = name
		if l, err := f.Put(t.Context(), x); !errors.Is(err, crawler.ErrBadName) {
			t.Errorf("%q: %v, %v", name, l, err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, filesDir, "way")); err != nil {
		t.Fatal(err)
	}
	x := exchangeOf(t, "http://h/a", "evil")
	x.Name = "way/out"
	if l, err := f.Put(t.Context(), x); err == nil {
		t.Errorf("through a link: %v", l)
	}
	mustSync(t, f)
	wantTree(t, outside, map[string]string{})
	wantTree(t, filepath.Join(dir, incomingDir), map[string]string{})
}

func TestWhatAnEarlierRunLeftWithoutANameIsRemoved(t *testing.T) {
	dir := t.TempDir()
	f := openFileArchive(t, dir)
	mustPut(t, f, exchangeOf(t, "http://h/a", "never synced"))
	openFileArchive(t, dir)
	wantTree(t, dir, map[string]string{})
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
				l, err := f.Put(t.Context(), exchangeOf(t, fmt.Sprintf("http://h%d/%d/x", i%3, i*10+g), body))
				if err == nil {
					err = f.Sync(t.Context())
				}
				if err == nil {
					err = VerifyRecord(dir, l, digestOf(body))
				}
				if err == nil {
					err = box.Shipped(l.File) // removes directories under the feet of the others
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
	wantTree(t, dir, map[string]string{})
	if rest, _ := os.ReadDir(filepath.Join(dir, filesDir)); len(rest) != 0 || shipped != 180 {
		t.Errorf("directories are left: %v", rest)
	}
}

func TestMarksKeepNamesShortEnough(t *testing.T) {
	for _, s := range []string{strings.Repeat("x", 255), strings.Repeat("ä", 127) + "x", strings.Repeat("x", 250) + ".html", "x", ".profile"} {
		for _, mark := range []string{dirMark, fileMark, partMark, "{0123456789abcdef}"} {
			got := markSegment(s, mark)
			if len(got) > 255 || !strings.Contains(got, mark) || strings.ContainsRune(got, '�') {
				t.Errorf("%q with %s is %q", s, mark, got)
			}
		}
	}
	if got := markSegment("a.html", fileMark); got != "a{file}.html" {
		t.Error(got)
	}
}
