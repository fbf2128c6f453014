package fetcher

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
	ps, err := newPartials(filepath.Join(root, "partials"), slog.New(slog.DiscardHandler), disk.Fsync)
	if err != nil {
		t.Fatal(err)
	}
	for n, size := range []int{1000, 3000} { // kept, and kept again when it is longer
		if n > 0 {
			p := ps.lend(fetchertest.MustURL(t, "http://a.test/"))
			if err := p.load(t.Context(), make([]byte, 100)); err != nil || p.size != 1000 {
				t.Fatalf("%d bytes to go on with, %v", p.size, err)
			}
			more, err := p.file.WriteAt(fetchertest.Noise(size)[p.size:], p.size)
			if err != nil {
				t.Fatal(err)
			}
			p.size += int64(more)
			p.release(true)
		} else {
			keepBody(t, ps, "http://a.test/", fetchertest.Noise(size), 9000)
		}
		disk.Cut(t, func(t *testing.T, root string) {
			p := testPartials(t, filepath.Join(root, "partials")).lend(fetchertest.MustURL(t, "http://a.test/"))
			defer p.release(true)
			if err := p.load(t.Context(), make([]byte, 100)); err != nil || p.size != int64(size) {
				t.Fatalf("%d of %d bytes are there, %v", p.size, size, err)
			}
			got := make([]byte, size)
			if _, err := p.file.ReadAt(got, 0); err != nil || !bytes.Equal(got, fetchertest.Noise(size)) {
				t.Errorf("the bytes are others, %v", err)
			}
		})
	}
}
