package fetcher

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

// TestADownloadIsResumedThroughTheFetcher runs turns: the retry after the interruption, and the second request
// where the server turns the first down, are a turn's.
func TestADownloadIsResumedThroughTheFetcher(t *testing.T) {
	s := fetchertest.NewBigServer(t)
	partials := t.TempDir()
	fetch := func() crawler.Result {
		r := newRealWorld(t, strings.TrimSuffix(s.URL, "/file"))
		r.job = crawler.NewJob(crawler.Download)
		r.job.AllowPrivate, r.job.IgnoreRobots = []string{"all"}, true
		r.set = func(o *Options) { o.PartialDir = partials }
		return r.fetch("/file")["/file"]
	}
	s.CutAt = fetchertest.BigSize / 2
	if res := fetch(); res.Outcome != crawler.Failed || res.Reason != crawler.ReasonReset || !res.Archive.IsZero() {
		t.Errorf("interrupted: %+v", res)
	}
	s.CutAt = fetchertest.BigSize * 3 / 4
	fetch()
	s.Answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(416) }
	res := fetch()
	if res.Outcome != crawler.Fetched || res.Bytes != fetchertest.BigSize || res.Digest != sha256.Sum256(s.Body) || res.Archive.IsZero() {
		t.Errorf("in the end: %+v", res)
	}
	if want := fmt.Sprintf("- bytes=%d- bytes=%d- -", fetchertest.BigSize/2, fetchertest.BigSize*3/4); s.Ranges() != want {
		t.Errorf("asked for %s, want %s", s.Ranges(), want)
	}
}
