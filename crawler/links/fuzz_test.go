package links

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

// scanInPieces scans a document in pieces of random sizes and tells everything that came of it.
func scanInPieces(doc []byte, format Format, carry, piece int, seed uint64) string {
	var out strings.Builder
	s := NewRawScanner("http://a.test/d/p", format, func(base string, l Raw) {
		fmt.Fprintf(&out, "%s %d %q\n", base, l.Kind, l.Ref)
	})
	s.max = carry
	r := rand.New(rand.NewPCG(seed, 0))
	for len(doc) > 0 {
		n := min(len(doc), 1+r.IntN(piece))
		s.write(bytes.Clone(doc[:n]), 1+int(seed%32))
		doc = doc[n:]
	}
	s.Close()
	fmt.Fprintf(&out, "%q %+v", s.Title(), s.Counts())
	return out.String()
}

// linkWords are what random documents are made of.
var linkWords = strings.Split(`<a |<p |</|<a href=|<A HREF="| href='|src=|style="|>|/>|>|"|'|=|/| |x|1|&amp;|&copy|;|
|<!--|-->|--!>|-|<![CDATA[|]]>|<script|</script|>|<style>|</style>|<title>|</title>|<textarea>|</textarea>|<svg>|</svg>|url(|)|@import |`+
	`/*|*/|\|\31|{|}|<base href=/b/>|<img srcset="| 2x,|<meta http-equiv=refresh content="0;url=|<plaintext>|<foreignObject>|</foreignObject>|`+
	`aaaaaaaaaaaaaaaaaaaaaaaaa|<!|<?|http://b.test/|é|`+"\r|\x00", "|")

func randomDocument(r *rand.Rand, words []string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

func FuzzLinkScannerPieces(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		f.Add([]byte(randomDocument(r, linkWords, 40)), uint8(r.IntN(3)), r.Uint64())
	}
	f.Fuzz(func(t *testing.T, doc []byte, format uint8, seed uint64) {
		for _, carry := range []int{16, 40, MaxLinkCarry} {
			want := scanInPieces(doc, Format(format%3), carry, max(1, len(doc)), seed)
			for _, piece := range []int{1, 3, 20} {
				if got := scanInPieces(doc, Format(format%3), carry, piece, seed); got != want {
					t.Fatalf("limit %d, pieces up to %d\n%q\n got %s\nwant %s", carry, piece, doc, got, want)
				}
			}
		}
	})
}

func TestLinkScannerPiecesMakeNoDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 3000 {
		doc := []byte(randomDocument(r, linkWords, 1+r.IntN(60)))
		carry := []int{16, 24, 64, MaxLinkCarry}[i%4]
		format := Format(i % 3)
		seed := r.Uint64()
		want := scanInPieces(doc, format, carry, len(doc)+1, seed)
		if got := scanInPieces(doc, format, carry, 1+r.IntN(8), seed); got != want {
			t.Fatalf("limit %d, format %d\n%q\n got %s\nwant %s", carry, format, doc, got, want)
		}
	}
}

func TestLinkScannerReadsALargeDocumentInPieces(t *testing.T) {
	doc := bytes.Repeat([]byte(strings.Repeat("text ", 500)+`<a href="/x?`+strings.Repeat("y", 3000)+`">`), 50)
	for _, piece := range []int{1, 100, 5000, len(doc)} {
		n := 0
		s := NewRawScanner("http://a.test/", HTML, func(string, Raw) { n++ })
		for rest := doc; len(rest) > 0; {
			k := min(piece, len(rest))
			if w, err := s.Write(rest[:k]); w != k || err != nil {
				t.Fatalf("Write took %d of %d: %v", w, k, err)
			}
			rest = rest[k:]
		}
		s.Close()
		if n != 50 {
			t.Errorf("pieces of %d: %d links, want 50", piece, n)
		}
	}
}

// TestLinkScannerAgreesWithATokenizer compares the links of a and img with those that the x/net tokenizer
// finds, on random documents without svg (whose CDATA sections it does not know).
func TestLinkScannerAgreesWithATokenizer(t *testing.T) {
	words := slices.DeleteFunc(slices.Clone(linkWords), func(w string) bool {
		return strings.ContainsAny(w, "\x00") || strings.Contains(w, "svg") || strings.Contains(w, "foreign") ||
			strings.Contains(w, "srcset") || strings.Contains(w, "meta") || strings.Contains(w, "style=") || strings.Contains(w, "base") ||
			w == "<style>" || w == "</style>"
	})
	words = append(words, "<img src=", "<area/href=", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<!DOCTYPE ")
	r := rand.New(rand.NewPCG(5, 6))
	found := 0
	for range 20_000 {
		doc := randomDocument(r, words, 1+r.IntN(40))
		var got []string
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n") // the URL parser takes all of them out
		s := NewRawScanner("http://a.test/", HTML, func(_ string, l Raw) { got = append(got, lines.Replace(l.Ref)) })
		s.Write([]byte(doc))
		s.Close()
		if want := tokenizerLinks(doc); !slices.Equal(got, want) {
			t.Fatalf("%q\n got %q\nwant %q", doc, got, want)
		}
		found += len(got)
	}
	if found < 5000 {
		t.Errorf("only %d links in all documents: the test says little", found)
	}
}

func tokenizerLinks(doc string) (refs []string) {
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return refs
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			key := map[string]string{"a": "href", "area": "href", "img": "src", "script": "src", "iframe": "src"}[token.Data]
			for _, a := range token.Attr {
				if a.Key == key {
					if v := strings.Trim(a.Val, ascii.Space); v != "" || key == "href" {
						refs = append(refs, v)
					}
					break
				}
			}
		}
	}
}

// linkPage is a page of about 16 KB with 30 links.
func linkPage() []byte {
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>A page of words &amp; links</title>\n" +
		`<link rel="stylesheet" href="/style.css"><script>var a = 1 < 2, b = "</a>";</script></head><body class="page">` + "\n")
	for i := range 28 {
		fmt.Fprintf(&b, `<div class="item" id="i%d"><h2>Heading %d</h2><p class="text">`, i, i)
		b.WriteString(strings.Repeat("some words of text, ", 21))
		fmt.Fprintf(&b, `<a class="link" href="/section-%d/page-%d.html?a=1&amp;b=%d">more</a></p></div>`+"\n", i%5, i, i)
	}
	b.WriteString(`<img src="/logo.png" alt="logo"></body></html>`)
	return b.Bytes()
}

func BenchmarkLinkScanner(b *testing.B) {
	page := linkPage()
	base := testURL(b, "http://a.test/section-1/index.html")
	b.Run("references", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		n := 0
		s := NewRawScanner(base.String(), HTML, func(string, Raw) { n++ })
		for b.Loop() {
			n = 0
			s.Reset(base, HTML)
			s.Write(page)
			s.Close()
		}
		if n != 30 {
			b.Fatalf("%d links", n)
		}
	})
	b.Run("canonical", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		b.ReportAllocs()
		n := 0
		s := NewScanner(base, HTML, 10_000, func(crawler.Link) { n++ })
		for b.Loop() {
			n = 0
			s.Reset(base, HTML)
			s.Write(page)
			s.Close()
		}
		if n != 30 {
			b.Fatalf("%d links", n)
		}
	})
	b.Run("style sheet", func(b *testing.B) {
		sheet := bytes.Repeat([]byte("/* rule */ .item > .text:hover { color: #123456; margin: 0 1px 2em; background: url(img/a.png) }\n"), 160)
		b.SetBytes(int64(len(sheet)))
		s := NewRawScanner(base.String(), CSS, func(string, Raw) {})
		for b.Loop() {
			s.Reset(base, CSS)
			s.Write(sheet)
			s.Close()
		}
	})
}
