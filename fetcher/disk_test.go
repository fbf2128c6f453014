package fetcher

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"trawl/fetcher/download"
)

func TestAFullDiskIsNoFateOfURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		full := &os.PathError{Op: "write", Path: "x.warc", Err: syscall.ENOSPC}
		w.page = func(_ context.Context, u download.Page) download.Finding {
			if u.URL.String() == "http://a.test/3" {
				return download.Finding{Verdict: download.DiskFailed, Why: full}
			}
			return download.Finding{}
		}
		w.task(pages(9)...)
		w.turn(time.Minute)
		asked := w.asked()
		if last := asked[len(asked)-1]; last.url != "http://a.test/3" || len(asked) == 9 {
			t.Errorf("%d requests, the last for %s: others went out after the disk was full", len(asked), last.url)
		}
		if n := len(w.results()); n != len(asked)-1 {
			t.Errorf("%d results of %d requests", n, len(asked))
		}
		parts := w.sentParts()
		if len(parts) == 0 || !parts[len(parts)-1].End {
			t.Error("the turn did not end in order")
		}
	})
}
