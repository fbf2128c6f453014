package lease

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrOver: the right to ask the host ended before the exchange did. What was under way has no
// result; the URL stays leased to its turn.
var ErrOver = errors.New("the right to ask the host ended")

// leaseLook is how often a watched lease looks at the wall clock, so that a jump of it is noticed before
// the timer, which runs on the monotonic clock, would say so.
const leaseLook = time.Second

// Lease is the right to ask a host. It counts from the asking and ends by itself, at the latest when
// either clock, monotonic or wall, says that its time has passed: the monotonic clock stands still while
// a machine sleeps, the wall clock may be set back. Its methods are safe for concurrent use.
type Lease struct {
	mu       sync.Mutex
	t0       time.Time // the asking
	length   time.Duration
	early    bool                 // ended by End
	offset   func() time.Duration // of the wall clock from the machine's, in tests that move it
	offset0  time.Duration        // at the asking
	changed  chan struct{}        // of one slot: Watch should look
	extended chan struct{}        // closed when the end moves
}

// New starts a right of length d that was asked for at t0. t0 should carry a monotonic reading.
func New(t0 time.Time, d time.Duration) *Lease {
	return &Lease{t0: t0, length: d, changed: make(chan struct{}, 1), extended: make(chan struct{}), offset: func() time.Duration { return 0 }}
}

// WithOffset lets the wall clock differ from the machine's.
func (l *Lease) WithOffset(offset func() time.Duration) *Lease {
	if offset != nil {
		l.offset, l.offset0 = offset, offset()
	}
	return l
}

// Extend moves the end to d after t0, never back. A right that had lapsed is valid again: the scheduler
// only grants what nobody else holds. After End it does nothing.
func (l *Lease) Extend(t0 time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t0.Sub(l.t0)+d > l.length {
		l.t0, l.length, l.offset0 = t0, d, l.offset()
		close(l.extended)
		l.extended = make(chan struct{})
		l.wake()
	}
}

// Extended is closed by the next Extend that moves the end.
func (l *Lease) Extended() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.extended
}

// End gives the right up for good.
func (l *Lease) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.early = true
	l.wake()
}

func (l *Lease) wake() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Over reports whether the right has ended at now.
func (l *Lease) Over(now time.Time) bool { return l.left(now) <= 0 }

// left is how long the right lasts from now, by the clock that went further; 0 or less when it is over.
func (l *Lease) left(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.early {
		return 0
	}
	return l.length - l.elapsed(now)
}

// elapsed is the time from the asking to now by the clock that went further, monotonic or wall.
func (l *Lease) elapsed(now time.Time) time.Duration {
	return max(now.Sub(l.t0), now.Round(0).Sub(l.t0.Round(0))+l.offset()-l.offset0)
}

// Watch calls ended each time the right ends, in the caller's goroutine, and returns when ctx is done or
// after End. It is called once.
func (l *Lease) Watch(ctx context.Context, now func() time.Time, ended func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	reported := false
	for {
		left := l.left(now())
		switch {
		case left > 0:
			reported = false
			timer.Reset(min(left, leaseLook))
		case !reported:
			reported = true
			ended()
		}
		if l.given() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-timer.C:
		}
	}
}

// given reports whether the right was given up.
func (l *Lease) given() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.early
}
