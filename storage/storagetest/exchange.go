package storagetest

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/codingtest"
	"trawl/crawler/weburl"
)

// Exchange is a page with a body, as a fetcher hands it to an archive.
func Exchange(url, body string) *crawler.Exchange {
	u := weburl.MustParse(url)
	return &crawler.Exchange{
		URL: u, FetchedAt: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), IP: "192.0.2.7", Protocol: "http/1.1",
		Request:  []byte("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + string(u.Host()) + "\r\n\r\n"),
		Response: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"),
		Body:     crawler.Body{Bytes: []byte(body), Size: int64(len(body))}, Digest: Digest(body),
	}
}

// Coded is Exchange with the body in a content coding; "raw" is deflate without its frame.
func Coded(t testing.TB, url, coding, body string) *crawler.Exchange {
	x := Exchange(url, body)
	b := codingtest.Encode(t, coding, []byte(body))
	x.Body = crawler.Body{Bytes: b, Size: int64(len(b))}
	x.Response = []byte("HTTP/1.1 200 OK\r\nContent-Encoding: " + strings.Replace(coding, "raw", "deflate", 1) + "\r\n\r\n")
	return x
}

// Digest is that of a body.
func Digest(s string) crawler.Digest { return crawler.Digest(sha256.Sum256([]byte(s))) }

// Put puts an exchange into an archive, which must take it.
func Put(t testing.TB, a interface {
	Put(context.Context, *crawler.Exchange) (crawler.Locator, error)
}, x *crawler.Exchange) crawler.Locator {
	t.Helper()
	l, err := a.Put(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Sync syncs an archive, which must not fail.
func Sync(t testing.TB, a interface{ Sync(context.Context) error }) {
	t.Helper()
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}
