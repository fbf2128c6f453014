package storagetest

import (
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Row is the nth of many usual rows of a crawl, not asked for yet.
func Row(n int) *crawler.Row {
	u := weburl.MustParse(fmt.Sprintf("https://host%d.example/some/path/of/usual/length/%d.html", n/1000, n))
	return &crawler.Row{
		Result: crawler.Result{URL: u},
		Depth:  n % 7, Via: "https://" + string(u.Host()) + "/some/path/", Seed: "https://" + string(u.Host()) + "/",
		FirstSeen: time.Unix(1_700_000_000, int64(n)), Sequence: uint64(n + 1),
	}
}

// Settled is the row when its page was fetched.
func Settled(r *crawler.Row) *crawler.Row {
	s := *r
	s.Outcome, s.Status, s.ContentType, s.Bytes = crawler.Fetched, 200, "text/html; charset=utf-8", 16384
	s.Digest[r.Sequence%32] = byte(r.Sequence)
	s.Title, s.Links, s.FetchedAt, s.Duration = "A page of usual length", 30, r.FirstSeen.Add(time.Minute), 30*time.Millisecond
	s.IP, s.Fetcher, s.Attempts = "192.0.2.1", "fetcher-1", 1
	s.Archive = crawler.Locator{File: "archive/fetcher-1-20260101-00001.warc.gz", Offset: int64(r.Sequence) * 5000, Length: 4800}
	return &s
}
