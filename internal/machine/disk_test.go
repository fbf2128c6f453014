package machine

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
)

func TestADiskThatIsNearlyFullIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	full := make(chan struct{}, 1)
	if err := WatchDisk(t.Context(), t.TempDir(), math.MaxInt64, full, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	select {
	case <-full:
	default:
		t.Error("nothing came")
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "`min-free`") {
		t.Errorf("%d lines, want one that names `min-free`: %s", n, &log)
	}
}

func TestADiskWithRoomIsWatchedUntilTheEnd(t *testing.T) {
	full := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- WatchDisk(ctx, t.TempDir(), 1, full, slog.New(slog.DiscardHandler)) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	select {
	case <-full:
		t.Error("a disk with room is told to be full")
	default:
	}
}

func TestADiskThatCannotBeLookedAtStopsNothing(t *testing.T) {
	var log bytes.Buffer
	full := make(chan struct{}, 1)
	err := WatchDisk(t.Context(), t.TempDir()+"/none", 1, full, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || len(full) > 0 || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("%v, full %d, log %q; want a warning only", err, len(full), &log)
	}
	if err := WatchDisk(t.Context(), "", 0, full, nil); err != nil || len(full) > 0 {
		t.Errorf("without a limit: %v, full %d", err, len(full))
	}
}
