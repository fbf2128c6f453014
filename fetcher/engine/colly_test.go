package engine

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"trawl/fetcher/fetchertest"
)

func TestACollectorThatVisitsNothingReachesNobody(t *testing.T) {
	var requests atomic.Int64
	s := fetchertest.Serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	e := NewColly(nil, slog.New(slog.DiscardHandler))
	v := e.Visitor()
	if err := v.Visit(t.Context(), http.DefaultTransport, s.URL, nil); err != nil || requests.Load() != 1 {
		t.Errorf("a visit: %v, %d requests", err, requests.Load())
	}
	v.Close()
	if err := e.take().Visit(s.URL); err == nil || requests.Load() != 1 {
		t.Errorf("a collector that was given back: %v, %d requests", err, requests.Load())
	}
}
