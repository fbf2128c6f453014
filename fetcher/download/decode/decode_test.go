package decode

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"trawl/crawler"
	"trawl/crawler/codingtest"
	"trawl/fetcher/fetchertest"
)

func TestDecodersUndoEachCodingAgainAndAgain(t *testing.T) {
	body := []byte(strings.Repeat("some text, some more text. ", 10_000))
	var d Decoders
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		coded := codingtest.Encode(t, coding, body)
		name := coding
		if coding == "raw" {
			name = "deflate"
		}
		for round := range 4 {
			// A decoder that met a cut body serves the next one too.
			cut := d.Open([]string{name}, bytes.NewReader(coded[:len(coded)/2]), nil)
			if _, err := io.ReadAll(cut); err == nil {
				t.Errorf("%s, round %d: a cut body is no error", coding, round)
			}
			cut.Close()
			whole := d.Open([]string{name}, iotest.OneByteReader(bytes.NewReader(coded)), nil)
			got, err := io.ReadAll(whole)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s, round %d: %d bytes, %v", coding, round, len(got), err)
			}
			whole.Close()
		}
	}
}

func TestDecodersUndoCodingsInTheOrderApplied(t *testing.T) {
	body := []byte(strings.Repeat("layers ", 1000))
	coded := codingtest.Encode(t, "zstd", codingtest.Encode(t, "br", codingtest.Encode(t, "gzip", body)))
	var d Decoders
	dec := d.Open([]string{"gzip", "br", "zstd"}, bytes.NewReader(coded), nil)
	defer dec.Close()
	if got, err := io.ReadAll(dec); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestACodingThatTheBytesAreNotInIsPassedOver(t *testing.T) {
	text := strings.Repeat("<p>plain text", 1000)
	var d Decoders
	for _, c := range []struct {
		codings []string
		sent    []byte
		remarks int
	}{
		{[]string{"gzip"}, []byte(text), 1},
		{[]string{"br"}, []byte(text), 1},
		{[]string{"deflate"}, []byte(text), 1},
		{[]string{"zstd"}, []byte(text), 1},
		{[]string{"gzip", "gzip"}, codingtest.Encode(t, "gzip", []byte(text)), 1},
		{[]string{"gzip", "br"}, codingtest.Encode(t, "gzip", []byte(text)), 1},
		{[]string{"gzip", "br"}, []byte(text), 2},
		{[]string{"gzip"}, codingtest.Encode(t, "gzip", []byte(text)), 0},
		{[]string{"gzip"}, nil, 0},
	} {
		dec := d.Open(c.codings, iotest.OneByteReader(bytes.NewReader(c.sent)), nil)
		got, err := io.ReadAll(dec)
		if want := text[:min(len(text), len(text)*len(c.sent))]; err != nil || string(got) != want || len(dec.Remarks()) != c.remarks {
			t.Errorf("%v: %d bytes, %v, remarks %q", c.codings, len(got), err, dec.Remarks())
		}
		dec.Close()
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
			w.Write(fetchertest.Noise(c.window + 1)) // or the encoder would choose a smaller window
			w.Close()
			var d Decoders
			dec := d.Open([]string{"zstd"}, &out, nil)
			defer dec.Close()
			if _, err := io.Copy(io.Discard, dec); (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestBreakingDecoderIsAnErrorAndNotTheEnd(t *testing.T) {
	var d Decoders
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
		coded := codingtest.Encode(f, coding, []byte("some text, some text"))
		f.Add(byte(i), coded)
		f.Add(byte(i), coded[:len(coded)-3])
	}
	names := []string{"gzip", "deflate", "deflate", "br", "zstd"}
	var d Decoders
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		name := names[int(which)%len(names)]
		read := func() (string, error) {
			dec := d.Open([]string{name}, bytes.NewReader(b), nil)
			defer dec.Close()
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
