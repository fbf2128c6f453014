package archive

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"trawl/crawler"
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
