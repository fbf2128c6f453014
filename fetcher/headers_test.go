package fetcher

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/fetcher/fetchertest"
)

func TestHeadersOfTheUserGoWithEachRequestAndNotIntoTheArchive(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]http.Header)
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path] = r.Header.Clone()
		if r.URL.Path != "/robots.txt" {
			io.WriteString(w, "page")
		}
	})
	r := newRealWorld(t, s.URL)
	r.job.IgnoreRobots = false
	r.job.Headers = []crawler.Header{
		{Name: "x-key", Value: "of the job"}, {Name: "X-Twice", Value: "1"}, {Name: "X-Twice", Value: "2"},
		{Name: "accept-language", Value: "de"}, {Name: "Cookie", Value: "own=1"}, {Name: "Authorization", Value: "Bearer own"},
		{Name: "If-None-Match", Value: `"own"`},
	}
	r.job.Hosts = []crawler.HostRule{
		{Match: "127.0.0.1", Headers: []crawler.Header{{Name: "X-Key", Value: "of the host"}}},
		{Match: "other.test", Headers: []crawler.Header{{Name: "X-Key", Value: "of another"}}},
	}
	r.answer = func(int, crawler.Ask) (crawler.Answer, error) {
		a := r.grant()
		a.Cookies, a.Credentials, a.Seeds = fetchertest.Granted("127.0.0.1", "jar=2"), session.Credentials{HTTP: "me:secret"}, session.SpelledHTTP
		return a, nil
	}
	r.fetch("/page")
	for _, path := range []string{"/robots.txt", "/page"} {
		for name, want := range map[string]string{
			"X-Key": "of the host", "X-Twice": "2", "Accept-Language": "de", "Cookie": "own=1; jar=2",
			"Authorization": "Basic bWU6c2VjcmV0", "User-Agent": r.job.UserAgent,
		} {
			if got := strings.Join(seen[path].Values(name), "|"); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	for _, x := range r.archive.got {
		head := string(x.Request)
		if !strings.Contains(head, "Accept-Language: de") || !strings.Contains(head, "User-Agent: ") {
			t.Errorf("%s: archived %q", x.URL.Path(), head)
		}
		for _, private := range []string{"X-Key", "of the host", "X-Twice", "own=1", "jar=2", "Authorization", "secret"} {
			if strings.Contains(head, private) {
				t.Errorf("%s: %s is archived: %q", x.URL.Path(), private, head)
			}
		}
	}
}

func TestBandwidthFollowsTheJob(t *testing.T) {
	w := newWorld(t)
	f, err := New(Options{Name: "f1", Tasks: w, Scheduler: w, Reports: w, Archive: w, SpoolDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		job   int64
		limit rate.Limit
		burst int
	}{
		{0, rate.Inf, 0},
		{crawler.MinBandwidth, crawler.MinBandwidth, crawler.MinBandwidth},
		{10 * crawler.MiB, 10 * crawler.MiB, 10 * crawler.MiB},
		{0, rate.Inf, 0},
		{100 * crawler.KiB, 100 * crawler.KiB, 100 * crawler.KiB},
	} {
		w.job.Bandwidth = c.job
		if err := f.refresh(context.Background(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if l := f.bandwidth; l.Limit() != c.limit || c.burst > 0 && l.Burst() != c.burst {
			t.Errorf("job %d: limit %v, burst %d", c.job, l.Limit(), l.Burst())
		}
	}
}

func TestBodiesComeNoFasterThanTheBandwidth(t *testing.T) {
	const limit, pages, size = 4 * crawler.MiB, 3, 2 * crawler.MiB
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, size)) })
	r := newRealWorld(t, s.URL)
	r.job.Bandwidth = limit
	begin := time.Now()
	got := r.fetch("/1", "/2", "/3")
	for path, g := range got {
		if g.Bytes != size {
			t.Errorf("%s: %+v", path, g)
		}
	}
	// The first second's worth is there at once; the rest cannot come sooner.
	if took, least := time.Since(begin), time.Duration((pages*size-limit)*int64(time.Second)/limit); took < least {
		t.Errorf("took %v, at least %v at the limit", took, least)
	}
}
