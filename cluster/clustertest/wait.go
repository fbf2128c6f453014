package clustertest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Patience is how long a test waits for what must happen; nothing is asserted about how long it takes.
const Patience = 30 * time.Second

// Must ends the test with an error.
func Must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Log sends a log to the test's; lines that come after the test are dropped.
func Log(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Within waits until the condition holds, for as long as the patience lasts.
func Within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}

// Eventually repeats what may need a moment until it holds, or the context ends.
func Eventually(tb testing.TB, ctx context.Context, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("never: %s", what)
		}
	}
}

// NoLeaks fails the test when a goroutine outlives it. Those of a gossip's probes end by themselves, up to a few
// intervals later.
func NoLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var err error
		deadline := time.Now().Add(Patience)
		for err = goleak.Find(before); err != nil && time.Now().Before(deadline); {
			err = goleak.Find(before)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
