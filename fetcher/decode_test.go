package fetcher

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"trawl/crawler"
)

// encode applies a coding; "raw" is deflate without the frame of zlib.
func encode(t testing.TB, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, _ = flate.NewWriter(&out, flate.DefaultCompression)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, _ = zstd.NewWriter(&out)
	}
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestContentCodings(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string
		want   []string
		wantOK bool
	}{
		{"none", nil, nil, true},
		{"identity is none", []string{"identity"}, nil, true},
		{"one", []string{"gzip"}, []string{"gzip"}, true},
		{"an old name in capitals", []string{" X-GZIP "}, []string{"gzip"}, true},
		{"several in the order applied", []string{"gzip, br", "zstd"}, []string{"gzip", "br", "zstd"}, true},
		{"empty elements", []string{", gzip,,"}, []string{"gzip"}, true},
		{"an unknown one", []string{"gzip, sdch"}, nil, false},
		{"too many", []string{"gzip, gzip, gzip, gzip"}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := contentCodings(http.Header{"Content-Encoding": c.lines})
			if !slices.Equal(got, c.want) || ok != c.wantOK {
				t.Errorf("%q, %v; want %q, %v", got, ok, c.want, c.wantOK)
			}
		})
	}
}

func TestDecodersUndoEachCodingAgainAndAgain(t *testing.T) {
	body := []byte(strings.Repeat("some text, some more text. ", 10_000))
	var d decoders
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		coded := encode(t, coding, body)
		name := coding
		if coding == "raw" {
			name = "deflate"
		}
		for round := range 4 {
			// A decoder that met a cut body serves the next one too.
			cut := d.open([]string{name}, bytes.NewReader(coded[:len(coded)/2]))
			if _, err := io.ReadAll(cut); err == nil {
				t.Errorf("%s, round %d: a cut body is no error", coding, round)
			}
			cut.close()
			whole := d.open([]string{name}, iotest.OneByteReader(bytes.NewReader(coded)))
			got, err := io.ReadAll(whole)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s, round %d: %d bytes, %v", coding, round, len(got), err)
			}
			whole.close()
		}
	}
}

func TestDecodersUndoCodingsInTheOrderApplied(t *testing.T) {
	body := []byte(strings.Repeat("layers ", 1000))
	coded := encode(t, "zstd", encode(t, "br", encode(t, "gzip", body)))
	var d decoders
	dec := d.open([]string{"gzip", "br", "zstd"}, bytes.NewReader(coded))
	defer dec.close()
	if got, err := io.ReadAll(dec); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestGzipMembersAndWhatFollowsThem(t *testing.T) {
	one := encode(t, "gzip", []byte("one "))
	for _, c := range []struct {
		name, want string
		coded      []byte
		broken     bool
	}{
		{"two members are one body", "one one ", slices.Concat(one, one), false},
		{"padding is passed over", "one ", slices.Concat(one, make([]byte, 100)), false},
		{"rubbish is passed over", "one ", slices.Concat(one, []byte("<!-- served by -->")), false},
		{"a second member that is cut is broken", "one ", slices.Concat(one, one[:5]), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d decoders
			dec := d.open([]string{"gzip"}, bytes.NewReader(c.coded))
			defer dec.close()
			got, err := io.ReadAll(dec)
			if string(got) != c.want || (err != nil) != c.broken {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestZstdWindowIsBounded(t *testing.T) {
	for _, c := range []struct {
		name   string
		window int
		ok     bool
	}{{"8 MiB", 8 * crawler.MiB, true}, {"16 MiB", 16 * crawler.MiB, false}} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			w, _ := zstd.NewWriter(&out, zstd.WithWindowSize(c.window), zstd.WithSingleSegment(false))
			w.Write(noise(c.window + 1)) // or the encoder would choose a smaller window
			w.Close()
			var d decoders
			dec := d.open([]string{"zstd"}, &out)
			defer dec.close()
			if _, err := io.Copy(io.Discard, dec); (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestBreakingDecoderIsAnErrorAndNotTheEnd(t *testing.T) {
	var d decoders
	s := &decodingStage{from: &d, coding: "br", in: d.input(strings.NewReader("x")), r: panicReader{}}
	if _, err := s.Read(make([]byte, 10)); !errors.Is(err, errDecoder) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Read(make([]byte, 10)); !errors.Is(err, errDecoder) {
		t.Errorf("second read: error %v", err)
	}
	s.close()
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("index out of range") }

// FuzzDecoders feeds anything to each decoder, twice, since decoders are used again: the second reading
// must be like the first, and what the first one left must not matter.
func FuzzDecoders(f *testing.F) {
	for i, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		coded := encode(f, coding, []byte("some text, some text"))
		f.Add(byte(i), coded)
		f.Add(byte(i), coded[:len(coded)-3])
	}
	names := []string{"gzip", "deflate", "deflate", "br", "zstd"}
	var d decoders
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		name := names[int(which)%len(names)]
		read := func() (string, error) {
			dec := d.open([]string{name}, bytes.NewReader(b))
			defer dec.close()
			var out bytes.Buffer
			_, err := io.Copy(&out, io.LimitReader(dec, 1<<20))
			return out.String(), err
		}
		first, err1 := read()
		second, err2 := read()
		if first != second || (err1 == nil) != (err2 == nil) {
			t.Errorf("%s: %d bytes, %v; then %d bytes, %v", name, len(first), err1, len(second), err2)
		}
		if errors.Is(err1, errDecoder) {
			t.Errorf("%s broke: %v", name, err1)
		}
	})
}
