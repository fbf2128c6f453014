package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

// spooled moves the body into a spool file.
func spooled(t testing.TB, x *crawler.Exchange) *crawler.Exchange {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(path, x.Body.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	x.Body = crawler.Body{File: path, Size: int64(len(x.Body.Bytes))}
	return x
}

func openWARC(t testing.TB, dir string, o WARCOptions) *WARC {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "f1"
	}
	w, err := NewWARC(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func mustVerify(t testing.TB, dir string, l crawler.Locator, want crawler.Digest) {
	t.Helper()
	if err := VerifyRecord(dir, l, want); err != nil {
		t.Error(err)
	}
}

func TestWARCKeepsAnExchange(t *testing.T) {
	for _, c := range []struct {
		name     string
		compress crawler.Compression
		spool    bool
		ending   string
	}{
		{"from memory, gzip", crawler.CompressGzip, false, ".warc.gz"},
		{"from memory, plain", crawler.CompressNone, false, ".warc"},
		{"from a spool file, gzip", crawler.CompressGzip, true, ".warc.gz"},
		{"from a spool file, plain", crawler.CompressNone, true, ".warc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			w := openWARC(t, dir, WARCOptions{Compress: c.compress, Info: []warc.Field{{Name: "operator", Value: "us"}}})
			body := strings.Repeat("<p>hello</p>", 9000)
			x := storagetest.Exchange("http://a.example/x?y", body)
			if c.spool {
				spooled(t, x)
			}
			l := storagetest.Put(t, w, x)
			if err := w.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(l.File, "archive/f1-20") || !strings.Contains(l.File, "-00001-") || !strings.HasSuffix(l.File, c.ending) {
				t.Errorf("file %q", l.File)
			}
			mustVerify(t, dir, l, storagetest.Digest(body))
			if err := VerifyRecord(dir, l, storagetest.Digest("another")); !errors.Is(err, ErrDigest) {
				t.Errorf("against another digest: %v", err)
			}
			checkFile(t, filepath.Join(dir, l.File), body)
			if c.spool {
				if _, err := os.Stat(x.Body.File); err != nil {
					t.Errorf("the spool file is the caller's: %v", err)
				}
			}
		})
	}
}

// checkFile reads the records of a file with one exchange as another tool would.
func checkFile(t *testing.T, path, body string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := warc.NewReader(f)
	blocks, ids, concurrent := map[string]string{}, map[string]string{}, map[string]string{}
	for {
		e, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(e.Block)
		if err != nil {
			t.Fatal(err)
		}
		typ := e.Get("WARC-Type")
		blocks[typ], ids[typ], concurrent[typ] = string(b), e.Get("WARC-Record-ID"), e.Get("WARC-Concurrent-To")
		if typ == "warcinfo" {
			if e.Get("WARC-Filename") != filepath.Base(path) {
				t.Errorf("warcinfo is of %q", e.Get("WARC-Filename"))
			}
			continue
		}
		want := storagetest.Digest(string(b)).String()
		if e.Gzip && typ == "response" {
			want = "" // the payload's digest and the checksum of the member are enough
		}
		if e.Get("WARC-Block-Digest") != want {
			t.Errorf("%s: block digest %s, want %s", typ, e.Get("WARC-Block-Digest"), want)
		}
		if typ == "response" && e.Get("WARC-Payload-Digest") != storagetest.Digest(body).String() {
			t.Errorf("payload digest %s", e.Get("WARC-Payload-Digest"))
		}
	}
	if ids["request"] == "" || concurrent["request"] != ids["response"] || concurrent["response"] != ids["request"] {
		t.Errorf("records do not name each other: %v, %v", ids, concurrent)
	}
	want := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Crawl-Transfer-Encoding: chunked\r\nContent-Length: " +
		fmt.Sprint(len(body)) + "\r\n\r\n" + body
	if blocks["response"] != want {
		t.Errorf("response block %.200q", blocks["response"])
	}
	if !strings.Contains(blocks["warcinfo"], "operator: us\r\n") || !strings.Contains(blocks["warcinfo"], "software: trawl\r\n") {
		t.Errorf("warcinfo %q", blocks["warcinfo"])
	}
}

func TestOptionsAreRefusedAllAtOnce(t *testing.T) {
	_, err := NewWARC(t.TempDir(), WARCOptions{Prefix: "../x", MaxSize: -1, Compress: "lzma"})
	for _, want := range []string{"../x", "negative", "lzma"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

func TestAFullFileIsFinalAndTheNextIsBegun(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 3000, Compress: crawler.CompressNone})
	files := map[string]bool{}
	for i := range 20 {
		body := fmt.Sprintf("body %d", i)
		l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", body))
		files[l.File] = true
		defer mustVerify(t, dir, l, storagetest.Digest(body))
	}
	if len(files) < 5 {
		t.Errorf("%d files", len(files))
	}
	final := 0
	for f := range files {
		info, err := os.Stat(filepath.Join(dir, f))
		if err != nil || info.Size() > 3000 {
			t.Errorf("%s: %v, %v", f, info, err)
		}
		if IsFinal(info) {
			final++
		}
	}
	if final != len(files)-1 {
		t.Errorf("%d of %d files are final; all but the last should be", final, len(files))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), storagetest.Exchange("http://a.example/", "x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("put after close: %v", err)
	}
}

func TestALargeBodyGetsAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 20_000, Info: []warc.Field{{Name: "operator", Value: "us"}}})
	small := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "small"))
	body := strings.Repeat("large", 5000)
	large := storagetest.Put(t, w, spooled(t, storagetest.Exchange("http://a.example/large", body)))
	again := storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "small again"))
	if small.File != again.File || large.File == small.File {
		t.Errorf("files %s, %s, %s", small.File, large.File, again.File)
	}
	mustVerify(t, dir, large, storagetest.Digest(body))
	mustVerify(t, dir, again, storagetest.Digest("small again"))
	checkFile(t, filepath.Join(dir, filepath.FromSlash(large.File)), body)
	if rest, _ := os.ReadDir(w.scratch()); len(rest) != 0 {
		t.Errorf("%d temporary files are left", len(rest))
	}
}

func TestATornFileOfAnEarlierRunIsCutAndNotAppendedTo(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	first := storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
	last := storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two"))
	path := filepath.Join(dir, first.File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Another file of that name with a torn end, as kill -9 leaves it, and one of another fetcher that grows here.
	dir2 := t.TempDir()
	torn := filepath.Join(dir2, first.File)
	other := filepath.Join(dir2, crawldir.ArchiveDir, "f2-20260101000000-00009.warc.gz")
	if err := os.MkdirAll(filepath.Dir(torn), 0o777); err != nil {
		t.Fatal(err)
	}
	cut := whole[:last.Offset+last.Length-1]
	if err := errors.Join(os.WriteFile(torn, cut, 0o666), os.WriteFile(other, cut, 0o666)); err != nil {
		t.Fatal(err)
	}
	w2 := openWARC(t, dir2, WARCOptions{})
	if info, err := os.Stat(torn); err != nil || info.Size() != last.Offset || !IsFinal(info) {
		t.Errorf("%v, %v; want %d bytes", info, err, last.Offset)
	}
	if info, err := os.Stat(other); err != nil || info.Size() != int64(len(cut)) {
		t.Errorf("the other fetcher's file was touched: %v, %v", info, err)
	}
	mustVerify(t, dir2, first, storagetest.Digest("one"))
	l := storagetest.Put(t, w2, storagetest.Exchange("http://a.example/2", "two"))
	if l.File == first.File || !strings.Contains(l.File, "-00002-") {
		t.Errorf("file %s after %s", l.File, first.File)
	}
}

func TestManyPutAtOnceAndEachFindsItsOwn(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 30_000})
	type stored struct {
		l    crawler.Locator
		body string
	}
	results := make(chan stored, 400)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				body := fmt.Sprintf("body %d of %d %s", i, g, strings.Repeat("x", i*7))
				x := storagetest.Exchange(fmt.Sprintf("http://h%d.example/%d", g, i), body)
				if i%10 == 9 {
					spooled(t, x)
				}
				l, err := w.Put(t.Context(), x)
				if err == nil && i%5 == 0 {
					err = w.Sync(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
				results <- stored{l, body}
			}
		})
	}
	wg.Wait()
	close(results)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for r := range results {
		mustVerify(t, dir, r.l, storagetest.Digest(r.body))
		seen[fmt.Sprint(r.l.File, r.l.Offset)] = true
	}
	if len(seen) != 400 {
		t.Errorf("%d places for 400 exchanges", len(seen))
	}
}

func TestNoneStoresNothing(t *testing.T) {
	l, err := NewNone().Put(t.Context(), storagetest.Exchange("http://a.example/", "x"))
	if err != nil || !l.IsZero() {
		t.Errorf("%v, %v", l, err)
	}
}
