package seeds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipe gives seeds as they are put into it; closing it ends the stream.
func pipe(c <-chan readSeed) func(func(Seed, error) bool) {
	return func(yield func(Seed, error) bool) {
		for one := range c {
			if !yield(one.seed, one.err) {
				return
			}
		}
	}
}

// seedTime is the world of a feed: what was admitted and told, and when.
type seedTime struct {
	began time.Time
	in    chan readSeed
	log   []string
	s     *Feed
	fail  error // of admitting
}

func newSeedTime() *seedTime {
	w := &seedTime{began: time.Now(), in: make(chan readSeed)}
	w.s = NewFeed(pipe(w.in), func(b *BadLine) { w.note("bad %s", b.Place) }, func(_ context.Context, batch []Seed, last bool) error {
		word := "admitted"
		if last {
			word = "last"
		}
		w.note("%s %d", word, len(batch))
		return w.fail
	})
	return w
}

func (w *seedTime) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%v: ", time.Since(w.began))+fmt.Sprintf(format, args...))
}

func (w *seedTime) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(w.log, lines) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(w.log, "\n  "), strings.Join(lines, "\n  "))
	}
}

func TestSeedsOfASlowStreamAreAdmittedAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSeedTime()
		go func() {
			defer close(w.in)
			w.in <- readSeed{}
			pause(t.Context(), 150*time.Millisecond)
			w.in <- readSeed{} // goes with the first
			pause(t.Context(), time.Minute)
			w.in <- readSeed{err: &BadLine{Place: "line:3"}} // waits for nothing
			pause(t.Context(), time.Minute)
			w.in <- readSeed{}
		}()
		if err := w.s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		w.want(t, "200ms: admitted 2", "1m0.15s: bad line:3", "2m0.15s: last 1")
	})
}

func TestSeedsOfAFastStreamAreAdmittedInFullBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSeedTime()
		go func() {
			defer close(w.in)
			for range 2*seedBatch + 7 {
				w.in <- readSeed{}
			}
		}()
		if err := w.s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		w.want(t, "0s: admitted 1000", "0s: admitted 1000", "0s: last 7")
	})
}

func TestSeedsBeforeAFailureAreAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, gone := newSeedTime(), errors.New("the disk is gone")
		go func() {
			defer close(w.in)
			w.in <- readSeed{}
			w.in <- readSeed{err: gone}
		}()
		if err := w.s.Run(t.Context()); !errors.Is(err, gone) {
			t.Errorf("run: %v", err)
		}
		w.want(t, "0s: admitted 1")
	})
}

func TestSeedingEndsWhileItsSourceIsSilent(t *testing.T) {
	for name, c := range map[string]struct {
		fail error
		want error
	}{
		"the run ends":        {nil, context.DeadlineExceeded},
		"admitting is failed": {errors.ErrUnsupported, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSeedTime()
				w.fail = c.fail
				go func() { w.in <- readSeed{} }()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := w.s.Run(ctx); !errors.Is(err, c.want) {
					t.Errorf("run: %v", err)
				}
				w.want(t, "200ms: admitted 1")
				w.in <- readSeed{} // the stream moves on: nobody wants it any more
				<-w.s.ended
			})
		})
	}
}

func TestAJobWithoutSeedsIsSeededAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSeedTime()
		close(w.in)
		if err := w.s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		w.want(t, "0s: last 0")
	})
}

// pause waits in the bubble's time.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
