package download

import (
	"context"
	"fmt"
	"sync"
	"time"

	"trawl/crawler"
)

// timeLimit is a limit of time with its name for people.
type timeLimit struct {
	what string
	d    time.Duration // 0 = none
}

// Of a body whose exchange has no limit in all, slowLeast bytes must come in each slowTime: one byte a minute would hold a
// lane for ever. A try that brought so much counts as progress where the body can be resumed.
const (
	slowLeast = progressLeast
	slowTime  = 10 * time.Minute
)

// limitError is the cause of a request that was cancelled because a limit of time was hit.
type limitError struct{ timeLimit }

func (e *limitError) Error() string { return fmt.Sprintf("%s %v", e.what, e.d) }

// exchangeClock cancels a request when the limit of its phase, or the one in all, has passed. Bytes
// restart the phase. While the exchange waits for this machine (its bandwidth, its disk) the clock is
// paused: that time is not the server's.
//
// A lane has one for all its exchanges. What begins later or is put off only notes the time: the timer is left as it is, and
// looks again when it fires, so that a usual page never touches it. Safe for concurrent use; close must be called.
type exchangeClock struct {
	mu      sync.Mutex
	timer   *time.Timer             // nil before the first limit
	armed   time.Time               // when the timer fires, zero = it does not
	cancel  context.CancelCauseFunc // of the exchange under way, nil = none
	phase   timeLimit
	until   time.Time // of the phase, zero = none
	total   timeLimit
	totally time.Time // of the whole, zero = none
	slowly  time.Time // until when slowLeast bytes must have come, zero = they need not
	brought int       // bytes since that was set
	paused  time.Time // since when, zero = it runs
	fired   bool      // the timer fired during the pause
}

// begin starts an exchange with its limit in all; end must be called.
func (c *exchangeClock) begin(total timeLimit, cancel context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel, c.phase, c.total = cancel, timeLimit{}, total
	c.until, c.totally, c.slowly, c.paused = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	c.brought, c.fired = 0, false
	if total.d > 0 {
		now := time.Now()
		c.totally = now.Add(total.d)
		c.arm(now)
	}
}

// enter begins a phase.
func (c *exchangeClock) enter(phase timeLimit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.phase = phase
	c.restart(now)
	c.arm(now)
}

// touch begins the phase again: n bytes arrived.
func (c *exchangeClock) touch(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.restart(now)
	if c.brought += n; c.brought >= slowLeast && !c.slowly.IsZero() {
		c.brought, c.slowly = 0, now.Add(slowTime)
	}
}

// body begins the phase of the body. Without a limit in all it has one for its slowness.
func (c *exchangeClock) body(phase timeLimit) {
	c.enter(phase)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.totally.IsZero() {
		now := time.Now()
		c.brought, c.slowly = 0, now.Add(slowTime)
		c.arm(now)
	}
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
	for _, end := range []*time.Time{&c.totally, &c.slowly} {
		if !end.IsZero() {
			*end = end.Add(now.Sub(c.paused))
		}
	}
	c.paused = time.Time{}
	c.restart(now)
	if c.fired {
		c.fired = false
		c.arm(now)
	}
}

func (c *exchangeClock) restart(now time.Time) {
	c.until = time.Time{}
	if c.phase.d > 0 {
		c.until = now.Add(c.phase.d)
	}
}

// end ends the exchange and all its limits.
func (c *exchangeClock) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = nil
}

// close ends the use of the clock.
func (c *exchangeClock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = nil
	if c.timer != nil {
		c.timer.Stop()
	}
}

// arm makes the timer fire at what comes first, or before. The caller holds mu.
func (c *exchangeClock) arm(now time.Time) {
	next, _ := c.next()
	if c.cancel == nil || next.IsZero() || !c.armed.IsZero() && !c.armed.After(next) {
		return
	}
	c.armed = next
	if c.timer == nil {
		c.timer = time.AfterFunc(next.Sub(now), c.look)
	} else {
		c.timer.Reset(next.Sub(now))
	}
}

// next is the limit that comes first, and when; zero = there is none.
func (c *exchangeClock) next() (at time.Time, limit timeLimit) {
	at, limit = c.until, c.phase
	if !c.totally.IsZero() && (at.IsZero() || c.totally.Before(at)) {
		at, limit = c.totally, c.total
	}
	if !c.slowly.IsZero() && (at.IsZero() || c.slowly.Before(at)) {
		at, limit = c.slowly, timeLimit{fmt.Sprintf("less than %d KiB in", slowLeast/crawler.KiB), slowTime}
	}
	return at, limit
}

func (c *exchangeClock) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = time.Time{}
	next, limit := c.next()
	switch now := time.Now(); {
	case c.cancel == nil || next.IsZero():
	case !c.paused.IsZero():
		c.fired = true
	case next.After(now):
		c.arm(now)
	default:
		c.cancel(&limitError{limit})
		c.cancel = nil
	}
}
