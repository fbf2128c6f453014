//go:build linux

package main

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// stallLook is how often the bench looks whether the machine stands still.
	stallLook = 20 * time.Millisecond
	// maxStall is how late the bench itself may wake for its judgement to count against a plan: who waits that long
	// for a processor may write a request long after looking at the clock.
	maxStall = 100 * time.Millisecond
	// maxTries is how often a plan is run on a machine that stands still.
	maxTries = 3
)

// stallMeter notes how late a sleeper woke at worst.
type stallMeter struct{ worst atomic.Int64 }

// run measures until the context ends.
func (m *stallMeter) run(ctx context.Context) {
	for {
		begin := time.Now()
		if !pause(ctx, stallLook) {
			return
		}
		if late := int64(time.Since(begin) - stallLook); late > m.worst.Load() {
			m.worst.Store(late)
		}
	}
}

func (m *stallMeter) worstStall() time.Duration { return time.Duration(m.worst.Load()) }
