package trouble

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

func TestADiskIsTriedUntilItTakesBodies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	synctest.Test(t, func(t *testing.T) {
		d := &Disk{dir: dir, log: slog.New(slog.DiscardHandler)}
		d.Wait(t.Context()) // at once: nothing failed yet
		d.Failed(syscall.ENOSPC)
		begin := time.Now()
		waited := make(chan time.Duration, 1)
		go func() {
			d.Wait(t.Context())
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
		if IsDisk(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
