package archive

import (
	"fmt"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/storage/storagetest"
)

// BenchmarkPut stores pages of 16 KB, as the cost model of a page counts them.
func BenchmarkPut(b *testing.B) {
	var page strings.Builder
	for i := 0; page.Len() < 16<<10; i++ {
		fmt.Fprintf(&page, "<p>%d <a href=\"/page/%x\">a link to page %d</a></p>\n", i*i, i*7919, i)
	}
	for _, c := range []crawler.Compression{crawler.CompressGzip, crawler.CompressNone} {
		b.Run(string(c), func(b *testing.B) {
			w := openWARC(b, b.TempDir(), WARCOptions{Compress: c})
			x := storagetest.Exchange("http://a.example/page", page.String())
			b.SetBytes(x.Body.Size)
			b.ReportAllocs()
			for b.Loop() {
				storagetest.Put(b, w, x)
			}
		})
	}
}
