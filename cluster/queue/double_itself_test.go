package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"trawl/cluster/clustertest"
	"trawl/crawler"
)

func TestMemoryShowsWhatMayGoWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(10 * time.Second)
		t.Cleanup(m.Close)
		ctx := t.Context()
		is := func(n int) func(crawler.Task) bool {
			return func(task crawler.Task) bool { return task.Turn == clustertest.Turn(n) }
		}
		ackLost := false
		m.SetFaults(Faults{
			LoseTask:      is(1),
			DuplicateTask: is(2),
			DelayTask: func(task crawler.Task) time.Duration {
				if task.Turn == clustertest.Turn(3) {
					return time.Minute
				}
				return 0
			},
			LoseAck: func(task crawler.Task) bool {
				lose := task.Turn == clustertest.Turn(4) && !ackLost
				ackLost = ackLost || lose
				return lose
			},
		})
		offer(t, ctx, m, 1, 4)
		began := time.Now()
		for i, want := range []struct {
			task int
			at   time.Duration
		}{{2, 0}, {2, 0}, {4, 0}, {4, 10 * time.Second}, {3, time.Minute}} {
			n, ack := next(t, ctx, m)
			ack()
			if at := time.Since(began); n != want.task || at != want.at {
				t.Errorf("delivery %d: task %d after %v, want %d after %v", i, n, at, want.task, want.at)
			}
		}
		short, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		if d, err := m.Next(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("something is left: %v, %v", d.Task.Host, err)
		}
	})
}

func TestMemoryLosesAsksAnswersAndConfirmations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(0)
		t.Cleanup(m.Close)
		ctx := t.Context()
		heard := 0
		serveAsks(t, ctx, m, askerFunc(func(context.Context, crawler.Ask) (crawler.Answer, error) {
			heard++
			return crawler.Answer{Verdict: crawler.Granted}, nil
		}))
		ask := crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: "a.example"}
		for _, c := range []struct {
			name   string
			faults Faults
			heard  int
			ok     bool
		}{
			{"the ask is lost", Faults{LoseAsk: func(crawler.Ask) bool { return true }}, 0, false},
			{"the answer is lost", Faults{LoseAnswer: func(crawler.Answer) bool { return true }}, 1, false},
			{"nothing is lost", Faults{}, 2, true},
		} {
			m.SetFaults(c.faults)
			if _, err := m.Ask(ctx, ask); (err == nil) != c.ok || heard != c.heard {
				t.Errorf("%s: heard %d, %v", c.name, heard, err)
			}
		}
		for stored, want := range map[bool]int{false: 0, true: 1} {
			before, err := m.Last(ctx)
			clustertest.Must(t, err)
			m.SetFaults(Faults{FailSend: func(crawler.Part) (bool, bool) { return true, stored }})
			if err := m.Send(ctx, clustertest.Part(1)); err == nil {
				t.Error("it was confirmed")
			}
			if after, err := m.Last(ctx); err != nil || after != before+uint64(want) {
				t.Errorf("stored %v: last was %d, is %d", stored, before, after)
			}
		}
	})
}

func TestAClosedMemoryEndsItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(0)
		errs := make(chan error)
		for _, call := range []func() error{
			func() error { _, err := m.Next(t.Context()); return err },
			func() error { _, err := m.Read(t.Context(), 0, 1); return err },
			func() error { return m.ServeAsks(t.Context(), askerFunc(nil)) },
		} {
			go func() { errs <- call() }()
		}
		synctest.Wait()
		m.Close()
		m.Close()
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
		if err := m.Offer(t.Context(), nil); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}
