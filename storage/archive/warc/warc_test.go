package warc

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var testDate = time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)

func testRecord(body string) *Record {
	head := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
	block := sha256.Sum256(append(bytes.Clone(head), body...))
	return &Record{Type: TypeResponse, ID: NewID(), Date: testDate, TargetURI: "http://a.example/", IP: "192.0.2.1",
		Protocol: "http/1.1", ContentType: ContentResponse, Head: head, Body: []byte(body),
		BlockDigest: block}
}

func encodeAll(t *testing.T, gz bool, records ...*Record) (file []byte, ends []int64) {
	t.Helper()
	var buf bytes.Buffer
	e := NewEncoder(gz)
	for _, r := range records {
		before := buf.Len()
		n, err := e.Encode(&buf, r)
		if err != nil {
			t.Fatal(err)
		}
		if int(n) != buf.Len()-before {
			t.Fatalf("Encode says %d bytes, wrote %d", n, buf.Len()-before)
		}
		ends = append(ends, int64(buf.Len()))
	}
	return buf.Bytes(), ends
}

func TestRecordsComeBackAsTheyWereWritten(t *testing.T) {
	for _, gz := range []bool{false, true} {
		t.Run(fmt.Sprintf("gzip %v", gz), func(t *testing.T) {
			big := strings.Repeat("0123456789abcdef", 20_000)
			spooled := testRecord("")
			spooled.BodyReader, spooled.BodySize = strings.NewReader(big), int64(len(big))
			cut := testRecord("half")
			cut.Truncated, cut.ConcurrentTo = "eaten by a dog", ID{1, 15: 0xff}
			file, ends := encodeAll(t, gz,
				Info(testDate, "x.warc", []Field{{"software", "trawl"}, {"operator", "line\r\nbreak"}}),
				testRecord("hello"), spooled, cut, testRecord("WARC/1.1\r\n\r\n\r\n\r\nWARC/1.1\r\n"))
			d := NewReader(bytes.NewReader(file))
			wantBlocks := []string{"software: trawl\r\noperator: line  break\r\n", "hello", big, "half", "WARC/1.1\r\n\r\n\r\n\r\nWARC/1.1\r\n"}
			from := int64(0)
			for i, want := range wantBlocks {
				e, err := d.Next()
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(e.Block)
				if err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					_, after, _ := bytes.Cut(b, []byte("\r\n\r\n"))
					b = after
				}
				if string(b) != want {
					t.Errorf("record %d: block is %.60q, want %.60q", i, b, want)
				}
				n, err := d.End()
				if err != nil || e.Offset != from || e.Offset+n != ends[i] {
					t.Errorf("record %d at %d+%d, %v; want %d to %d", i, e.Offset, n, err, from, ends[i])
				}
				from = ends[i]
				if i == 3 && (e.Get("warc-truncated") != "unspecified" || e.Get("WARC-Concurrent-To") != "<urn:uuid:01000000-0000-0000-0000-0000000000ff>") {
					t.Errorf("fields of the cut record: %v", e.Fields)
				}
				if i == 1 && (e.Get("WARC-Date") != "2026-03-04T05:06:07.089Z" || e.Get("WARC-IP-Address") != "192.0.2.1") {
					t.Errorf("fields: %v", e.Fields)
				}
			}
			if _, err := d.Next(); err != io.EOF {
				t.Errorf("after the last record: %v", err)
			}
		})
	}
}

func TestReaderSkipsWhatIsNotRead(t *testing.T) {
	file, ends := encodeAll(t, true, testRecord("one"), testRecord("two"), testRecord("three"))
	d := NewReader(bytes.NewReader(file))
	for i := range ends {
		e, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := append([]int64{0}, ends...)[i]; e.Offset != want {
			t.Errorf("record %d at %d, want %d", i, e.Offset, want)
		}
	}
}

func TestNoValueCanEndItsLine(t *testing.T) {
	r := testRecord("")
	r.TargetURI = "http://a.example/\r\nWARC-Type: evil\n<x> y"
	r.IP = "1.2.3.4\r\nEvil: 1"
	r.Protocol = "h2\r\nEvil: 2"
	file, _ := encodeAll(t, false, r)
	e, err := NewReader(bytes.NewReader(file)).Next()
	if err != nil {
		t.Fatal(err)
	}
	if e.Get("Evil") != "" || e.Get("WARC-Type") != "response" || e.Get("WARC-IP-Address") != "" {
		t.Errorf("fields: %q", e.Fields)
	}
	if want := "http://a.example/%0D%0AWARC-Type:%20evil%0A%3Cx%3E%20y"; e.Get("WARC-Target-URI") != want {
		t.Errorf("URI %q", e.Get("WARC-Target-URI"))
	}
}

func TestBodyShorterThanAnnouncedIsAnError(t *testing.T) {
	r := testRecord("")
	r.BodyReader, r.BodySize = strings.NewReader("abc"), 4
	if _, err := NewEncoder(true).Encode(io.Discard, r); !errors.Is(err, ErrBodySize) {
		t.Errorf("got %v", err)
	}
	r.BodyReader, r.BodySize = strings.NewReader("abcdef"), 4
	var buf bytes.Buffer
	if _, err := NewEncoder(false).Encode(&buf, r); err != nil || strings.Contains(buf.String(), "abcde") {
		t.Errorf("a longer body: %v, %q", err, buf.String())
	}
}

func TestIDsAreRandomUUIDs(t *testing.T) {
	a, b := NewID(), NewID()
	s := string(appendID(nil, "X", a))
	if a == b || len(s) != len("X: \r\n")+47 || s[:13] != "X: <urn:uuid:" || s[27] != '4' || !strings.ContainsRune("89ab", rune(s[32])) {
		t.Errorf("ids %x and %x, %q", a, b, s)
	}
}

func TestArchiveHead(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"a head that fits stays", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"a head without length stays", "HTTP/1.0 200 OK\r\nX: y\r\n\r\n", "HTTP/1.0 200 OK\r\nX: y\r\n\r\n"},
		{"a transfer coding is renamed and the length added", "HTTP/1.1 200 OK\r\ntransfer-Encoding: chunked\r\nX: y\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Crawl-transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 5\r\n\r\n"},
		{"a transfer coding with space before the colon", "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Crawl-Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n"},
		{"a wrong length is renamed and the right one added", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Crawl-Content-Length: 50\r\nContent-Length: 5\r\n\r\n"},
		{"of two lengths the right one stays", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Length: 5\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Crawl-Content-Length: 50\r\nContent-Length: 5\r\n\r\n"},
		{"the length of a 304 speaks of another answer", "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n"},
		{"a folded transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\n\r\n",
			"HTTP/1.1 200 OK\r\nX-Crawl-Transfer-Encoding: gzip,\r\n chunked\r\nContent-Length: 5\r\n\r\n"},
		{"bare line ends become whole ones", "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"},
		{"a missing empty line is added", "HTTP/1.1 200 OK\r\nX: y", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"},
		{"nothing comes after the empty line", "HTTP/1.1 200 OK\r\n\r\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
		{"HTTP/2 is written as readers know it", "HTTP/2.0 200 OK\r\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"},
		{"a status alone", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(c.head)
			if got := string(AppendHead(nil, in, 5)); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if string(in) != c.head {
				t.Error("the head that was given was changed")
			}
		})
	}
	if got := string(AppendRequest(nil, []byte("GET / HTTP/2.0\nHost: a"))); got != "GET / HTTP/1.1\r\nHost: a\r\n\r\n" {
		t.Errorf("request head %q", got)
	}
}

func TestATornEndIsCutAtEveryByte(t *testing.T) {
	for _, gz := range []bool{false, true} {
		whole, ends := encodeAll(t, gz, testRecord("first"), testRecord("second"), testRecord("the last one"))
		path := filepath.Join(t.TempDir(), "x.warc")
		for size := ends[1]; size <= ends[2]; size++ {
			want := ends[1]
			if size == ends[2] {
				want = size
			}
			if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
				t.Fatal(err)
			}
			cut, err := Recover(path, (*os.File).Sync)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil || cut != size-want || info.Size() != want {
				t.Fatalf("gzip %v, %d bytes: cut %d, %v, %v; want %d left", gz, size, cut, err, info.Size(), want)
			}
		}
	}
}

func TestAnEndOfZerosOrGarbageIsCut(t *testing.T) {
	for _, gz := range []bool{false, true} {
		whole, ends := encodeAll(t, gz, testRecord("first"), testRecord(strings.Repeat("x", 5000)))
		for _, fill := range []byte{0, 'x'} {
			b := bytes.Clone(whole)
			for i := ends[0] + (ends[1]-ends[0])/2; i < ends[1]; i++ {
				b[i] = fill
			}
			path := filepath.Join(t.TempDir(), "x.warc")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if cut, err := Recover(path, (*os.File).Sync); err != nil || cut != ends[1]-ends[0] {
				t.Errorf("gzip %v, filled with %d: cut %d, %v; want %d", gz, fill, cut, err, ends[1]-ends[0])
			}
		}
	}
}

func TestABrokenRecordBeforeWholeOnesIsNotCut(t *testing.T) {
	for _, gz := range []bool{false, true} {
		whole, ends := encodeAll(t, gz, testRecord("first"), testRecord("second"), testRecord("third"))
		whole[ends[1]-6] ^= 0xff // in the block, or in the checksum of the member
		path := filepath.Join(t.TempDir(), "x.warc")
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		cut, err := Recover(path, (*os.File).Sync)
		bad, ok := errors.AsType[*Error](err)
		if !ok || cut != 0 || bad.Offset != ends[0] || bad.Torn {
			t.Errorf("gzip %v: cut %d, %v; want a broken record at %d", gz, cut, err, ends[0])
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, whole) {
			t.Errorf("gzip %v: the file was changed", gz)
		}
	}
}

func TestATornPlainRecordWhoseBodyIsAnArchiveIsCutWhole(t *testing.T) {
	inner, _ := encodeAll(t, false, testRecord("inner one"), testRecord("inner two"))
	whole, ends := encodeAll(t, false, testRecord("first"), testRecord(string(inner)))
	path := filepath.Join(t.TempDir(), "x.warc")
	if err := os.WriteFile(path, whole[:ends[1]-3], 0o600); err != nil {
		t.Fatal(err)
	}
	if cut, err := Recover(path, (*os.File).Sync); err != nil || cut != ends[1]-3-ends[0] {
		t.Errorf("cut %d, %v", cut, err)
	}
}

func TestBrokenRecordsAreNamedWithTheirOffset(t *testing.T) {
	good, _ := encodeAll(t, false, testRecord("x"))
	for name, bad := range map[string]string{
		"no version":           "hello\r\n\r\n",
		"no length":            "WARC/1.1\r\nWARC-Type: x\r\n\r\n",
		"a negative length":    "WARC/1.1\r\nContent-Length: -1\r\n\r\n",
		"a length over 63 bit": "WARC/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n",
		"a line without colon": "WARC/1.1\r\nfoo\r\n\r\n",
		"folded at once":       "WARC/1.1\r\n x\r\n\r\n",
		"a line too long":      "WARC/1.1\r\nX: " + strings.Repeat("x", MaxLine) + "\r\n\r\n",
		"a header too long":    "WARC/1.1\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 300) + "\r\n",
		"no end":               "WARC/1.1\r\nContent-Length: 1\r\n\r\nxWARC/1.1",
	} {
		t.Run(name, func(t *testing.T) {
			d := NewReader(strings.NewReader(string(good) + bad))
			var err error
			for err == nil {
				_, err = d.Next()
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Offset != int64(len(good)) || e.Torn {
				t.Errorf("got %v", err)
			}
			if _, again := d.Next(); again != err {
				t.Errorf("the second time: %v", again)
			}
		})
	}
}

func TestAnErrorOfTheDiskIsNotOneOfTheFile(t *testing.T) {
	file, ends := encodeAll(t, true, testRecord("x"), testRecord("y"))
	sick := errors.New("sick disk")
	d := NewReader(io.MultiReader(bytes.NewReader(file[:ends[0]+20]), iotestErr{sick}))
	var err error
	for err == nil {
		_, err = d.Next()
	}
	if _, ok := errors.AsType[*Error](err); ok || !errors.Is(err, sick) {
		t.Errorf("got %v", err)
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

func TestOtherToolsDecompressEachMember(t *testing.T) {
	zcat, err := exec.LookPath("zcat")
	if err != nil {
		t.Skip("no zcat here")
	}
	a, b := testRecord("one"), testRecord("two")
	file, ends := encodeAll(t, true, a, b)
	plain, plainEnds := encodeAll(t, false, a, b)
	for i, part := range [][]byte{file[:ends[0]], file[ends[0]:]} {
		cmd := exec.CommandContext(t.Context(), zcat)
		cmd.Stdin = bytes.NewReader(part)
		out, err := cmd.Output()
		want := [][]byte{plain[:plainEnds[0]], plain[plainEnds[0]:]}[i]
		if err != nil || !bytes.Equal(out, want) {
			t.Errorf("member %d: %v, %q", i, err, out)
		}
	}
}

func TestAStoredRecordIsOneForEveryReader(t *testing.T) {
	long := testRecord(strings.Repeat("0123456789abcdef", 10_000)) // more than a block of deflate may hold
	spooled := testRecord("")
	spooled.BodyReader, spooled.BodySize = strings.NewReader(string(long.Body)), int64(len(long.Body))
	spooled.ID, spooled.BlockDigest = long.ID, long.BlockDigest
	short := testRecord("one")
	plain, _ := encodeAll(t, false, short, long)
	for _, r := range []*Record{short, long, spooled} {
		r.Stored = true
	}
	file, _ := encodeAll(t, true, short, spooled)
	if extra := len(file) - len(plain); extra < 0 || extra > 100 {
		t.Errorf("stored records have %d bytes more than plain ones", extra)
	}
	d := NewReader(bytes.NewReader(file))
	for _, want := range []*Record{short, long} {
		e, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(e.Block); err != nil || string(b) != string(want.Head)+string(want.Body) || !e.Gzip {
			t.Errorf("our reader: %v, %.100q", err, b)
		}
	}
	g, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(g); err != nil || !bytes.Equal(b, plain) {
		t.Errorf("the standard library: %v, %.100q", err, b)
	}
	for _, tool := range [][]string{{"gzip", "-dc"}, {"zcat"}, {"python3", "-c", "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			continue // it is not here
		}
		cmd := exec.CommandContext(t.Context(), tool[0], tool[1:]...)
		cmd.Stdin = bytes.NewReader(file)
		if b, err := cmd.Output(); err != nil || !bytes.Equal(b, plain) {
			t.Errorf("%s: %v, %.100q", tool[0], err, b)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, gz := range []bool{false, true} {
		var buf bytes.Buffer
		e := NewEncoder(gz)
		for _, body := range []string{"hello", "", "WARC/1.1\r\n"} {
			r := testRecord(body)
			if _, err := e.Encode(&buf, r); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(buf.Bytes())
		f.Add(buf.Bytes()[:buf.Len()-7])
	}
	f.Add([]byte("WARC/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		d := NewReader(bytes.NewReader(file))
		end := int64(0)
		for {
			e, err := d.Next()
			if err != nil {
				return
			}
			if e.Offset != end {
				t.Fatalf("record at %d, the one before ended at %d", e.Offset, end)
			}
			h := sha256.New()
			if _, err := io.Copy(h, e.Block); err != nil {
				return
			}
			n, err := d.End()
			if err != nil {
				return
			}
			end = e.Offset + n
			alone := NewReader(bytes.NewReader(file[e.Offset:end]))
			again, err := alone.Next()
			if err != nil {
				t.Fatalf("record by itself: %v", err)
			}
			g := sha256.New()
			io.Copy(g, again.Block)
			if m, err := alone.End(); err != nil || m != n || !bytes.Equal(g.Sum(nil), h.Sum(nil)) {
				t.Fatalf("record by itself: %d bytes, %v; want %d", m, err, n)
			}
		}
	})
}

func FuzzArchiveHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n"), int64(5))
	f.Add([]byte("HTTP/2 204\nX"), int64(0))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		got := AppendHead(nil, head, size)
		if !bytes.HasSuffix(got, []byte("\r\n\r\n")) {
			t.Fatalf("%q does not end with an empty line", got)
		}
		if again := AppendHead(nil, got, size); !bytes.Equal(again, got) {
			t.Fatalf("not stable: %q, then %q", got, again)
		}
		if i := bytes.Index(got, []byte("\r\n\r\n")); i != len(got)-4 {
			t.Fatalf("%q has an empty line inside", got)
		}
	})
}
