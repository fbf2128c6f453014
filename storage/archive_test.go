package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"trawl/crawler"
	"trawl/storage/warc"
)

func digestOf(s string) crawler.Digest { return crawler.Digest(sha256.Sum256([]byte(s))) }

func archiveURL(t testing.TB, s string) crawler.URL {
	t.Helper()
	u, err := crawler.ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func exchangeOf(t testing.TB, url, body string) *crawler.Exchange {
	u := archiveURL(t, url)
	return &crawler.Exchange{
		URL: u, FetchedAt: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), IP: "192.0.2.7", Protocol: "http/1.1",
		Request:  []byte("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + string(u.Host()) + "\r\n\r\n"),
		Response: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"),
		Body:     crawler.Body{Bytes: []byte(body), Size: int64(len(body))}, Digest: digestOf(body),
	}
}

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

func mustPut(t testing.TB, a interface {
	Put(context.Context, *crawler.Exchange) (crawler.Locator, error)
}, x *crawler.Exchange) crawler.Locator {
	t.Helper()
	l, err := a.Put(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return l
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
			x := exchangeOf(t, "http://a.example/x?y", body)
			if c.spool {
				spooled(t, x)
			}
			l := mustPut(t, w, x)
			if err := w.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(l.File, "archive/f1-20") || !strings.HasSuffix(l.File, "-00001"+c.ending) {
				t.Errorf("file %q", l.File)
			}
			mustVerify(t, dir, l, digestOf(body))
			if err := VerifyRecord(dir, l, digestOf("another")); !errors.Is(err, ErrDigest) {
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
		if got := digestOf(string(b)).String(); e.Get("WARC-Block-Digest") != got {
			t.Errorf("%s: block digest %s, want %s", typ, e.Get("WARC-Block-Digest"), got)
		}
		if typ == "response" && e.Get("WARC-Payload-Digest") != digestOf(body).String() {
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
		l := mustPut(t, w, exchangeOf(t, "http://a.example/", body))
		files[l.File] = true
		defer mustVerify(t, dir, l, digestOf(body))
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
		if isFinal(info) {
			final++
		}
	}
	if final != len(files)-1 {
		t.Errorf("%d of %d files are final; all but the last should be", final, len(files))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), exchangeOf(t, "http://a.example/", "x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("put after close: %v", err)
	}
}

func TestALargeBodyGetsAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 20_000, Info: []warc.Field{{Name: "operator", Value: "us"}}})
	small := mustPut(t, w, exchangeOf(t, "http://a.example/", "small"))
	body := strings.Repeat("large", 5000)
	large := mustPut(t, w, spooled(t, exchangeOf(t, "http://a.example/large", body)))
	again := mustPut(t, w, exchangeOf(t, "http://a.example/2", "small again"))
	if small.File != again.File || large.File == small.File {
		t.Errorf("files %s, %s, %s", small.File, large.File, again.File)
	}
	mustVerify(t, dir, large, digestOf(body))
	mustVerify(t, dir, again, digestOf("small again"))
	checkFile(t, filepath.Join(dir, filepath.FromSlash(large.File)), body)
	if rest, _ := os.ReadDir(w.scratch()); len(rest) != 0 {
		t.Errorf("%d temporary files are left", len(rest))
	}
}

func TestATornFileOfAnEarlierRunIsCutAndNotAppendedTo(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	first := mustPut(t, w, exchangeOf(t, "http://a.example/1", "one"))
	last := mustPut(t, w, exchangeOf(t, "http://a.example/2", "two"))
	path := filepath.Join(dir, first.File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Another file of that name with a torn end, as kill -9 leaves it, and one of another fetcher that grows here.
	dir2 := t.TempDir()
	torn := filepath.Join(dir2, first.File)
	other := filepath.Join(dir2, archiveDir, "f2-20260101000000-00009.warc.gz")
	if err := os.MkdirAll(filepath.Dir(torn), 0o777); err != nil {
		t.Fatal(err)
	}
	cut := whole[:last.Offset+last.Length-1]
	if err := errors.Join(os.WriteFile(torn, cut, 0o666), os.WriteFile(other, cut, 0o666)); err != nil {
		t.Fatal(err)
	}
	w2 := openWARC(t, dir2, WARCOptions{})
	if info, err := os.Stat(torn); err != nil || info.Size() != last.Offset || !isFinal(info) {
		t.Errorf("%v, %v; want %d bytes", info, err, last.Offset)
	}
	if info, err := os.Stat(other); err != nil || info.Size() != int64(len(cut)) {
		t.Errorf("the other fetcher's file was touched: %v, %v", info, err)
	}
	mustVerify(t, dir2, first, digestOf("one"))
	l := mustPut(t, w2, exchangeOf(t, "http://a.example/2", "two"))
	if l.File == first.File || !strings.Contains(l.File, "-00002.") {
		t.Errorf("file %s after %s", l.File, first.File)
	}
}

// sickDisk is a file whose writes or syncs fail while told to.
type sickDisk struct {
	*os.File
	mu    sync.Mutex
	room  int64 // bytes that can still be written; -1 = no limit
	sick  bool  // Sync fails
	noCut bool  // Truncate fails
}

func (s *sickDisk) WriteAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room >= 0 && int64(len(p)) > s.room {
		n, _ := s.File.WriteAt(p[:s.room], off)
		return n, syscall.ENOSPC
	}
	return s.File.WriteAt(p, off)
}

func (s *sickDisk) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sick {
		return syscall.EIO
	}
	return s.File.Sync()
}

func (s *sickDisk) Truncate(n int64) error {
	if s.noCut {
		return syscall.EIO
	}
	return s.File.Truncate(n)
}

func onSickDisk(w *WARC, disk *sickDisk) {
	w.create = func(path string) (archiveFile, error) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		disk.File = f
		return disk, err
	}
}

func TestAFullDiskCostsTheExchangeAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	disk := &sickDisk{room: -1}
	onSickDisk(w, disk)
	one := mustPut(t, w, exchangeOf(t, "http://a.example/1", "one"))
	disk.room = 100
	if _, err := w.Put(t.Context(), exchangeOf(t, "http://a.example/2", "two")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if info, err := disk.Stat(); err != nil || info.Size() != w.size {
		t.Errorf("file has %d bytes, whole records end at %d, %v", info.Size(), w.size, err)
	}
	disk.room = -1
	three := mustPut(t, w, exchangeOf(t, "http://a.example/3", "three"))
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, dir, one, digestOf("one"))
	mustVerify(t, dir, three, digestOf("three"))
	if cut, err := warc.Recover(filepath.Join(dir, one.File)); cut != 0 || err != nil {
		t.Errorf("the file is not whole: %d, %v", cut, err)
	}
}

func TestADiskThatIsFullFromTheStartLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	disk := &sickDisk{room: 10}
	onSickDisk(w, disk)
	if _, err := w.Put(t.Context(), exchangeOf(t, "http://a.example/1", "one")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if rest, _ := os.ReadDir(filepath.Join(dir, archiveDir)); len(rest) != 0 {
		t.Errorf("left: %v", rest)
	}
	disk.room = -1
	mustVerify(t, dir, mustPut(t, w, exchangeOf(t, "http://a.example/1", "one")), digestOf("one"))
}

func TestAfterAFailedSyncTheArchiveTakesNoMore(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	disk := &sickDisk{room: -1, sick: true}
	onSickDisk(w, disk)
	mustPut(t, w, exchangeOf(t, "http://a.example/1", "one"))
	if err := w.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	disk.sick = false // the disk tells it once; the pages are lost all the same
	if err := w.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("second sync: %v", err)
	}
	if _, err := w.Put(t.Context(), exchangeOf(t, "http://a.example/2", "two")); !errors.Is(err, syscall.EIO) {
		t.Errorf("put: %v", err)
	}
	if err := w.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
}

func TestAFileThatCannotBeCutBackTakesNoMore(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	disk := &sickDisk{room: -1}
	onSickDisk(w, disk)
	mustPut(t, w, exchangeOf(t, "http://a.example/1", "one"))
	disk.room, disk.noCut = 10, true
	for range 2 {
		if _, err := w.Put(t.Context(), exchangeOf(t, "http://a.example/2", "two")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("put: %v", err)
		}
		disk.room = -1
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
				x := exchangeOf(t, fmt.Sprintf("http://h%d.example/%d", g, i), body)
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
		mustVerify(t, dir, r.l, digestOf(r.body))
		seen[fmt.Sprint(r.l.File, r.l.Offset)] = true
	}
	if len(seen) != 400 {
		t.Errorf("%d places for 400 exchanges", len(seen))
	}
}

// slowDisk counts syncs and makes them take a second.
type slowDisk struct {
	*os.File
	syncs int
}

func (s *slowDisk) Sync() error {
	s.syncs++
	<-time.After(time.Second)
	return s.File.Sync()
}

func TestSyncsAtTheSameTimeAreShared(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWARC(dir, WARCOptions{Prefix: "f"})
		if err != nil {
			t.Fatal(err)
		}
		disk := &slowDisk{}
		w.create = func(path string) (archiveFile, error) {
			f, err := os.Create(path)
			disk.File = f
			return disk, err
		}
		var wg sync.WaitGroup
		for i := range 20 {
			mustPut(t, w, exchangeOf(t, fmt.Sprintf("http://a.example/%d", i), "x"))
			wg.Go(func() {
				if err := w.Sync(context.Background()); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.Sync(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up: %v", err)
		}
		wg.Wait()
		if disk.syncs != 2 {
			t.Errorf("%d syncs for 20 callers, want the first one's and one for the rest", disk.syncs)
		}
		if err := w.Sync(context.Background()); err != nil || disk.syncs != 2 {
			t.Errorf("nothing to do: %v, %d syncs", err, disk.syncs)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// encoded returns the body in a content coding.
func encoded(t testing.TB, coding, body string) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "br":
		w = brotli.NewWriter(&buf)
	case "deflate":
		w = zlib.NewWriter(&buf)
	case "raw deflate":
		w, _ = flate.NewWriter(&buf, 5)
	case "zstd":
		w, _ = zstd.NewWriter(&buf)
	}
	_, err := io.WriteString(w, body)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// codedExchange is an exchange whose body has a content coding, with the digest of the decoded body.
func codedExchange(t testing.TB, url, coding, body string) *crawler.Exchange {
	x := exchangeOf(t, url, body)
	b := encoded(t, coding, body)
	x.Body = crawler.Body{Bytes: b, Size: int64(len(b))}
	x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: " + strings.TrimPrefix(coding, "raw ") + "\r\n\r\n")
	return x
}

func TestContentCodingsStayAndAreUndoneForTheDigest(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	body := strings.Repeat("some text ", 3000)
	for _, coding := range []string{"gzip", "br", "deflate", "raw deflate", "zstd"} {
		x := codedExchange(t, "http://a.example/", coding, body)
		l := mustPut(t, w, x)
		mustVerify(t, dir, l, digestOf(body))
		r, err := OpenRecord(dir, l)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(raw, x.Body.Bytes) {
			t.Errorf("%s: stored body differs, %v", coding, err)
		}
		if got := r.Header.Get("WARC-Payload-Digest"); got != digestOf(string(raw)).String() {
			t.Errorf("%s: payload digest %s is not of the stored body", coding, got)
		}
		r.Close()
	}
	both := exchangeOf(t, "http://a.example/", body)
	both.Body.Bytes = encoded(t, "br", string(encoded(t, "gzip", body)))
	both.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n")
	mustVerify(t, dir, mustPut(t, w, both), digestOf(body))
}

func TestACutBodyIsJudgedByWhatCameOut(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	body := strings.Repeat("some text ", 3000)
	x := exchangeOf(t, "http://a.example/", "")
	x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 99999\r\n\r\n")
	x.Body.Bytes = encoded(t, "br", body)
	x.Truncated, x.Digest = "length", digestOf(body[:1000])
	l := mustPut(t, w, x)
	if err := VerifyCut(dir, l, digestOf(body[:1000]), 1000); err != nil {
		t.Error(err)
	}
	r, err := OpenRecord(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	if r.Truncated() != "length" || headerValue(r.Head, "x-crawl-content-length") != "99999" {
		t.Errorf("truncated %q, head %q", r.Truncated(), r.Head)
	}
	r.Close()
	var part bytes.Buffer
	plain, err := gzip.NewReader(bytes.NewReader(encoded(t, "gzip", body)[:80]))
	if err == nil {
		_, err = io.Copy(&part, plain)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	x = codedExchange(t, "http://a.example/", "gzip", body)
	x.Body.Bytes, x.Truncated = x.Body.Bytes[:80], "disconnect"
	mustVerify(t, dir, mustPut(t, w, x), digestOf(part.String()))
}

func TestABombIsNotDecodedToItsEnd(t *testing.T) {
	d, err := decodeBody(bytes.NewReader(encoded(t, "br", strings.Repeat("0", 64<<20))), []string{"br"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, err := io.Copy(io.Discard, d); !errors.Is(err, errDecodeRatio) || n > decodeFree+1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestALocatorThatIsWrongIsAnError(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	l := mustPut(t, w, exchangeOf(t, "http://a.example/", "one"))
	for name, c := range map[string]struct {
		l    crawler.Locator
		want error
	}{
		"a file that is not there": {crawler.Locator{File: "archive/f9-20260101000000-00001.warc.gz", Length: 5}, fs.ErrNotExist},
		"a way out":                {crawler.Locator{File: "archive/../../etc/passwd", Length: 5}, ErrName},
		"an absolute name":         {crawler.Locator{File: "/etc/passwd", Length: 5}, ErrName},
		"none":                     {crawler.Locator{}, ErrName},
		"too short":                {crawler.Locator{File: l.File, Offset: l.Offset, Length: l.Length - 1}, io.ErrUnexpectedEOF},
		"past the end":             {crawler.Locator{File: l.File, Offset: 1 << 30, Length: 10}, io.ErrUnexpectedEOF},
	} {
		if err := VerifyRecord(dir, c.l, digestOf("one")); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := l
	long.Length++
	if err := VerifyRecord(dir, long, digestOf("one")); err == nil {
		t.Error("a length that is too long passes")
	}
}

func TestNoneStoresNothing(t *testing.T) {
	l, err := NewNone().Put(t.Context(), exchangeOf(t, "http://a.example/", "x"))
	if err != nil || !l.IsZero() {
		t.Errorf("%v, %v", l, err)
	}
}
