package fetcher

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func TestBodiesOfOtherTypesAreNotRead(t *testing.T) {
	const large = 64 * crawler.MiB
	var wrote, conns atomic.Int64
	var remote atomic.Value
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if remote.Swap(r.RemoteAddr) != r.RemoteAddr {
			conns.Add(1)
		}
		w.Header().Set("Content-Type", "video/mp4")
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "Text/HTML; charset=utf-8")
			io.WriteString(w, `<a href="/a">a</a>`)
		case "/small":
			w.Write(fetchertest.Noise(1000))
		case "/none":
			w.Header()["Content-Type"] = nil
			w.Write(fetchertest.Noise(1000))
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(large))
			for range large / crawler.MiB {
				n, err := w.Write(make([]byte, crawler.MiB))
				if wrote.Add(int64(n)); err != nil {
					return
				}
			}
		case "/moved":
			http.Redirect(w, r, "/page", http.StatusFound)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		}
	})
	r := newRealWorld(t, s.URL)
	r.job.Accept = []string{"text/html"}
	got := r.fetch("/small", "/none", "/page", "/moved", "/missing", "/large")

	for path, says := range map[string]string{"/small": `"video/mp4"`, "/large": `"video/mp4"`, "/none": "no content type"} {
		g := got[path]
		if g.Outcome != crawler.Excluded || g.Reason != crawler.ReasonType || g.Status != 200 || g.Bytes != 0 ||
			!g.Digest.IsZero() || !g.Archive.IsZero() || !strings.Contains(g.Detail, says) || !strings.Contains(g.Detail, "accept") {
			t.Errorf("%s: %+v", path, g)
		}
	}
	if g := got["/page"]; g.Outcome != crawler.Fetched || g.Links != 1 {
		t.Errorf("page: %+v", g)
	}
	if g := got["/moved"]; g.Outcome != crawler.Redirected {
		t.Errorf("moved: %+v", g)
	}
	if g := got["/missing"]; g.Outcome != crawler.Failed || g.Reason != crawler.ReasonHTTPStatus {
		t.Errorf("missing: %+v", g)
	}
	if n := wrote.Load(); n > large/2 {
		t.Errorf("the server could write %d bytes of a body that nobody wants", n)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections: small bodies should not end one", n)
	}
	if len(r.archive.got) != 3 {
		t.Errorf("%d exchanges in the archive", len(r.archive.got))
	}
}
