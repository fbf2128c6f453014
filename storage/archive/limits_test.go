package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/internal/durable/disktest"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
	"trawl/storage/storagetest"
)

func TestAFileTakesExchangesUpToItsSize(t *testing.T) {
	twice := func(size int64) (files int, filled int64) {
		w := openWARC(t, t.TempDir(), WARCOptions{MaxSize: size, Compress: crawler.CompressNone})
		one := storagetest.Put(t, w, storagetest.Exchange("http://a.example/1", "one"))
		if two := storagetest.Put(t, w, storagetest.Exchange("http://a.example/2", "two")); two.File != one.File {
			return 2, w.size
		}
		return 1, w.size
	}
	_, both := twice(0)
	for more, want := range map[int64]int{0: 1, 1: 1, -1: 2} {
		if files, _ := twice(both + more); files != want {
			t.Errorf("with %d bytes more than both take: %d files, want %d", more, files, want)
		}
	}
	if files, _ := twice(1); files != 2 {
		t.Error("a file that is too small for any takes more than one")
	}
}

func TestASpooledBodyThatFillsAFileGetsItsOwn(t *testing.T) {
	for more, own := range map[int]bool{-1: false, 0: true, 1: true} {
		dir := t.TempDir()
		w := openWARC(t, dir, WARCOptions{MaxSize: 20_000})
		small := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "small"))
		body := strings.Repeat("x", 20_000+more)
		l := storagetest.Put(t, w, spooled(t, storagetest.Exchange("http://a.example/large", body)))
		if (l.File != small.File) != own {
			t.Errorf("a body of %d bytes beside a file of 20,000: own file %v", len(body), !own)
		}
		if in := storagetest.Put(t, w, storagetest.Exchange("http://a.example/large", body)); in.File != small.File {
			t.Error("a body in memory got a file of its own")
		}
		mustVerify(t, dir, l, storagetest.Digest(body))
		disktest.WantTree(t, w.scratch(), map[string]string{})
	}
}

func TestWhatIsNoExchangeIsRefusedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{MaxSize: 20_000})
	one := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "one"))
	before := w.size
	for what, change := range map[string]func(*crawler.Exchange){
		"no answer":                  func(x *crawler.Exchange) { x.Response = nil },
		"no spool file":              func(x *crawler.Exchange) { x.Body = crawler.Body{File: filepath.Join(dir, "none"), Size: 1} },
		"a spool file too short":     func(x *crawler.Exchange) { spooled(t, x).Body.Size++ },
		"a large one that is short":  func(x *crawler.Exchange) { spooled(t, x).Body.Size = 20_000 },
		"a spool file that is a dir": func(x *crawler.Exchange) { x.Body = crawler.Body{File: dir, Size: 1} },
	} {
		x := storagetest.Exchange("http://a.example/x", "two")
		change(x)
		if l, err := w.Put(t.Context(), x); err == nil || !l.IsZero() || !strings.Contains(err.Error(), "http://a.example/x") {
			t.Errorf("%s: %v, %v", what, l, err)
		}
		if left, _ := os.ReadDir(w.scratch()); len(left) != 0 { // it may not be there
			t.Errorf("%s: left %v", what, left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Put(ctx, storagetest.Exchange("http://a.example/", "two")); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	if w.size != before {
		t.Errorf("the file grew by %d bytes", w.size-before)
	}
	storagetest.Sync(t, w)
	mustVerify(t, dir, one, storagetest.Digest("one"))
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerWithoutItsRequestIsOneRecord(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	x := storagetest.Exchange("http://a.example/", "one")
	x.Request = nil
	l := storagetest.Put(t, w, x)
	mustVerify(t, dir, l, storagetest.Digest("one"))
	if l.Offset+l.Length != w.size {
		t.Errorf("%d bytes behind the answer", w.size-l.Offset-l.Length)
	}
	r, err := OpenRecord(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, want := range map[string]string{"WARC-Type": "response", "WARC-Target-URI": "http://a.example/", "WARC-IP-Address": "192.0.2.7", "WARC-Concurrent-To": "", "WARC-Truncated": ""} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestThePayloadDigestIsOfTheStoredBody(t *testing.T) {
	other := storagetest.Digest("what the row says")
	for _, c := range []struct {
		what   string
		change func(*crawler.Exchange)
		want   crawler.Digest
	}{
		{"the row's where it is the same", func(x *crawler.Exchange) { x.Digest = other }, other},
		{"its own where the row has none", func(x *crawler.Exchange) { x.Digest = crawler.Digest{} }, storagetest.Digest("body")},
		{"its own where it was cut", func(x *crawler.Exchange) { x.Digest, x.Truncated = other, "length" }, storagetest.Digest("body")},
		{"its own where it is coded", func(x *crawler.Exchange) {
			x.Digest, x.Response = other, []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
		}, storagetest.Digest("body")},
	} {
		for _, spool := range []bool{false, true} {
			dir := t.TempDir()
			x := storagetest.Exchange("http://a.example/", "body")
			c.change(x)
			if spool {
				spooled(t, x)
			}
			r, err := OpenRecord(dir, storagetest.Put(t, openWARC(t, dir, WARCOptions{}), x))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("WARC-Payload-Digest"); got != c.want.String() {
				t.Errorf("%s, in a spool file: %v: %s, want %s", c.what, spool, got, c.want)
			}
			r.Close()
		}
	}
}

func TestNamesOfWARCFiles(t *testing.T) {
	long := strings.Repeat("x", 128)
	for name, want := range map[string]warcName{
		"f1-20260101000000-00001.warc.gz":              {"f1", 1},
		"f1-20260101000000-00042-abcdefghi0.warc":      {"f1", 42},
		"a.b-c_d-20260101000000-123456789.warc":        {"a.b-c_d", 123456789},
		long + "-20260101000000-00001.warc":            {long, 1},
		"x" + long + "-20260101000000-00001.warc":      {},
		"f1-20260101000000-0001.warc":                  {},
		"f1-20260101000000-1234567890.warc":            {},
		"f1-2026010100000-00001.warc":                  {},
		"f1-20260101000000-00001-abcdefghi.warc":       {},
		"f1-20260101000000-00001-ABCDEFGHI0.warc":      {},
		"f1-20260101000000-00001.warc.zst":             {},
		"-f1-20260101000000-00001.warc":                {},
		".f1-20260101000000-00001.warc":                {},
		"-20260101000000-00001.warc":                   {},
		"a/b-20260101000000-00001.warc":                {},
		"f1-20260101000000-00001.warc.gz.rejected":     {},
		"pre f1-20260101000000-00001-abcdefghi0.warc":  {},
		"f1-20260101000000-00001-abcdefghi0.warc.gz\n": {},
	} {
		if got, ok := parseWARCName(name); got != want || ok != (want != warcName{}) {
			t.Errorf("%q: %+v, %v, want %+v", name, got, ok, want)
		}
	}
	for prefix, want := range map[string]bool{"f1": true, long: true, "x" + long: false, "": false, "-": false, ".a": false, "a/b": false, "a b": false, "a-20260101000000-00001": true, "_": true} {
		if isWARCPrefix(prefix) != want {
			t.Errorf("%q begins a file name: %v", prefix, !want)
		}
		if _, err := NewWARC(t.TempDir(), WARCOptions{Prefix: prefix}); (err == nil) != want {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestTheLastInfoOfOneNameCounts(t *testing.T) {
	f := func(pairs ...string) (fields []warc.Field) {
		for i := 0; i < len(pairs); i += 2 {
			fields = append(fields, warc.Field{Name: pairs[i], Value: pairs[i+1]})
		}
		return fields
	}
	for _, c := range []struct{ in, want []warc.Field }{
		{nil, nil}, {f("a", "1"), f("a", "1")}, {f("a", "1", "b", "2"), f("a", "1", "b", "2")},
		{f("a", "1", "b", "2", "a", "3"), f("a", "3", "b", "2")}, {f("a", "1", "b", "2", "b", "3", "b", "4", "c", "5"), f("a", "1", "b", "4", "c", "5")},
	} {
		if got := lastOfEach(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.in, got, c.want)
		}
	}
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{Compress: crawler.CompressNone, Info: []warc.Field{{Name: "software", Value: "ours"}}})
	l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "x"))
	text := disktest.Tree(t, dir)[l.File]
	if !strings.Contains(text, "software: ours\r\nformat: WARC File Format 1.1\r\nconformsTo: http://iipc.github.io/") || strings.Contains(text, "software: trawl") {
		t.Errorf("warcinfo %.400q", text)
	}
}

func TestANameThatIsThereAlreadyIsPassedOver(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	make, errs := w.create, []error{fs.ErrExist, fs.ErrExist}
	w.create = func(path string) (archiveFile, error) {
		if len(errs) > 0 {
			err := errs[0]
			errs = errs[1:]
			return nil, err
		}
		return make(path)
	}
	if l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "x")); !strings.Contains(l.File, "-00003-") {
		t.Errorf("file %s, want the third", l.File)
	}
	other := openWARC(t, t.TempDir(), WARCOptions{})
	other.create = func(string) (archiveFile, error) { return nil, fs.ErrPermission }
	if _, err := other.Put(t.Context(), storagetest.Exchange("http://a.example/", "x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a directory that may not be written to: %v", err)
	}
}

func TestPermissionsOfFinalFiles(t *testing.T) {
	for mode, final := range map[fs.FileMode]fs.FileMode{0o666: 0o444, 0o777: 0o555, 0o640: 0o440, 0o755: 0o555, 0o711: 0o511} {
		path := filepath.Join(t.TempDir(), "f")
		f, err := os.Create(path)
		if err == nil {
			err = errors.Join(f.Chmod(mode), makeFinal(f), f.Close())
		}
		info, statErr := os.Stat(path)
		if err = errors.Join(err, statErr); err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != final || !IsFinal(info) {
			t.Errorf("%o became %o, want %o; final %v", mode, info.Mode().Perm(), final, IsFinal(info))
		}
	}
	for _, mode := range []fs.FileMode{0o644, 0o464, 0o446} {
		path := filepath.Join(t.TempDir(), "f")
		err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, mode))
		if info, statErr := os.Stat(path); errors.Join(err, statErr) != nil || IsFinal(info) {
			t.Errorf("%o is final; %v", mode, errors.Join(err, statErr))
		}
	}
}

// leftFile writes a file as an earlier run leaves it.
func leftFile(t *testing.T, dir, name, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, crawldir.ArchiveDir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsRecoveredOfFilesThatWereLeft(t *testing.T) {
	from := t.TempDir()
	w := openWARC(t, from, WARCOptions{Compress: crawler.CompressNone})
	l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "one"))
	whole := disktest.Tree(t, from)[l.File]
	head := whole[:l.Offset]
	for _, c := range []struct {
		what, content string
		mode          fs.FileMode
		want          string
		wantMode      fs.FileMode // 0 = the file is gone
		logged        string
	}{
		{"a whole one", whole, 0o755, whole, 0o555, ""},
		{"a torn one", whole[:len(whole)-1], 0o644, whole[:l.Offset+l.Length], 0o444, "level=WARN msg=\"cut the torn end"},
		{"one torn in its first record", head[:20], 0o644, "", 0, "level=WARN msg=\"cut the torn end"},
		{"an empty one", "", 0o644, "", 0, ""},
		{"one that is final, though it is torn", whole[:len(whole)-1], 0o444, whole[:len(whole)-1], 0o444, ""},
		{"one that is broken elsewhere", "no WARC at all\r\n" + strings.Repeat("x", 5000) + whole, 0o644, "no WARC at all\r\n" + strings.Repeat("x", 5000) + whole, 0o644, "level=ERROR"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			path := leftFile(t, dir, "f1-20260101000000-00007.warc", c.content, c.mode)
			leftFile(t, dir, "f1-20260101000000-00003.warc", whole, 0o444)
			leftFile(t, dir, "f2-20260101000000-00009.warc", "half", 0o644) // another's
			leftFile(t, dir, "notes.txt", "half", 0o644)
			if err := os.Mkdir(filepath.Join(dir, crawldir.ArchiveDir, "f1-20260101000000-00099.warc"), 0o700); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			o := WARCOptions{Prefix: "f1", Logger: slog.New(slog.NewTextHandler(&log, nil))}
			w := openWARC(t, dir, o)
			if _, _, number := w.open(); number != 7 {
				t.Errorf("the highest number is %d, want 7", number)
			}
			info, err := os.Stat(path)
			if gone := errors.Is(err, fs.ErrNotExist); gone != (c.wantMode == 0) || err == nil && info.Mode().Perm() != c.wantMode {
				t.Errorf("%v, %v; want mode %o", info, err, c.wantMode)
			}
			files := disktest.Tree(t, filepath.Join(dir, crawldir.ArchiveDir))
			if got := files[filepath.Base(path)]; got != c.want {
				t.Errorf("%d bytes are left, want %d", len(got), len(c.want))
			}
			if files["f2-20260101000000-00009.warc"] != "half" || files["notes.txt"] != "half" {
				t.Error("files of others were touched")
			}
			if c.logged == "" && log.Len() > 0 || !strings.Contains(log.String(), c.logged) {
				t.Errorf("logged %q, want %q", log.String(), c.logged)
			}
		})
	}
}

func TestAFileThatWasClosedMeanwhileIsNoFailureOfTheDisk(t *testing.T) {
	w := openWARC(t, t.TempDir(), WARCOptions{})
	storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "x"))
	closed, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := w.syncFile(closed); !errors.Is(err, os.ErrClosed) || w.diskErr != nil {
		t.Errorf("%v; the disk: %v", err, w.diskErr)
	}
	storagetest.Sync(t, w)
	if err := w.syncFile(&sickDisk{sick: true}); err == nil || w.diskErr == nil {
		t.Errorf("a sick disk: %v, %v", err, w.diskErr)
	}
	if err := w.syncFile(w.file); err == nil {
		t.Error("a disk that failed once is asked again")
	}
}

func TestTheHeadOfARecordIsBounded(t *testing.T) {
	for _, c := range []struct {
		what, head, rest string
		failed           bool
	}{
		{"a usual one", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "body\r\n\r\n", false},
		{"no fields", "HTTP/1.1 200 OK\r\n\r\n", "", false},
		{"a line feed alone ends no line", "HTTP/1.1 200 OK\nA: b\n\n\r\n\r\n", "x", false},
		{"none at all", "", "", true},
		{"no end", "HTTP/1.1 200 OK\r\nA: b\r\n", "", true},
		{"the longest", strings.Repeat("x", maxHTTPHead-4) + "\r\n\r\n", "body", false},
		{"longer than that", strings.Repeat("x", maxHTTPHead) + "\r\n\r\n", "", true},
	} {
		in := bufio.NewReader(strings.NewReader(c.head + c.rest))
		head, err := readHTTPHead(in)
		if (err != nil) != c.failed {
			t.Errorf("%s: %v", c.what, err)
		}
		if rest, _ := io.ReadAll(in); err == nil && (string(head) != c.head || string(rest) != c.rest) {
			t.Errorf("%s: head of %d bytes, %d behind it; want %d, %d", c.what, len(head), len(rest), len(c.head), len(c.rest))
		}
	}
}

func TestDecodedBytesInProportionToStoredOnes(t *testing.T) {
	for _, c := range []struct {
		what    string
		in, out int64
		stops   bool
	}{
		{"as many as are free", 0, decodeFree, false},
		{"one more, of nothing", 0, decodeFree + 1, true},
		{"in the highest proportion", decodeFree, decodeFree*decodeRatio + decodeRatio - 1, false},
		{"beyond it", decodeFree, decodeFree*decodeRatio + decodeRatio, true},
	} {
		r := &ratioReader{r: strings.NewReader("x"), in: &countingReader{n: c.in}, out: c.out - 1}
		if n, err := r.Read(make([]byte, 1)); n != 1 || errors.Is(err, errDecodeRatio) != c.stops {
			t.Errorf("%s: %d, %v", c.what, n, err)
		}
	}
	in := &countingReader{r: strings.NewReader("12345")}
	if _, err := io.CopyN(io.Discard, in, 3); err != nil || in.n < 3 || in.n > 5 {
		t.Errorf("counted %d, %v", in.n, err)
	}
}
