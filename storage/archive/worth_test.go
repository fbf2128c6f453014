package archive

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/storage/archive/warc"
	"trawl/storage/storagetest"
)

func TestOnlyWhatShrinksIsCompressed(t *testing.T) {
	page := strings.Repeat(benchPage(), 2)
	noise := make([]byte, 20_000)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	picture := strings.Repeat("a profile of colours ", 200) + string(noise)
	labelled := storagetest.Exchange("http://a.example/", page)
	labelled.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n")
	for _, c := range []struct {
		name   string
		x      *crawler.Exchange
		stored bool
	}{
		{"a page sent plain is compressed", storagetest.Exchange("http://a.example/", page), false},
		{"a page that its server only calls coded is compressed", labelled, false},
		{"a page sent in gzip is stored", storagetest.Coded(t, "http://a.example/", "gzip", page), true},
		{"a page sent in brotli is stored", storagetest.Coded(t, "http://a.example/", "br", page), true},
		{"a page sent in zstd is stored", storagetest.Coded(t, "http://a.example/", "zstd", page), true},
		{"a page sent in deflate is stored", storagetest.Coded(t, "http://a.example/", "deflate", page), true},
		{"a picture is stored, though it begins with text", storagetest.Exchange("http://a.example/", picture), true},
		{"a short answer is stored", storagetest.Exchange("http://a.example/", page[:500]), true},
	} {
		for _, how := range []string{"", ", from a spool file"} {
			t.Run(c.name+how, func(t *testing.T) {
				x := *c.x
				body := x.Body.Bytes
				if how != "" {
					spooled(t, &x)
				}
				dir := t.TempDir()
				w := openWARC(t, dir, WARCOptions{})
				l := storagetest.Put(t, w, &x)
				storagetest.Sync(t, w)
				mustVerify(t, dir, l, x.Digest)
				file, err := os.ReadFile(filepath.Join(dir, l.File))
				if err != nil {
					t.Fatal(err)
				}
				if stored := bytes.Contains(file, body[:min(len(body), 4096)]); stored != c.stored {
					t.Errorf("stored as it came: %v; the record has %d bytes, the body %d", stored, l.Length, len(body))
				}
			})
		}
	}
}

func TestAFlippedBitIsFoundInEveryByteOfARecord(t *testing.T) {
	for _, x := range []*crawler.Exchange{
		storagetest.Exchange("http://a.example/", benchPage()[:1500]),
		storagetest.Coded(t, "http://a.example/", "gzip", benchPage()[:2500]),
	} {
		dir := t.TempDir()
		w := openWARC(t, dir, WARCOptions{})
		l := storagetest.Put(t, w, x)
		storagetest.Sync(t, w)
		file, err := os.ReadFile(filepath.Join(dir, l.File))
		if err != nil {
			t.Fatal(err)
		}
		record := file[l.Offset : l.Offset+l.Length]
		for i := range record {
			// The time, flags and system of a gzip header are read by nobody; the last byte before the trailer is filled up.
			if i >= 4 && i < 10 || i == len(record)-9 {
				continue
			}
			damaged := bytes.Clone(record)
			damaged[i] ^= 1 << (i % 8)
			if verifyBytes(t, damaged, x.Digest) == nil {
				t.Errorf("a flipped bit in byte %d of %d is not found", i, l.Length)
			}
		}
		if err := verifyBytes(t, record, x.Digest); err != nil {
			t.Error(err)
		}
	}
}

// verifyBytes verifies a record as a check of the whole file does.
func verifyBytes(t *testing.T, record []byte, want crawler.Digest) error {
	reader := warc.NewReader(bytes.NewReader(record))
	e, err := reader.Next()
	if err != nil {
		return err
	}
	r, err := RecordAt(reader, e, int64(len(record)), t.Context().Err)
	if err != nil {
		return err
	}
	return r.Verify(want, -1)
}
