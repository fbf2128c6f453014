package coding

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"trawl/crawler/codingtest"
)

func TestContentCodings(t *testing.T) {
	for _, c := range []struct {
		name          string
		lines         []string
		want, strange []string
	}{
		{"none", nil, nil, nil},
		{"identity is none", []string{"identity"}, nil, nil},
		{"one", []string{"gzip"}, []string{"gzip"}, nil},
		{"an old name in capitals", []string{" X-GZIP "}, []string{"gzip"}, nil},
		{"several in the order applied", []string{"gzip, br", "zstd"}, []string{"gzip", "br", "zstd"}, nil},
		{"empty elements", []string{", gzip,,"}, []string{"gzip"}, nil},
		{"a word that is none, beside one that is", []string{"gzip, UTF-8"}, []string{"gzip"}, []string{"utf-8"}},
		{"too many", []string{"gzip, br, gzip, gzip"}, nil, []string{"gzip", "br", "gzip", "gzip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, strange := All(c.lines)
			if !slices.Equal(got, c.want) || !slices.Equal(strange, c.strange) {
				t.Errorf("%q and %q; want %q and %q", got, strange, c.want, c.strange)
			}
		})
	}
}

// plainTexts are beginnings of what servers label as coded and did not code.
var plainTexts = map[string]string{
	"rules":             "User-agent: *\nDisallow: /secret\n",
	"a page":            "<!DOCTYPE html>\n<html lang=en><title>t</title>",
	"a long page":       "<html>" + strings.Repeat("<p>some text, ", 500),
	"a style sheet":     "body{margin:0}",
	"a script":          ";(function(){})()",
	"one letter":        "x",
	"words":             "ok\n",
	"text beyond ASCII": "Привет, мир: " + strings.Repeat("ж", 900),
	"JSON":              `{"a":1}`,
	"an image":          "\x89PNG\x0D\x0A\x1A\x0A\x00\x00\x00\x0DIHDR",
	"looks like zlib":   "x^ is the place",
}

func TestALabelThatTheBytesDoNotBearOut(t *testing.T) {
	for name, text := range plainTexts {
		head := []byte(text)[:min(len(text), CodingLook)]
		for _, coding := range []string{"gzip", "zstd", "br", "deflate"} {
			if Holds(coding, head, len(head) == len(text)) {
				t.Errorf("%s is taken for %s", name, coding)
			}
		}
	}
}

func TestALabelThatHolds(t *testing.T) {
	texts := map[string]string{"nothing": "", "a letter": "x", "a word": "hello", "noise": string(noisy(5000)), "much": strings.Repeat("much ", 100_000)}
	maps.Copy(texts, plainTexts)
	for name, text := range texts {
		for _, coding := range []string{"gzip", "zstd", "br", "deflate", "raw"} {
			coded := codingtest.Encode(t, coding, []byte(text))
			label := strings.Replace(coding, "raw", "deflate", 1)
			head := coded[:min(len(coded), CodingLook)]
			if !Holds(label, head, len(head) == len(coded)) {
				t.Errorf("%s: %s is not taken for it: %q", name, coding, head[:min(len(head), 20)])
			}
			if n := len(coded) / 2; n < CodingLook && len(text) > 20 && !Holds(label, coded[:n], true) {
				t.Errorf("%s: %s that is cut is not taken for it", name, coding)
			}
		}
	}
	if !Holds("br", []byte(";"), true) {
		t.Error("an empty body in br is not taken for it")
	}
}

func TestADeflateBodyThatIsCutIsTakenForItsLabel(t *testing.T) {
	const from = 8 // fewer bytes may be a text as well
	for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
		for n := range 50 { // each has other tables
			page := fmt.Sprintf("<html><title>page %d</title><a href=%q>%x</a> and some other words", n, strings.Repeat("/a", n), noisy(n))
			var b bytes.Buffer
			w, err := zlib.NewWriterLevel(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(page)); errors.Join(err, w.Close()) != nil {
				t.Fatal(err)
			}
			for cut := from; cut < b.Len(); cut++ {
				if !Holds("deflate", b.Bytes()[:cut], true) {
					t.Errorf("level %d, page %d: %d of %d bytes are not taken for it: %q", level, n, cut, b.Len(), b.Bytes()[:cut])
				}
			}
		}
	}
	for _, text := range []string{"x", "x^", "x^2 + y^2", "x^n + y^n = z^n hat f\u00fcr n > 2 keine L\u00f6sung", "x\x9c, which is no text and nothing else"} {
		if Holds("deflate", []byte(text), true) {
			t.Errorf("%q is taken for deflate", text)
		}
	}
}

func noisy(n int) []byte {
	b, seed := make([]byte, n), uint32(1)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return b
}

func TestGunzipReadsWhatBrowsersRead(t *testing.T) {
	one := codingtest.Encode(t, "gzip", []byte("one "))
	wrong := bytes.Clone(one)
	wrong[len(wrong)-6] ^= 0xff
	var named bytes.Buffer
	w := gzip.NewWriter(&named)
	w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("extra")
	w.Write([]byte("one "))
	w.Close()
	long := slices.Concat(one[:3], []byte{8}, one[4:10], bytes.Repeat([]byte("n"), maxGzipHead))
	for _, c := range []struct {
		name, want, note string
		coded            []byte
		broken           bool
	}{
		{"two members are one body", "one one ", "", slices.Concat(one, one), false},
		{"padding is passed over", "one ", "", slices.Concat(one, make([]byte, 100)), false},
		{"rubbish is passed over", "one ", "", slices.Concat(one, []byte("<!-- served by -->")), false},
		{"a header with everything", "one ", "", named.Bytes(), false},
		{"without a trailer", "one ", "missing", one[:len(one)-8], false},
		{"with half a trailer", "one ", "cut", one[:len(one)-4], false},
		{"with a wrong checksum", "one ", "wrong", wrong, false},
		{"a wrong checksum before another member", "one one ", "wrong", slices.Concat(wrong, one), false},
		{"a second member that is cut is broken", "one ", "", slices.Concat(one, one[:5]), true},
		{"cut in its text", "o", "", one[:12], true},
		{"no gzip", "", "", []byte("no gzip at all"), true},
		{"a name without an end", "", "", long, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g Gunzip
			for range 2 { // it may be used again
				g.Reset(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(c.coded))))
				got, err := io.ReadAll(&g)
				if string(got) != c.want || (err != nil) != c.broken || !strings.Contains(g.Note(), c.note) || c.note == "" && g.Note() != "" {
					t.Errorf("%q, note %q, %v", got, g.Note(), err)
				}
			}
		})
	}
}

// FuzzGunzip compares with a reader that is strict: what that one reads to its end is read alike.
func FuzzGunzip(f *testing.F) {
	one := codingtest.Encode(f, "gzip", []byte("some text, some text"))
	f.Add(one)
	f.Add(slices.Concat(one, one))
	f.Add(one[:len(one)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		var g Gunzip
		g.Reset(bufio.NewReader(bytes.NewReader(b)))
		got, _ := io.ReadAll(io.LimitReader(&g, 1<<20))
		strict, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		want, err := io.ReadAll(io.LimitReader(strict, 1<<20))
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
