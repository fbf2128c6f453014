package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download/spool"
	"trawl/fetcher/fetchertest"
	"trawl/internal/durable"
)

// resumer fetches one URL again and again, as lanes do, over a directory of unfinished bodies.
type resumer struct {
	t       testing.TB
	dir     string
	kit     *bodyKit
	archive fileArchive
}

func newResumer(t testing.TB) *resumer {
	r := &resumer{t: t, dir: t.TempDir(), kit: testKit(t)}
	r.restart()
	return r
}

// restart is another process over the same directory.
func (r *resumer) restart() {
	var err error
	if r.kit.partials, err = spool.NewPartials(r.dir, slog.New(slog.DiscardHandler), durable.System); err != nil {
		r.t.Fatal(err)
	}
	r.kit.partials.Every = crawler.MiB
}

// fetch carries out an exchange but for its release.
func (r *resumer) fetch(ctx context.Context, url string) *exchange {
	r.t.Helper()
	x := testExchange(r.t, url)
	x.limits.MaxBody, x.limits.Total = 0, 0
	x.keep, x.links, x.identity = keepDecoded, false, true
	r.kit.lendPart(r.t.Context(), x)
	askWith(r.t, ctx, testTransport(r.t, func(o *transportOptions) { o.Kit = r.kit }), x, nil)
	x.archive(r.t.Context(), &r.archive, nil)
	return x
}

// done fetches and releases.
func (r *resumer) done(url string) *exchange {
	x := r.fetch(r.t.Context(), url)
	x.release()
	return x
}

// fileArchive takes spool files over.
type fileArchive struct {
	got []byte
	err error
}

func (a *fileArchive) Put(_ context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	if a.err != nil {
		return crawler.Locator{}, a.err
	}
	var err error
	if a.got = bytes.Clone(x.Body.Bytes); x.Body.File != "" {
		if a.got, err = os.ReadFile(x.Body.File); err == nil {
			err = os.Remove(x.Body.File)
		}
	}
	if int64(len(a.got)) != x.Body.Size {
		err = errors.Join(err, fmt.Errorf("a body of %d bytes is said to have %d", len(a.got), x.Body.Size))
	}
	return crawler.Locator{File: "files/a"}, err
}

func (a *fileArchive) Sync(context.Context) error { return nil }

// wantWhole compares a result with the body that was to come.
func (r *resumer) wantWhole(x *exchange, want []byte) {
	r.t.Helper()
	wantOutcome(r.t, x, crawler.Fetched, "")
	res := &x.result
	if res.Status != 200 || res.Bytes != int64(len(want)) || res.Digest != sha256.Sum256(want) || res.Truncated || !bytes.Equal(r.archive.got, want) {
		r.t.Errorf("result %+v, %d bytes in the archive; want %d", res, len(r.archive.got), len(want))
	}
	if left := fetchertest.Names(r.t, r.dir); len(left) != 0 {
		r.t.Errorf("left: %v", left)
	}
}

// partBytes is the size of the one body in the directory of unfinished ones.
func (r *resumer) partBytes() (n int64) {
	for _, name := range fetchertest.Names(r.t, r.dir) {
		if info, err := os.Stat(filepath.Join(r.dir, name)); err == nil && strings.HasSuffix(name, ".part") {
			n += info.Size()
		}
	}
	return n
}

func TestABodyIsResumedWhereItWasInterrupted(t *testing.T) {
	const cut = fetchertest.BigSize * 4 / 10
	for name, interrupt := range map[string]func(*testing.T, *resumer, *fetchertest.BigServer){
		"by the server": func(t *testing.T, r *resumer, s *fetchertest.BigServer) {
			wantOutcome(t, r.done(s.URL), crawler.Failed, crawler.ReasonReset)
		},
		"by the server, and the process ended": func(t *testing.T, r *resumer, s *fetchertest.BigServer) {
			r.done(s.URL)
			r.restart()
		},
		"by the end of the process at once": func(t *testing.T, r *resumer, s *fetchertest.BigServer) {
			x := r.fetch(t.Context(), s.URL)
			x.part = nil // nothing is put in order
			r.restart()
		},
		"by the end of the lease": func(t *testing.T, r *resumer, s *fetchertest.BigServer) {
			ctx, end := context.WithCancel(t.Context())
			s.Stall = func() {
				ticker := time.NewTicker(time.Millisecond)
				defer ticker.Stop()
				for r.partBytes() < cut && t.Context().Err() == nil {
					<-ticker.C
				}
				end()
			}
			x := r.fetch(ctx, s.URL)
			if x.verdict == Counts {
				t.Errorf("result %+v", x.result)
			}
			x.release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			s.CutAt = cut
			interrupt(t, r, s)
			x := r.done(s.URL)
			r.wantWhole(x, s.Body)
			if x.result.ContentType != "video/mp4" || x.result.ETag != `"v1"` {
				t.Errorf("result %+v", x.result)
			}
			var first int64
			if n, _ := fmt.Sscanf(s.Ranges(), "- bytes=%d-", &first); n != 1 || first < cut-crawler.MiB-bodyChunk || first > cut || len(s.Requests) != 2 {
				t.Errorf("ranges asked for: %s", s.Ranges())
			}
			for i, h := range s.Requests {
				if h.Get("Accept-Encoding") != "identity" {
					t.Errorf("request %d asks for %q", i+1, h.Get("Accept-Encoding"))
				}
			}
		})
	}
}

func TestABodyIsResumedMoreThanOnce(t *testing.T) {
	s, r := fetchertest.NewBigServer(t), newResumer(t)
	for _, cut := range []int64{fetchertest.BigSize / 4, fetchertest.BigSize / 2, fetchertest.BigSize - 10} {
		s.CutAt = cut
		x := r.done(s.URL)
		wantOutcome(t, x, crawler.Failed, crawler.ReasonReset)
		if x.result.Bytes != cut || !x.result.Truncated || x.result.Digest != sha256.Sum256(s.Body[:cut]) {
			t.Errorf("cut at %d: %+v", cut, x.result)
		}
	}
	r.wantWhole(r.done(s.URL), s.Body)
	want := fmt.Sprintf("- bytes=%d- bytes=%d- bytes=%d-", fetchertest.BigSize/4, fetchertest.BigSize/2, fetchertest.BigSize-10)
	if s.Ranges() != want {
		t.Errorf("asked for %s, want %s", s.Ranges(), want)
	}
}

func TestABodyThatWasWholeNeedsItsLastByteOnly(t *testing.T) {
	s, r := fetchertest.NewBigServer(t), newResumer(t)
	r.archive.err = fetchertest.ErrTest // the disk is full, or the process ends before the archive has it
	wantOutcome(t, r.done(s.URL), crawler.Failed, crawler.ReasonArchive)
	r.archive.err = nil
	r.restart()
	r.wantWhole(r.done(s.URL), s.Body)
	if want := fmt.Sprintf("- bytes=%d-", fetchertest.BigSize-1); s.Ranges() != want {
		t.Errorf("asked for %s, want %s", s.Ranges(), want)
	}
}

func TestTheAnswerToARangeDecides(t *testing.T) {
	const cut = fetchertest.BigSize / 2
	partial := func(contentRange string, more ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			for i := 0; i+1 < len(more); i += 2 {
				w.Header().Set(more[i], more[i+1])
			}
			w.WriteHeader(http.StatusPartialContent)
			w.Write(make([]byte, fetchertest.BigSize-cut))
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	fits := fmt.Sprintf("bytes %d-%d/%d", cut, fetchertest.BigSize-1, fetchertest.BigSize)
	const fromZero, whole, kept, gone = "is asked for again", "is replaced", "stays", "is dropped"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // what becomes of what was there
	}{
		{"416", status(416), fromZero},
		{"206 without a range", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(206) }, fromZero},
		{"206 that begins elsewhere", partial(fmt.Sprintf("bytes %d-%d/%d", cut+1, fetchertest.BigSize-1, fetchertest.BigSize)), fromZero},
		{"206 of a body of another length", partial(fmt.Sprintf("bytes %d-%d/%d", cut, fetchertest.BigSize, fetchertest.BigSize+1)), fromZero},
		{"206 of another version", partial(fits, "ETag", `"v2"`), fromZero},
		{"206 with a content coding", partial(fits, "Content-Encoding", "gzip"), fromZero},
		{"206 in several parts", partial("", "Content-Type", "multipart/byteranges; boundary=x"), fromZero},
		{"206 in another unit", partial(fmt.Sprintf("lines %d-%d/%d", cut, fetchertest.BigSize-1, fetchertest.BigSize)), fromZero},
		{"200 with another version", nil, whole},
		{"503", status(503), kept},
		{"500", status(500), kept},
		{"429", status(429), kept},
		{"404", status(404), gone},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			s.CutAt = cut
			r.done(s.URL)
			s.Answer = c.answer
			if c.answer == nil {
				s.Etag, s.Body = `"v2"`, append([]byte("other"), s.Body...)
			}
			x := r.done(s.URL)
			left := fetchertest.Names(t, r.dir)
			switch c.want {
			case fromZero:
				if x.verdict != Restart || len(left) != 0 {
					t.Errorf("%+v, left %v", x.result, left)
				}
				r.wantWhole(r.done(s.URL), s.Body)
			case whole:
				r.wantWhole(x, s.Body)
			case kept:
				if x.verdict == Restart || len(left) != 2 || x.result.Outcome != crawler.Failed {
					t.Errorf("%+v, left %v", x.result, left)
				}
				s.Answer = nil
				r.wantWhole(r.done(s.URL), s.Body)
			case gone:
				if x.verdict == Restart || len(left) != 0 {
					t.Errorf("%+v, left %v", x.result, left)
				}
			}
		})
	}
}

func TestA206ThatIsNotTheWholeRestIsResumedOrRestarted(t *testing.T) {
	const cut = fetchertest.BigSize / 2
	for name, c := range map[string]struct {
		send   int64 // bytes from cut on
		reason crawler.Reason
		left   int
	}{
		"less than the rest": {1000, crawler.ReasonReset, 2},
		"more than the rest": {fetchertest.BigSize - cut + 1, crawler.ReasonProtocol, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			s.CutAt = cut
			r.done(s.URL)
			s.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", cut, min(cut+c.send, fetchertest.BigSize)-1, fetchertest.BigSize))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(append(s.Body, 0)[cut : cut+c.send])
			}
			wantOutcome(t, r.done(s.URL), crawler.Failed, c.reason)
			if left := fetchertest.Names(t, r.dir); len(left) != c.left {
				t.Errorf("left %v", left)
			}
			s.Answer = nil
			r.wantWhole(r.done(s.URL), s.Body)
		})
	}
}

func TestWhatABodyMustHaveToBeResumed(t *testing.T) {
	const date, old, young = "Mon, 02 Jan 2023 15:04:05 GMT", "Mon, 02 Jan 2023 15:03:05 GMT", "Mon, 02 Jan 2023 15:03:06 GMT"
	for _, c := range []struct {
		name   string
		fields string // name value, a line each
		want   string // the validator; "" = it cannot be
	}{
		{"a strong tag", "Accept-Ranges: bytes\nETag: \"a\"", `"a"`},
		{"a strong tag before a date", "Accept-Ranges: bytes\nETag: \"a\"\nLast-Modified: " + old + "\nDate: " + date, `"a"`},
		{"a date that is old enough", "Accept-Ranges: bytes\nLast-Modified: " + old + "\nDate: " + date, old},
		{"a date that is too young", "Accept-Ranges: bytes\nLast-Modified: " + young + "\nDate: " + date, ""},
		{"a date of an answer without one", "Accept-Ranges: bytes\nLast-Modified: " + old, ""},
		{"a date that is none", "Accept-Ranges: bytes\nLast-Modified: old\nDate: " + date, ""},
		{"a weak tag", "Accept-Ranges: bytes\nETag: W/\"a\"\nLast-Modified: " + old + "\nDate: " + date, ""},
		{"a tag that is too long to be kept", "Accept-Ranges: bytes\nETag: \"" + strings.Repeat("a", maxValidator) + "\"", ""},
		{"no validator", "Accept-Ranges: bytes", ""},
		{"no word about ranges", "ETag: \"a\"", `"a"`},
		{"no ranges, in a word", "Accept-Ranges: none\nETag: \"a\"", ""},
		{"ranges among others", "Accept-Ranges: lines, Bytes\nETag: \"a\"", `"a"`},
		{"a coding", "Accept-Ranges: bytes\nETag: \"a\"\nContent-Encoding: gzip", ""},
		{"an unknown coding", "Accept-Ranges: bytes\nETag: \"a\"\nContent-Encoding: x", ""},
		{"identity", "Accept-Ranges: bytes\nETag: \"a\"\nContent-Encoding: identity", `"a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := make(http.Header)
			for line := range strings.SplitSeq(c.fields, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				h.Set(name, value)
			}
			info, ok := resumable(h)
			if ok != (c.want != "") || ok && info.Validator() != c.want {
				t.Errorf("%v, validator %q", ok, info.Validator())
			}
		})
	}
}

func TestOnlyBodiesForTheArchiveAloneAreResumed(t *testing.T) {
	page := append([]byte(`<title>x</title><a href="/a">`), fetchertest.Noise(fetchertest.BigSize)...)
	for name, set := range map[string]func(*exchange){
		"a page whose links are looked for": func(x *exchange) { x.links = true },
		"a text that a callback wants":      func(x *exchange) { x.textLimit = 8 * crawler.MiB },
		"a body for a WARC record":          func(x *exchange) { x.keep = keepWire },
	} {
		t.Run(name, func(t *testing.T) {
			s, r := fetchertest.NewBigServer(t), newResumer(t)
			s.Body, s.Kind, s.CutAt = page, "text/html", fetchertest.BigSize/2
			x := testExchange(t, s.URL)
			x.limits.MaxBody, x.keep, x.links = 0, keepDecoded, false
			set(x)
			r.kit.lendPart(t.Context(), x)
			ask(t, testTransport(t, func(o *transportOptions) { o.Kit = r.kit }), x)
			wantOutcome(t, x, crawler.Failed, crawler.ReasonReset)
			x.release()
			if left := fetchertest.Names(t, r.dir); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestALimitThatWasLoweredCutsABodyThatWasInterrupted(t *testing.T) {
	s, r := fetchertest.NewBigServer(t), newResumer(t)
	s.CutAt = fetchertest.BigSize / 2
	r.done(s.URL)
	x := testExchange(t, s.URL)
	x.limits.MaxBody, x.keep, x.links = crawler.MiB, keepDecoded, false
	r.kit.lendPart(t.Context(), x)
	ask(t, testTransport(t, func(o *transportOptions) { o.Kit = r.kit }), x)
	wantOutcome(t, x, crawler.Fetched, "")
	if x.result.Bytes != crawler.MiB || !x.result.Truncated || x.cut.bound != crawler.BoundBody || s.Ranges() != "- -" {
		t.Errorf("%+v, asked for %s", x.result, s.Ranges())
	}
	x.release()
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes */10", "bytes 9-5/10", "bytes 1-2/2", "bytes -1-2/3", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span, ok := contentRange(http.Header{"Content-Range": {s}})
		if ok && (span.first < 0 || span.last < span.first || span.total >= 0 && span.total <= span.last || !strings.HasPrefix(s, "bytes ")) {
			t.Errorf("%q: %+v", s, span)
		}
	})
}
