package wire

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
)

// usualPart is a part of 100 pages with 20 links each, most of them on the same site.
func usualPart(tb testing.TB) *crawler.Part {
	p := crawler.Part{Turn: id[crawler.TurnID](1), Holder: id[crawler.HolderID](2), Life: id[crawler.Life](3), Host: "host1.example", Fetcher: "fetcher-1", Number: 3}
	for i := range 100 {
		page := mustURL(tb, fmt.Sprintf("https://host1.example/some/path/of/usual/length/%d.html", i))
		p.Results = append(p.Results, crawler.Result{
			URL: page, Outcome: crawler.Fetched, Status: 200, ContentType: "text/html; charset=utf-8", Bytes: 16384, Digest: crawler.Digest{byte(i), 31: 1},
			Title: "A page of usual length", Links: 30, FetchedAt: time.UnixMilli(1_700_000_000_000 + int64(i)).UTC(), Duration: 30 * time.Millisecond, IP: "192.0.2.1",
			Archive: crawler.Locator{File: "archive/fetcher-1-20260101-00001.warc.gz", Offset: int64(i) * 5000, Length: 4800},
		})
		links := crawler.PageLinks{Page: page}
		for k := range 20 {
			host := "host1.example"
			if k%5 == 0 {
				host = "host2.example"
			}
			links.Links = append(links.Links, crawler.Link{URL: mustURL(tb, fmt.Sprintf("https://%s/some/path/of/usual/length/%d-%d.html", host, i, k))})
		}
		p.Links = append(p.Links, links)
	}
	return &p
}

// BenchmarkPart writes and reads a usual part.
func BenchmarkPart(b *testing.B) { benchPart(b, usualPart(b)) }

// BenchmarkPartWithoutLinks writes and reads 100 results.
func BenchmarkPartWithoutLinks(b *testing.B) {
	p := usualPart(b)
	p.Links = nil
	benchPart(b, p)
}

func benchPart(b *testing.B, p *crawler.Part) {
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		encoded, err := EncodePart(p)
		if err != nil {
			b.Fatal(err)
		}
		if size = len(encoded); size == 0 {
			b.Fatal("nothing")
		}
		if _, err := DecodePart(encoded); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size), "B/part")
}
