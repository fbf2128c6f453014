package download

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func TestArchivedExchange(t *testing.T) {
	coded := fetchertest.Gzipped([]byte("<p>hello"))
	s := fetchertest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header()["Date"] = nil
		w.WriteHeader(http.StatusNotFound)
		w.Write(coded)
	})
	x := testExchange(t, s.URL+"/a?b")
	askWith(t, t.Context(), testTransport(t, nil), x, http.Header{
		"User-Agent": {"trawl/1"}, "Authorization": {"Basic secret"}, "Cookie": {"c=d"},
	})
	var a fakeArchive
	x.archive(t.Context(), &a, nil)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonHTTPStatus)
	if len(a.got) != 1 || x.result.Archive != (crawler.Locator{File: "archive/a.warc", Offset: 10, Length: 20}) {
		t.Fatalf("%d exchanges put, locator %v", len(a.got), x.result.Archive)
	}
	g := a.got[0]
	request := "GET /a?b HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.URL, "http://") + "\r\nUser-Agent: trawl/1\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: c=d\r\n\r\n"
	if string(g.Request) != request {
		t.Errorf("request %q, want %q", g.Request, request)
	}
	response := "HTTP/1.1 404 Not Found\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\nContent-Length: " + x.header.Get("Content-Length") + "\r\n\r\n"
	if string(g.Response) != response {
		t.Errorf("response %q, want %q", g.Response, response)
	}
	if !bytes.Equal(g.Body.Bytes, coded) || g.URL != x.url || g.Protocol != "http/1.1" || g.IP != "127.0.0.1" ||
		g.Digest != x.result.Digest || g.Truncated != "" || !g.FetchedAt.Equal(x.result.FetchedAt) {
		t.Errorf("exchange %+v", g)
	}
}

func TestArchiveThatFailsFailsTheResult(t *testing.T) {
	x := testExchange(t, serveBody(t, []byte("<a href=/x>"), "Content-Type", "text/html"))
	ask(t, testTransport(t, nil), x)
	x.archive(t.Context(), &fakeArchive{err: fetchertest.ErrTest}, nil)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonArchive)
	if !x.result.Archive.IsZero() || x.found != nil || x.result.Links != 0 || x.result.Detail != fetchertest.ErrTest.Error() {
		t.Errorf("%+v, links %v", x.result, x.found)
	}
}

func TestArchiveLeavesNoResultWhenTheCallerEnds(t *testing.T) {
	x := testExchange(t, serveBody(t, nil))
	ask(t, testTransport(t, nil), x)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x.archive(ctx, &fakeArchive{err: fetchertest.ErrTest}, nil)
	if x.why != context.Canceled {
		t.Errorf("verdict: %v, %v", x.why, x.result.Outcome)
	}
}

func TestWhatIsArchived(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "100")
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		}
		io.WriteString(w, "body")
	})
	for _, c := range []struct {
		name string
		url  string
		keep keepMode
		want bool
	}{
		{"a page", s.URL + "/", keepWire, true},
		{"an error page", s.URL + "/missing", keepWire, true},
		{"a redirect", s.URL + "/moved", keepWire, true},
		{"a cut page", s.URL + "/cut", keepWire, true},
		{"a file", s.URL + "/", keepDecoded, true},
		{"an error page is not the file", s.URL + "/missing", keepDecoded, false},
		{"a part is not the file", s.URL + "/cut", keepDecoded, false},
		{"nothing is wanted", s.URL + "/", keepNothing, false},
		{"no answer", refusedURL(t), keepWire, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, c.url)
			x.keep = c.keep
			ask(t, testTransport(t, nil), x)
			var a fakeArchive
			x.archive(t.Context(), &a, nil)
			if got := len(a.got) == 1; got != c.want || got == x.result.Archive.IsZero() {
				t.Errorf("%d put, %+v", len(a.got), x.result)
			}
		})
	}
}
