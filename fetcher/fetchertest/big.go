package fetchertest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
)

// BigSize is the length of the bodies of a BigServer: several syncs long.
const BigSize = 8 * crawler.MiB

// BigServer serves one large body with ranges, and may end answers early.
type BigServer struct {
	URL string

	mu       sync.Mutex
	Body     []byte
	Etag     string
	CutAt    int64 // bytes of the body after which the answer to the next request ends; 0 = it is whole
	Requests []http.Header
	Answer   http.HandlerFunc // answers ranged requests; nil = as they should be
	Kind     string           // content type
	Silent   bool             // says nothing of ranges, and takes them
	Stall    func()           // called instead of ending the answer; then it ends with the request
}

func NewBigServer(t testing.TB) *BigServer {
	s := &BigServer{Body: Noise(BigSize), Etag: `"v1"`, Kind: "video/mp4"}
	s.URL = Serve(t, s.Serve).URL + "/file"
	return s
}

func (s *BigServer) Serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.Requests = append(s.Requests, r.Header.Clone())
	body, etag, cutAt, answer := s.Body, s.Etag, s.CutAt, s.Answer
	s.CutAt = 0
	s.mu.Unlock()
	if answer != nil && r.Header.Get("Range") != "" {
		answer(w, r)
		return
	}
	w.Header().Set("ETag", etag)
	if !s.Silent {
		w.Header().Set("Accept-Ranges", "bytes")
	}
	first := 0
	if r.Header.Get("If-Range") == etag && r.Header.Get("Range") != "" {
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(body)-1, len(body)))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)-first))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Type", s.Kind) // a 206 to If-Range may leave it out
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	}
	if cutAt > 0 {
		w.Write(body[first:cutAt])
		w.(http.Flusher).Flush()
		if s.Stall != nil {
			s.Stall()
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	w.Write(body[first:])
}

// Ranges lists the Range fields of the requests so far, "-" for none.
func (s *BigServer) Ranges() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, h := range s.Requests {
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
