package fetcher

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
)

// TestADownloadGoesOnThroughTheFetcher runs turns: the retry after the interruption, and the second request
// where the server turns the first down, are a turn's.
func TestADownloadGoesOnThroughTheFetcher(t *testing.T) {
	s := newBigServer(t)
	partials := t.TempDir()
	fetch := func() crawler.Result {
		r := newRealWorld(t, strings.TrimSuffix(s.url, "/file"))
		r.job = crawler.NewJob(crawler.Download)
		r.job.AllowPrivate, r.job.IgnoreRobots = []string{"all"}, true
		r.set = func(o *Options) { o.PartialDir = partials }
		return r.fetch("/file")["/file"]
	}
	s.cutAt = bigSize / 2
	if res := fetch(); res.Outcome != crawler.Failed || res.Reason != crawler.ReasonReset || !res.Archive.IsZero() {
		t.Errorf("interrupted: %+v", res)
	}
	s.cutAt = bigSize * 3 / 4
	fetch()
	s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(416) }
	res := fetch()
	if res.Outcome != crawler.Fetched || res.Bytes != bigSize || res.Digest != sha256.Sum256(s.body) || res.Archive.IsZero() {
		t.Errorf("in the end: %+v", res)
	}
	if want := fmt.Sprintf("- bytes=%d- bytes=%d- -", bigSize/2, bigSize*3/4); s.ranges() != want {
		t.Errorf("asked for %s, want %s", s.ranges(), want)
	}
}
