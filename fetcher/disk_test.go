package fetcher

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFullDiskIsNoFateOfURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		full := &os.PathError{Op: "write", Path: "x.warc", Err: syscall.ENOSPC}
		w.page = func(_ context.Context, u Page) Finding {
			if u.URL.String() == "http://a.test/3" {
				return Finding{Verdict: diskFailed, Why: full}
			}
			return Finding{}
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

func TestADiskIsTriedUntilItTakesBodies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	synctest.Test(t, func(t *testing.T) {
		d := &disk{dir: dir, log: slog.New(slog.DiscardHandler)}
		d.wait(t.Context()) // at once: nothing failed yet
		d.failed(syscall.ENOSPC)
		begin := time.Now()
		waited := make(chan time.Duration, 1)
		go func() {
			d.wait(t.Context())
			waited <- time.Since(begin)
		}()
		time.AfterFunc(10*time.Second, func() {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Error(err)
			}
		})
		if took := <-waited; took < 10*time.Second || took > 20*time.Second {
			t.Errorf("waited %v for room that came after 10s", took)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestWhatIsTheDisksTrouble(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("put: %w", &os.PathError{Err: syscall.ENOSPC}): true,
		syscall.EROFS:        true,
		syscall.ENAMETOOLONG: false,
		context.Canceled:     false,
	} {
		if diskTrouble(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
