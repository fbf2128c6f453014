package archive

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"trawl/crawler"
	"trawl/crawler/codingtest"
	"trawl/storage/storagetest"
)

func TestContentCodingsStayAndAreUndoneForTheDigest(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	body := strings.Repeat("some text ", 3000)
	for _, coding := range []string{"gzip", "br", "deflate", "raw", "zstd"} {
		x := storagetest.Coded(t, "http://a.example/", coding, body)
		l := storagetest.Put(t, w, x)
		mustVerify(t, dir, l, storagetest.Digest(body))
		r, err := OpenRecord(dir, l)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(raw, x.Body.Bytes) {
			t.Errorf("%s: stored body differs, %v", coding, err)
		}
		if got := r.Header.Get("WARC-Payload-Digest"); got != storagetest.Digest(string(raw)).String() {
			t.Errorf("%s: payload digest %s is not of the stored body", coding, got)
		}
		r.Close()
	}
	both := storagetest.Exchange("http://a.example/", body)
	both.Body.Bytes = codingtest.Encode(t, "br", codingtest.Encode(t, "gzip", []byte(body)))
	both.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\n\r\n")
	mustVerify(t, dir, storagetest.Put(t, w, both), storagetest.Digest(body))
}

func TestLabelsOfCodingsThatDoNotHoldArePassedOver(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	body := strings.Repeat("some text ", 3000)
	whole := codingtest.Encode(t, "gzip", []byte(body))
	for _, c := range []struct {
		name, label string
		stored      []byte
	}{
		{"plain bytes", "gzip", []byte(body)},
		{"plain bytes, a coding without a mark", "br", []byte(body)},
		{"a word that is no coding", "none", []byte(body)},
		{"a word beside a coding", "gzip, utf-8", whole},
		{"one coding, named twice", "gzip, gzip", whole},
		{"a trailer that is missing", "gzip", whole[:len(whole)-8]},
	} {
		x := storagetest.Exchange("http://a.example/", body)
		x.Body = crawler.Body{Bytes: c.stored, Size: int64(len(c.stored))}
		x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: " + c.label + "\r\n\r\n")
		l := storagetest.Put(t, w, x)
		mustVerify(t, dir, l, storagetest.Digest(body))
		r, err := OpenRecord(dir, l)
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); err != nil || string(got) != body {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
		d.Close()
		r.Close()
	}
}

func TestACutBodyIsJudgedByWhatCameOut(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	body := strings.Repeat("some text ", 3000)
	x := storagetest.Exchange("http://a.example/", "")
	x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 99999\r\n\r\n")
	x.Body.Bytes = codingtest.Encode(t, "br", []byte(body))
	x.Truncated, x.Digest = "length", storagetest.Digest(body[:1000])
	l := storagetest.Put(t, w, x)
	if err := VerifyCut(dir, l, storagetest.Digest(body[:1000]), 1000); err != nil {
		t.Error(err)
	}
	r, err := OpenRecord(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("WARC-Truncated") != "length" || headerValue(r.Head, "x-crawl-content-length") != "99999" {
		t.Errorf("truncated %q, head %q", r.Header.Get("WARC-Truncated"), r.Head)
	}
	r.Close()
	var part bytes.Buffer
	plain, err := gzip.NewReader(bytes.NewReader(codingtest.Encode(t, "gzip", []byte(body))[:80]))
	if err == nil {
		_, err = io.Copy(&part, plain)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	x = storagetest.Coded(t, "http://a.example/", "gzip", body)
	x.Body.Bytes, x.Truncated = x.Body.Bytes[:80], "disconnect"
	mustVerify(t, dir, storagetest.Put(t, w, x), storagetest.Digest(part.String()))
}

func TestABodyIsTheRowsIfItsStoredBytesHaveTheDigest(t *testing.T) {
	dir := t.TempDir()
	w := openWARC(t, dir, WARCOptions{})
	x := storagetest.Coded(t, "http://a.example/", "gzip", "some text")
	l := storagetest.Put(t, w, x)
	mustVerify(t, dir, l, storagetest.Digest("some text"))
	mustVerify(t, dir, l, storagetest.Digest(string(x.Body.Bytes)))
	mustVerify(t, dir, l, crawler.Digest{})
	if err := VerifyRecord(dir, l, storagetest.Digest("another")); !errors.Is(err, ErrDigest) {
		t.Errorf("another digest: %v", err)
	}
	for limit, want := range map[int64]string{0: "", 4: "some", 100: "some text"} {
		if err := VerifyCut(dir, l, storagetest.Digest(want), limit); err != nil {
			t.Errorf("cut after %d bytes: %v", limit, err)
		}
	}
	if err := VerifyCut(dir, l, storagetest.Digest("some text"), 4); !errors.Is(err, ErrDigest) {
		t.Errorf("the whole digest of a body that was cut: %v", err)
	}
}

func TestATextWithTheLabelOfACodingIsReadAsItIs(t *testing.T) {
	for _, text := range []string{"Sorry, we are closed", "ready", "zero"} { // each is the beginning of a body in deflate, cut off
		d, err := decodeBody(strings.NewReader(text), []string{"deflate"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); string(got) != text || err != nil {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
		d.Close()
	}
}

func TestABombIsNotDecodedToItsEnd(t *testing.T) {
	d, err := decodeBody(bytes.NewReader(codingtest.Encode(t, "br", bytes.Repeat([]byte("0"), 64<<20))), []string{"br"}, nil)
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
	l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", "one"))
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
		if err := VerifyRecord(dir, c.l, storagetest.Digest("one")); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := l
	long.Length++
	if err := VerifyRecord(dir, long, storagetest.Digest("one")); err == nil {
		t.Error("a length that is too long passes")
	}
}

func TestAFieldOfAHeadAsAServerSentIt(t *testing.T) {
	for head, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n":                               "gzip",
		"HTTP/1.1 200 OK\r\nContent-Encoding :\r\n\tgzip\r\nX-A: 1\r\n\r\n":               "gzip",
		"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\x00\r\nCONTENT-ENCODING: br\r\n\r\n":   "gzip, br",
		"HTTP/1.1 200 OK\r\nX-A: 1\r\n Content-Encoding: gzip\r\n\r\n":                    "",
		"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nContent-Encoding: gzip\r\n":                     "",
		"HTTP/1.1 200 OK\r\nX-Broken\r\nContent-Encoding: gzip,\r\n br\r\nX-A: b\r\n\r\n": "gzip, br",
	} {
		if got := headerValue([]byte(head), "Content-Encoding"); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

// What one coding gives may vanish in the next one: empty gzip members decode to nothing.
func TestEachOfStackedCodingsIsBounded(t *testing.T) {
	members := codingtest.Encode(t, "gzip", bytes.Repeat(codingtest.Encode(t, "gzip", nil), 2<<20))
	bomb := codingtest.Encode(t, "br", members)
	codings := []string{"gzip", "gzip", "br"}
	d, err := decodeBody(bytes.NewReader(bomb), codings, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, err := io.Copy(io.Discard, d); !errors.Is(err, errDecodeRatio) || n != 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	ended := errors.New("ended")
	if d, err = decodeBody(bytes.NewReader(bomb), codings, func() error { return ended }); err == nil {
		_, err = io.Copy(io.Discard, d)
		d.Close()
	}
	if !errors.Is(err, ended) {
		t.Errorf("%v, want that it is ended", err)
	}
}
