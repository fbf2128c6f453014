//go:build linux

package main

import (
	"context"
	"slices"
	"sync"
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

// span is a time in which the machine stood still.
type span struct{ from, to time.Time }

// stallMeter notes when a sleeper woke late. Safe for concurrent use.
type stallMeter struct {
	mu    sync.Mutex
	spans []span // of maxStall and longer
	worst time.Duration
}

// run measures until the context ends.
func (m *stallMeter) run(ctx context.Context) {
	for {
		begin := time.Now()
		if !pause(ctx, stallLook) {
			return
		}
		now := time.Now()
		late := now.Sub(begin) - stallLook
		m.mu.Lock()
		m.worst = max(m.worst, late)
		if late >= maxStall {
			m.spans = append(m.spans, span{begin, now})
		}
		m.mu.Unlock()
	}
}

func (m *stallMeter) told() (spans []span, worst time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.spans), m.worst
}

// stallAfter is how long after a stall the server may still note what came meanwhile.
const stallAfter = 100 * time.Millisecond

// stalled is how long the machine had stood still when the server noted a request.
func stalled(spans []span, t time.Time) (d time.Duration) {
	for _, s := range spans {
		if t.After(s.from) && t.Before(s.to.Add(stallAfter)) {
			d += s.to.Sub(s.from)
		}
	}
	return d
}
