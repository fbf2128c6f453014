package lease

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// jumpWall moves only the wall clock of a time with a monotonic reading, as setting a machine's clock
// does. No function of package time can: the wall seconds lie above bit 30 of its first word.
func jumpWall(t time.Time, by time.Duration) time.Time {
	words := (*[2]uint64)(unsafe.Pointer(&t))
	words[0] += uint64(int64(by/time.Second)) << 30
	return t
}

func TestLeaseEndsByTheClockThatWentFurther(t *testing.T) {
	t0 := time.Now()
	for _, c := range []struct {
		name string
		now  time.Time
		over bool
	}{
		{"in force at the asking", t0, false},
		{"in force just before its end", t0.Add(15*time.Second - 1), false},
		{"over at its end", t0.Add(15 * time.Second), true},
		{"over when the wall clock was set forward", jumpWall(t0.Add(time.Second), time.Hour), true},
		{"over by the monotonic clock when the wall clock was set back", jumpWall(t0.Add(15*time.Second), -time.Hour), true},
		{"in force when the wall clock was set back and little time passed", jumpWall(t0.Add(time.Second), -time.Hour), false},
		{"over by the wall clock when there is no monotonic reading", t0.Add(15 * time.Second).Round(0), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := New(t0, 15*time.Second).Over(c.now); got != c.over {
				t.Errorf("over = %v, want %v", got, c.over)
			}
		})
	}
}

func TestLeaseExtendMovesTheEndNeverBack(t *testing.T) {
	t0 := time.Now()
	l := New(t0, 15*time.Second)
	l.Extend(t0.Add(5*time.Second), 15*time.Second)
	if l.Over(t0.Add(19 * time.Second)) {
		t.Error("a later asking did not move the end")
	}
	l.Extend(t0.Add(6*time.Second), 2*time.Second)
	if l.Over(t0.Add(19 * time.Second)) {
		t.Error("a shorter right moved the end back")
	}
	l.Extend(t0.Add(30*time.Second), 15*time.Second)
	if l.Over(t0.Add(31 * time.Second)) {
		t.Error("a lapsed right that was granted again is not in force")
	}
	l.End()
	l.Extend(t0.Add(40*time.Second), 15*time.Second)
	if !l.Over(t0.Add(41 * time.Second)) {
		t.Error("a right that was given up came back")
	}
}

func TestLeaseWatchTellsEachEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		l := New(t0, 15*time.Second)
		ends := make(chan time.Duration, 10)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { l.Watch(ctx, time.Now, func() { ends <- time.Since(t0) }) })

		timer := time.NewTimer(10 * time.Second)
		<-timer.C
		l.Extend(time.Now(), 15*time.Second)
		if at := <-ends; at != 25*time.Second {
			t.Errorf("told after %v, want 25s", at)
		}
		timer.Reset(5 * time.Second)
		<-timer.C
		l.Extend(time.Now(), 15*time.Second)
		if at := <-ends; at != 45*time.Second {
			t.Errorf("told of the second end after %v, want 45s", at)
		}
		timer.Reset(time.Minute)
		<-timer.C
		cancel()
		running.Wait()
		if len(ends) != 0 {
			t.Errorf("told %d times more", len(ends))
		}
	})
}

func TestLeaseWatchNoticesAJumpOfTheWallClockWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		l := New(t0, time.Hour)
		jumped := t0.Add(10*time.Second + 1)
		now := func() time.Time {
			n := time.Now()
			if n.Before(jumped) {
				return n
			}
			return n.Add(2 * time.Hour) // times of a bubble are wall times, which its timers do not follow
		}
		ctx, cancel := context.WithCancel(t.Context())
		l.Watch(ctx, now, cancel)
		if d := time.Since(jumped); d > leaseLook {
			t.Errorf("noticed after %v", d)
		}
	})
}

func TestLeaseWatchReturnsAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now(), time.Hour)
		told := 0
		var running sync.WaitGroup
		running.Go(func() { l.Watch(t.Context(), time.Now, func() { told++ }) })
		synctest.Wait()
		l.End()
		running.Wait()
		if told != 1 {
			t.Errorf("told %d times, want 1", told)
		}
	})
}

func TestLeaseEndsByAWallClockThatIsMoved(t *testing.T) {
	t0 := time.Now()
	ahead := time.Hour // when the lease begins: only what comes after counts
	l := New(t0, 15*time.Second).WithOffset(nil).WithOffset(func() time.Duration { return ahead })
	if l.Over(t0.Add(14 * time.Second)) {
		t.Error("an offset from before the asking counts")
	}
	ahead += 10 * time.Second
	if l.Over(t0.Add(4*time.Second)) || !l.Over(t0.Add(5*time.Second)) {
		t.Error("a wall clock that was moved 10 s forward does not take 10 s of the right")
	}
	l.Extend(t0.Add(4*time.Second), 15*time.Second)
	if l.Over(t0.Add(18 * time.Second)) {
		t.Error("an offset from before the renewal counts")
	}
}

func TestLeaseWatchTellsARightThatWasOverBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		var running sync.WaitGroup
		running.Go(func() { New(time.Now().Add(-time.Hour), time.Minute).Watch(ctx, time.Now, func() { told++ }) })
		synctest.Wait()
		cancel()
		running.Wait()
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
	})
}

func TestOnlyARenewalThatMovesTheEndIsTold(t *testing.T) {
	t0 := time.Now()
	l := New(t0, 15*time.Second)
	extended := l.Extended()
	moved := func() bool {
		select {
		case <-extended:
			return true
		default:
			return false
		}
	}
	if l.Extend(t0, 15*time.Second); moved() {
		t.Error("a renewal with the same end is told")
	}
	if l.Extend(t0.Add(time.Second), 15*time.Second); !moved() {
		t.Error("a renewal is not told")
	}
	if extended = l.Extended(); moved() {
		t.Error("the next one is told before it comes")
	}
}

func TestLeaseWatchEndsAtOnceAndTellsNoEndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(time.Now(), 15*time.Second)
		told := 0
		var running sync.WaitGroup
		running.Go(func() { l.Watch(t.Context(), time.Now, func() { told++ }) })
		pass := time.NewTimer(20 * time.Second)
		<-pass.C
		at := time.Now()
		l.End()
		running.Wait()
		if told != 1 || time.Since(at) != 0 {
			t.Errorf("told %d times; it ended %v after the right was given up", told, time.Since(at))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l, at := New(time.Now(), time.Hour), time.Now()
		var running sync.WaitGroup
		running.Go(func() { l.Watch(t.Context(), time.Now, func() {}) })
		synctest.Wait()
		l.End()
		running.Wait()
		if time.Since(at) != 0 {
			t.Errorf("it ended %v after the right was given up", time.Since(at))
		}
	})
}
