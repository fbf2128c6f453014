package fetcher

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// timeLimit is a limit of time with its name for people.
type timeLimit struct {
	what string
	d    time.Duration // 0 = none
}

// limitError is the cause of a request that was cancelled because a limit of time was hit.
type limitError struct{ timeLimit }

func (e *limitError) Error() string { return fmt.Sprintf("%s %v", e.what, e.d) }

// exchangeClock cancels a request when the limit of its phase, or the one in all, has passed. Bytes
// restart the phase. A restart only notes the time; the timer looks at it when it fires, so that touching
// costs next to nothing. While the exchange waits for this machine (its bandwidth, its disk) the clock is
// paused: that time is not the server's. Safe for concurrent use.
type exchangeClock struct {
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	phase   timeLimit
	until   time.Time // of the phase, zero = none
	total   timeLimit
	totally time.Time // of the whole, zero = none
	paused  time.Time // since when, zero = it runs
	fired   bool      // the timer fired during the pause
	stopped bool
}

// newExchangeClock starts with the limit in all; stop must be called.
func newExchangeClock(total timeLimit, cancel context.CancelCauseFunc) *exchangeClock {
	c := &exchangeClock{cancel: cancel, total: total}
	if total.d > 0 {
		c.totally = time.Now().Add(total.d)
	}
	c.timer = time.AfterFunc(time.Hour, c.look)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arm(time.Now())
	return c
}

// enter begins a phase.
func (c *exchangeClock) enter(phase timeLimit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
	c.restart()
	c.arm(time.Now())
}

// touch begins the phase again: something arrived.
func (c *exchangeClock) touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restart()
}

// pause stops all limits until resume.
func (c *exchangeClock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = time.Now()
}

// resume begins the phase again, and moves the end of the whole by the length of the pause.
func (c *exchangeClock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.totally.IsZero() {
		c.totally = c.totally.Add(now.Sub(c.paused))
	}
	c.paused = time.Time{}
	c.restart()
	if c.fired {
		c.fired = false
		c.arm(now)
	}
}

func (c *exchangeClock) restart() {
	c.until = time.Time{}
	if c.phase.d > 0 {
		c.until = time.Now().Add(c.phase.d)
	}
}

// stop ends all limits.
func (c *exchangeClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.timer.Stop()
}

// arm sets the timer for what comes first. The caller holds mu.
func (c *exchangeClock) arm(now time.Time) {
	next, _ := c.next()
	if c.stopped || next.IsZero() {
		c.timer.Stop()
		return
	}
	c.timer.Reset(next.Sub(now))
}

func (c *exchangeClock) next() (time.Time, timeLimit) {
	if c.until.IsZero() || !c.totally.IsZero() && c.totally.Before(c.until) {
		return c.totally, c.total
	}
	return c.until, c.phase
}

func (c *exchangeClock) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, limit := c.next()
	switch now := time.Now(); {
	case c.stopped || next.IsZero():
	case !c.paused.IsZero():
		c.fired = true
	case next.After(now):
		c.arm(now)
	default:
		c.stopped = true
		c.cancel(&limitError{limit})
	}
}
