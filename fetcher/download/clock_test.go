package download

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestExchangeClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		total time.Duration
		run   func(*exchangeClock, func(time.Duration))
		at    time.Duration // of the cancelling
		what  string
	}{
		{"the phase ends", 0, func(c *exchangeClock, _ func(time.Duration)) { c.enter(timeLimit{"phase", time.Second}) }, time.Second, "phase 1s"},
		{"what arrives restarts the phase", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"phase", 10 * time.Second})
			for range 5 {
				wait(9 * time.Second)
				c.touch(1)
			}
		}, 55 * time.Second, "phase 10s"},
		{"a longer phase comes after a short one", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"short", time.Second})
			c.enter(timeLimit{"long", time.Minute})
		}, time.Minute, "long 1m0s"},
		{"a shorter phase comes after a long one", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"long", time.Minute})
			wait(time.Second)
			c.enter(timeLimit{"short", time.Second})
		}, 2 * time.Second, "short 1s"},
		{"the whole ends although bytes arrive", time.Minute, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"phase", 10 * time.Second})
			for range 7 {
				wait(9 * time.Second)
				c.touch(1)
			}
		}, time.Minute, "total 1m0s"},
		{"the whole ends while the phase has no limit", time.Minute, func(c *exchangeClock, _ func(time.Duration)) {
			c.enter(timeLimit{"phase", 0})
		}, time.Minute, "total 1m0s"},
		{"a body trickles", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.body(timeLimit{"phase", time.Minute})
			for range 10 {
				wait(59 * time.Second)
				c.touch(slowLeast/10 - 1)
			}
			wait(9 * time.Second)
		}, slowTime, "less than 64 KiB in 10m0s"},
		{"a body is slow, and comes", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.body(timeLimit{"phase", time.Minute})
			for range 100 {
				wait(59 * time.Second)
				c.touch(slowLeast / 9)
			}
		}, 100*59*time.Second + time.Minute, "phase 1m0s"},
		{"a body trickles, and the whole has a limit", time.Hour, func(c *exchangeClock, wait func(time.Duration)) {
			c.body(timeLimit{"phase", 10 * time.Minute})
			for range 7 {
				wait(9 * time.Minute)
				c.touch(1)
			}
		}, time.Hour, "total 1h0m0s"},
		{"a pause counts for nobody", 10 * time.Second, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"phase", 4 * time.Second})
			for range 3 {
				wait(2 * time.Second)
				c.pause()
				wait(time.Minute)
				c.resume()
			}
			wait(2 * time.Second)
			c.touch(1)
		}, 3*time.Minute + 10*time.Second, "total 10s"},
		{"the phase begins again after a pause", 0, func(c *exchangeClock, wait func(time.Duration)) {
			c.enter(timeLimit{"phase", time.Second})
			c.pause()
			wait(time.Minute)
			c.resume()
		}, time.Minute + time.Second, "phase 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t0 := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				var at time.Duration
				clock := new(exchangeClock)
				defer clock.close()
				clock.begin(timeLimit{"total", c.total}, func(why error) {
					at = time.Since(t0)
					cancel(why)
				})
				c.run(clock, func(d time.Duration) {
					timer := time.NewTimer(d)
					<-timer.C
				})
				<-ctx.Done()
				var limit *limitError
				if err := context.Cause(ctx); !errors.As(err, &limit) || err.Error() != c.what || at != c.at {
					t.Errorf("%v after %v; want %s after %v", err, at, c.what, c.at)
				}
			})
		})
	}
}

func TestAnExchangeThatEndedIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := new(exchangeClock)
		defer clock.close()
		clock.begin(timeLimit{"total", time.Second}, func(why error) { t.Error(why) })
		clock.enter(timeLimit{"phase", time.Second})
		clock.end()
		clock.enter(timeLimit{"late", time.Second})
		timer := time.NewTimer(time.Hour)
		<-timer.C
	})
}

func TestOneClockServesOneExchangeAfterTheOther(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second time.Duration // limits in all
		pause         time.Duration // between them
	}{
		{"the limit of the second comes before that of the first", time.Hour, time.Second, 0},
		{"the limit of the first comes first", time.Minute, time.Hour, time.Second},
		{"the timer of the first fired between them", time.Second, time.Minute, time.Minute},
		{"the first has no limit", 0, time.Second, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := new(exchangeClock)
				defer clock.close()
				clock.begin(timeLimit{"first", c.first}, func(why error) { t.Error(why) })
				clock.enter(timeLimit{"phase", c.first})
				clock.pause() // it is cut off in a pause
				clock.end()
				<-time.NewTimer(c.pause).C
				began, cancelled := time.Now(), make(chan error, 1)
				clock.begin(timeLimit{"second", c.second}, func(why error) { cancelled <- why })
				if why := <-cancelled; time.Since(began) != c.second || why.Error() != (&limitError{timeLimit{"second", c.second}}).Error() {
					t.Errorf("%v after %v", why, time.Since(began))
				}
			})
		})
	}
}
