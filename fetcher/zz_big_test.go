package fetcher

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
)

// bigSize is the length of the bodies of a bigServer: several syncs long.
const bigSize = 8 * crawler.MiB

// bigServer serves one large body with ranges, and may end answers early.
type bigServer struct {
	url string

	mu       sync.Mutex
	body     []byte
	etag     string
	cutAt    int64 // bytes of the body after which the answer to the next request ends; 0 = it is whole
	requests []http.Header
	answer   http.HandlerFunc // answers ranged requests; nil = as they should be
	kind     string           // content type
	silent   bool             // says nothing of ranges, and takes them
	stall    func()           // called instead of ending the answer; then it ends with the request
}

func newBigServer(t testing.TB) *bigServer {
	s := &bigServer{body: noise(bigSize), etag: `"v1"`, kind: "video/mp4"}
	s.url = serve(t, s.serve).URL + "/file"
	return s
}

func (s *bigServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Header.Clone())
	body, etag, cutAt, answer := s.body, s.etag, s.cutAt, s.answer
	s.cutAt = 0
	s.mu.Unlock()
	if answer != nil && r.Header.Get("Range") != "" {
		answer(w, r)
		return
	}
	w.Header().Set("ETag", etag)
	if !s.silent {
		w.Header().Set("Accept-Ranges", "bytes")
	}
	first := 0
	if r.Header.Get("If-Range") == etag && r.Header.Get("Range") != "" {
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(body)-1, len(body)))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)-first))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Type", s.kind) // a 206 to If-Range may leave it out
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	if cutAt > 0 {
		w.Write(body[first:cutAt])
		w.(http.Flusher).Flush()
		if s.stall != nil {
			s.stall()
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	w.Write(body[first:])
}

// ranges lists the Range fields of the requests so far, "-" for none.
func (s *bigServer) ranges() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, h := range s.requests {
		r := h.Get("Range")
		if r == "" {
			r = "-"
		} else if h.Get("If-Range") == "" {
			r += " without If-Range"
		}
		out = append(out, r)
	}
	return strings.Join(out, " ")
}
