package spool

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"

	"trawl/fetcher/fetchertest"
	"trawl/internal/durable/disktest"
)

func TestTheBeginningOfABodyOutlivesAPowerCut(t *testing.T) {
	root := t.TempDir()
	disk := disktest.New(t, root)
	ps, err := NewPartials(filepath.Join(root, "partials"), slog.New(slog.DiscardHandler), disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	for n, size := range []int{1000, 3000} { // kept, and kept again when it is longer
		if n > 0 {
			p := ps.Lend(fetchertest.MustURL(t, "http://a.test/"))
			if err := p.Load(t.Context(), make([]byte, 100)); err != nil || p.Size != 1000 {
				t.Fatalf("%d bytes to go on with, %v", p.Size, err)
			}
			more, err := p.file.WriteAt(fetchertest.Noise(size)[p.Size:], p.Size)
			if err != nil {
				t.Fatal(err)
			}
			p.Size += int64(more)
			p.Release(true)
		} else {
			keepBody(t, ps, "http://a.test/", fetchertest.Noise(size), 9000)
		}
		disk.Cut(t, func(t *testing.T, root string) {
			p := testPartials(t, filepath.Join(root, "partials")).Lend(fetchertest.MustURL(t, "http://a.test/"))
			defer p.Release(true)
			if err := p.Load(t.Context(), make([]byte, 100)); err != nil || p.Size != int64(size) {
				t.Fatalf("%d of %d bytes are there, %v", p.Size, size, err)
			}
			got := make([]byte, size)
			if _, err := p.file.ReadAt(got, 0); err != nil || !bytes.Equal(got, fetchertest.Noise(size)) {
				t.Errorf("the bytes are others, %v", err)
			}
		})
	}
}
