// Package webfarmtest runs a web farm for the time of a test.
package webfarmtest

import (
	"context"
	"runtime"
	"testing"

	"trawl/internal/webfarm"
)

// Start runs a farm until the test ends. Where 127.0.0.0/8 is not routed, hosts are ports.
func Start(t testing.TB, o webfarm.Options) *webfarm.Farm {
	t.Helper()
	o.Ports = o.Ports || runtime.GOOS != "linux"
	f, err := webfarm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}
