package download

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

// tries fetches a body that is cut at the places, and reports which tries made progress.
func (r *resumer) tries(s *fetchertest.BigServer, cuts ...int64) (progress []bool) {
	r.t.Helper()
	for _, cut := range cuts {
		s.CutAt = cut
		x := r.fetch(r.t.Context(), s.URL)
		x.noteProgress()
		wantOutcome(r.t, x, crawler.Failed, crawler.ReasonReset)
		x.release()
		progress = append(progress, x.result.Progress)
	}
	return progress
}

func TestATryThatBringsTheBodyOnIsProgress(t *testing.T) {
	const least = progressLeast
	for _, c := range []struct {
		name string
		cuts []int64
		want []bool
	}{
		{"a small beginning", []int64{least}, []bool{true}},
		{"a smaller one", []int64{least - 1}, []bool{false}},
		{"each time a little more", []int64{least, 2 * least, 3*least - 1, 4 * least}, []bool{true, true, false, true}},
		{"nothing new", []int64{2 * least, 2*least + 1}, []bool{true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			if got := r.tries(s, c.cuts...); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("progress %v, want %v", got, c.want)
			}
			r.wantWhole(r.done(s.URL), s.Body)
		})
	}
}

// A server that changes what it sends each time, and never sends all of it, makes no progress for ever.
func TestAnotherVersionIsNoProgress(t *testing.T) {
	s, r := fetchertest.NewBigServer(t), newResumer(t)
	r.tries(s, 1<<20)
	s.Etag = `"v2"`
	if got := r.tries(s, 1<<20); got[0] {
		t.Error("as much of another version is progress")
	}
}

// Without Accept-Ranges a range is asked for all the same: If-Range makes it safe.
func TestWhatCameIsKeptFromTheFirstByte(t *testing.T) {
	for _, silent := range []bool{false, true} {
		s, r := fetchertest.NewBigServer(t), newResumer(t)
		s.Silent = silent
		r.tries(s, 1, 200_000, 300_000)
		r.restart()
		r.wantWhole(r.done(s.URL), s.Body)
		if want := "- bytes=1- bytes=200000- bytes=300000-"; s.Ranges() != want {
			t.Errorf("asked for %s, want %s", s.Ranges(), want)
		}
	}
}

func TestAServerThatTakesNoRangesIsNotAskedForOne(t *testing.T) {
	s, r := fetchertest.NewBigServer(t), newResumer(t)
	body := s.Body
	s.URL = fetchertest.Serve(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Accept-Ranges", "none")
		s.Silent = true
		s.Serve(w, q)
	}).URL
	r.tries(s, 200_000)
	r.wantWhole(r.done(s.URL), body)
	if want := "- -"; s.Ranges() != want {
		t.Errorf("asked for %s, want %s", s.Ranges(), want)
	}
}

// Servers that work in blocks begin earlier than asked. What is there already is compared, and passed over.
func TestARangeThatBeginsEarlierIsCutAtTheOverlap(t *testing.T) {
	const had = 200_000
	for _, c := range []struct {
		name  string
		first int64
		other bool // the bytes are not those that came before
	}{
		{"by a block", had - had%65536, false},
		{"by a byte", had - 1, false},
		{"by all of it", 0, false},
		{"with other bytes", had - 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			r.tries(s, had)
			s.Answer = func(w http.ResponseWriter, _ *http.Request) {
				rest := bytes.Clone(s.Body[c.first:])
				if c.other {
					rest[0]++
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", c.first, fetchertest.BigSize-1, fetchertest.BigSize))
				w.Header().Set("ETag", s.Etag)
				w.WriteHeader(http.StatusPartialContent)
				w.Write(rest)
			}
			x := r.done(s.URL)
			if c.other {
				if x.verdict != Restart || len(fetchertest.Names(t, r.dir)) != 0 {
					t.Errorf("%+v, left %v", x.result, fetchertest.Names(t, r.dir))
				}
				x = r.done(s.URL)
			}
			r.wantWhole(x, s.Body)
		})
	}
}
