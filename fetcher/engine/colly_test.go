package engine

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/gocolly/colly/v2"

	"trawl/fetcher/fetchertest"
)

func TestACollectorThatVisitsNothingReachesNobody(t *testing.T) {
	var requests atomic.Int64
	s := fetchertest.Serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	e := NewColly(func(*colly.Collector) {}, slog.New(slog.DiscardHandler))
	v := e.Visitor()
	if err := v.Visit(t.Context(), http.DefaultTransport, s.URL, nil); err != nil || requests.Load() != 1 {
		t.Errorf("a visit: %v, %d requests", err, requests.Load())
	}
	v.Close()
	if err := e.take().Visit(s.URL); err == nil || requests.Load() != 1 {
		t.Errorf("a collector that was given back: %v, %d requests", err, requests.Load())
	}
}

func TestOnlyCallbacksReadTheURL(t *testing.T) {
	const page = "http://www.example.com/some/page"
	for _, c := range []struct {
		name    string
		prepare func(*colly.Collector)
		want    string
	}{
		{"without callbacks", nil, unread},
		{"with callbacks", func(*colly.Collector) {}, page},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := visited("")
			v := NewColly(c.prepare, slog.New(slog.DiscardHandler)).Visitor()
			defer v.Close()
			if err := v.Visit(t.Context(), &got, page, nil); err != nil || string(got) != c.want {
				t.Errorf("asked for %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

// visited is the URL of the last request.
type visited string

func (v *visited) RoundTrip(r *http.Request) (*http.Response, error) {
	*v = visited(r.URL.String())
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

func BenchmarkVisit(b *testing.B) {
	v := NewColly(nil, slog.New(slog.DiscardHandler)).Visitor()
	defer v.Close()
	var t visited
	header := http.Header{"User-Agent": {"bench"}, "Accept": {"*/*"}}
	b.ReportAllocs()
	for b.Loop() {
		v.Visit(b.Context(), &t, "http://127.0.0.1:8080/s1/page-217.html", header)
	}
}
