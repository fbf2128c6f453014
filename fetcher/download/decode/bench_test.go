package decode

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"trawl/crawler/codingtest"
)

// BenchmarkDecode undoes the codings of a page of 16 KB, read as a body is: in pieces of 32 KB, out of a connection's buffer.
func BenchmarkDecode(b *testing.B) {
	page := []byte(benchPage())
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		coded := codingtest.Encode(b, coding, page)
		b.Run(coding, func(b *testing.B) {
			var d Decoders
			var read int64
			bounds := Bounds{Ctx: b.Context(), Wire: &read, Ratio: 200, After: 16 << 20}
			in, chunk := bytes.NewReader(nil), make([]byte, 32<<10)
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(coded)
				dec := d.Open([]string{coding}, in, &bounds)
				n := 0
				for err := error(nil); err == nil; {
					var more int
					more, err = dec.Read(chunk)
					n += more
					if err != nil && err != io.EOF {
						b.Fatal(err)
					}
				}
				dec.Close()
				if n != len(page) {
					b.Fatalf("%d bytes, want %d", n, len(page))
				}
			}
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
