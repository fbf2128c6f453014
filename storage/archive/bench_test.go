package archive

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

// BenchmarkPut stores pages of 16 KB, as the cost model of a page counts them: sent plain, and sent in gzip.
func BenchmarkPut(b *testing.B) {
	page := benchPage()
	plain, coded := storagetest.Exchange("http://a.example/page", page), storagetest.Coded(b, "http://a.example/page", "gzip", page)
	for _, c := range []struct {
		name     string
		compress crawler.Compression
		x        *crawler.Exchange
	}{
		{"gzip", crawler.CompressGzip, plain},
		{"coded", crawler.CompressGzip, coded},
		{"none", crawler.CompressNone, plain},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := openWARC(b, b.TempDir(), WARCOptions{Compress: c.compress})
			var bytes int64
			b.ReportAllocs()
			for b.Loop() {
				bytes = storagetest.Put(b, w, c.x).Length
			}
			b.ReportMetric(float64(bytes), "file-B/op")
		})
	}
}

// benchPage is a page of 16 KB with links, whose words gzip shrinks about as much as those of real pages.
func benchPage() string {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		letters := make([]byte, 2+rnd.IntN(9))
		for j := range letters {
			letters[j] = "etaoinshrdlucmfwypvbgkjqxz"[min(rnd.IntN(26), rnd.IntN(26))]
		}
		words[i] = string(letters)
	}
	often := rand.NewZipf(rnd, 1.1, 4, uint64(len(words)-1))
	var page strings.Builder
	for i := 0; page.Len() < 16<<10; i++ {
		page.WriteString("<p>")
		for range 60 {
			page.WriteString(words[often.Uint64()] + " ")
		}
		fmt.Fprintf(&page, "<a href=\"/page/%x\">%s</a></p>\n", i*7919, words[i])
	}
	return page.String()
}

// BenchmarkFiles brings files of 10 KB from Put to the names that people see, a hundred in a sync, on a disk where syncing costs
// nothing: what is counted is the processor's part.
func BenchmarkFiles(b *testing.B) {
	for name, layout := range map[string]string{"flat": "files/a.example/%d.html", "deep": "files/a.example/a/path/of/directories/%d/index.html"} {
		b.Run(name, func(b *testing.B) { benchFiles(b, layout) })
	}
}

func benchFiles(b *testing.B, layout string) {
	dir, nothing := b.TempDir(), func(*os.File) error { return nil }
	f, err := newFiles(dir, FilesOptions{}, nothing)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	bodies, err := newBodies(dir, nothing)
	if err != nil {
		b.Fatal(err)
	}
	defer bodies.Close()
	var urls [100]weburl.URL
	for i := range urls {
		urls[i] = weburl.MustParse(fmt.Sprintf("http://a.example/%d", i))
	}
	x, n := storagetest.Exchange("http://a.example/", benchPage()[:10_000]), 0
	b.ReportAllocs()
	for b.Loop() {
		x.URL = urls[n]
		storagetest.Put(b, f, x)
		if n++; n < len(urls) {
			continue
		}
		n = 0
		storagetest.Sync(b, f)
		for i, u := range urls {
			if err := bodies.Place(b.Context(), u, x.Digest, x.Body.Size, fmt.Sprintf(layout, i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := bodies.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
