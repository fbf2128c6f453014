package fetcher

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

func TestLimitsThatAreHitAreReported(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/robots.txt":
			io.WriteString(w, "User-agent: *\nDisallow: /none\n"+strings.Repeat("# more\n", 1000))
		case "/links":
			for n := range 30 {
				fmt.Fprintf(w, `<a href="/%d">`, n)
			}
			fmt.Fprintf(w, `<a href="mailto:x"><a href="http://[/"><a href="/%s">`, strings.Repeat("long", weburl.MaxBytes))
		case "/body":
			w.Header().Set("Content-Type", "image/png")
			w.Write(make([]byte, 200_000))
		case "/bomb":
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(fetchertest.Gzipped(make([]byte, 90_000)))
		case "/header":
			w.Header().Set("X-Large", strings.Repeat("x", 100_000))
		}
	})
	for path, want := range map[string]struct{ bounds, dropped download.Tally }{
		"/links":  {download.Tally{crawler.BoundLinks: 1}, download.Tally{crawler.DropTooMany: 20, crawler.DropNotHTTP: 1, crawler.DropTooLong: 1, download.DropInvalid: 1}},
		"/body":   {download.Tally{crawler.BoundBody: 1}, nil},
		"/bomb":   {download.Tally{crawler.BoundRatio: 1}, nil},
		"/header": {download.Tally{crawler.BoundHeader: 1}, nil},
		"/plain":  {nil, nil},
	} {
		t.Run(path[1:], func(t *testing.T) {
			r := newRealWorld(t, s.URL)
			r.job.Fetch.Links, r.job.Fetch.MaxBody, r.job.Fetch.RatioAfter = 10, 100_000, 50_000
			r.fetch(path)
			bounds, dropped := r.tallies()
			if !maps.Equal(bounds, want.bounds) || !maps.Equal(dropped, want.dropped) {
				t.Errorf("bounds %v, want %v; dropped %v, want %v", bounds, want.bounds, dropped, want.dropped)
			}
		})
	}
	t.Run("of robots.txt, over the parts of a turn", func(t *testing.T) {
		r := newRealWorld(t, s.URL)
		r.job.IgnoreRobots = false
		r.job.Fetch.Robots, r.job.Fetch.MaxBody = 1000, 100_000
		r.fetch("/body", "/plain", "/body?2")
		if bounds, _ := r.tallies(); !maps.Equal(bounds, download.Tally{crawler.BoundRobots: 1, crawler.BoundBody: 2}) {
			t.Errorf("bounds %v", bounds)
		}
	})
}

// tallies sums what all parts tell.
func (w *world) tallies() (bounds, dropped download.Tally) {
	for _, p := range w.sentParts() {
		for word, n := range p.State.Bounds {
			bounds.Add(word, int(n))
		}
		for word, n := range p.State.Dropped {
			dropped.Add(word, int(n))
		}
	}
	return bounds, dropped
}
