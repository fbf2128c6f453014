package machine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

// diskInterval is the time between two looks at the disk. At 1 GB/s a disk loses 2 GB in it, so who writes
// that fast sets Options.MinFree higher.
const diskInterval = 2 * time.Second

// WatchDisk looks at the disk of path until the context ends, and sends once on full when it has less than
// min free bytes. A disk that cannot be looked at is logged once and watched no more.
func WatchDisk(ctx context.Context, path string, min int64, full chan<- struct{}, log *slog.Logger) error {
	if min <= 0 {
		return nil
	}
	t := time.NewTicker(diskInterval)
	defer t.Stop()
	for {
		free, err := freeBytes(path)
		switch {
		case err != nil:
			log.Warn("the free space of the disk is not known, `min-free` is not kept", "directory", path, "error", err)
			return nil
		case free < min:
			log.Warn("the disk is nearly full: stopping; make room or lower `min-free`, and run the same command to go on",
				"directory", path, "free_bytes", free, "min_free_bytes", min)
			full <- struct{}{}
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// freeBytes is what an ordinary user may still write on the disk of path.
func freeBytes(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("look at disk: %w", err)
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize)), nil
}
