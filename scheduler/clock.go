package scheduler

import "time"

// clock is the scheduler's time: it begins at the later of the wall clock and the last time that the
// ledger knows, and goes on by the monotonic clock. So it never goes back, over restarts and when the wall clock
// is set; a wall clock that runs ahead while the scheduler is down is believed.
type clock struct {
	base  time.Time // without monotonic part
	start time.Time // with monotonic part
}

func newClock(last time.Time, offset func() time.Duration) clock {
	now := time.Now()
	base := now.Round(0)
	if offset != nil {
		base = base.Add(offset())
	}
	if last.After(base) {
		base = last.Round(0)
	}
	return clock{base: base, start: now}
}

func (c clock) now() time.Time { return c.base.Add(time.Since(c.start)) }
