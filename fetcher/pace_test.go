package fetcher

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
)

func mustBegin(t *testing.T, p *pace) *start {
	t.Helper()
	s, err := p.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func good() *crawler.Result { return &crawler.Result{Outcome: crawler.Fetched, Status: 200} }
func busy() *crawler.Result {
	return &crawler.Result{Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 503}
}

func TestPaceWithOneLaneCountsFromTheEndOfTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(time.Second, 0, 1, t0.Add(2*time.Second))
		s := mustBegin(t, p)
		if at := time.Since(t0); at != 2*time.Second {
			t.Errorf("first start at %v, the wait was 2s", at)
		}
		pause(t.Context(), 3*time.Second)
		if w := p.wait(); w != time.Second {
			t.Errorf("wait under way is %v", w)
		}
		s.done(time.Now(), good(), true)
		mustBegin(t, p)
		if at := time.Since(t0); at != 6*time.Second {
			t.Errorf("second start at %v", at)
		}
	})
}

func TestPaceWithLanesCountsFromTheWritingOfTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(time.Second, 0, 3, t0)
		one := mustBegin(t, p)
		pause(t.Context(), 500*time.Millisecond) // connecting
		one.Wrote()
		two := mustBegin(t, p)
		if at := time.Since(t0); at != 1500*time.Millisecond {
			t.Errorf("second start at %v", at)
		}
		two.done(time.Now(), nil, false) // no connection: the next one need not wait for a request
		mustBegin(t, p)
		if at := time.Since(t0); at != 2500*time.Millisecond {
			t.Errorf("third start at %v", at)
		}
	})
}

func TestPaceHalvesItsRateOnRefusalAndComesBackByAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(time.Second, 0, 1, time.Now())
		exchange := func(r *crawler.Result) (longer, changed bool, gap time.Duration) {
			before := time.Now()
			s := mustBegin(t, p)
			gap = time.Since(before)
			longer, changed = s.done(time.Now(), r, true)
			return longer, changed, gap
		}
		if longer, changed, _ := exchange(busy()); !longer || !changed || p.backoff() != 2*time.Second {
			t.Errorf("after one 503: %v %v %v", longer, changed, p.backoff())
		}
		if _, _, gap := exchange(busy()); gap != 2*time.Second || p.backoff() != 4*time.Second {
			t.Errorf("after two: gap %v, back-off %v", gap, p.backoff())
		}
		if longer, changed, _ := exchange(good()); longer || !changed || p.backoff().Round(time.Millisecond) != 3333*time.Millisecond {
			t.Errorf("after an answer: %v %v %v", longer, changed, p.backoff())
		}
		for range 14 {
			exchange(good())
		}
		if p.backoff() != 0 {
			t.Errorf("back-off %v after 15 answers, a twentieth of the rate each", p.backoff())
		}
	})
}

func TestPaceRetryAfterHoldsAllLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(0, 0, 2, t0)
		one := mustBegin(t, p)
		r := busy()
		r.RetryAfter = 5 * time.Second
		if longer, _ := one.done(time.Now(), r, true); !longer {
			t.Error("Retry-After does not lengthen")
		}
		one = mustBegin(t, p)
		if at := time.Since(t0); at != 5*time.Second {
			t.Errorf("next start at %v", at)
		}
		r.RetryAfter = 2 * time.Hour
		one.done(time.Now(), r, true)
		if p.wait() != crawler.MaxRetryAfter {
			t.Errorf("wait %v", p.wait())
		}
		if _, err := p.begin(t.Context()); !errors.Is(err, errFar) {
			t.Errorf("begin: %v", err)
		}
	})
}

func TestPaceThatGrowsWhileALaneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(time.Second, 0, 1, t0)
		mustBegin(t, p).done(time.Now(), good(), true)
		at := make(chan time.Duration)
		go func() {
			mustBegin(t, p)
			at <- time.Since(t0)
		}()
		pause(t.Context(), 900*time.Millisecond)
		p.lengthen(4 * time.Second)
		if got := <-at; got != 4*time.Second {
			t.Errorf("start at %v", got)
		}
		if p.lengthen(time.Second); p.base != 4*time.Second {
			t.Error("lengthen made it shorter")
		}
	})
}

func TestPaceEndsWithTheContextAndTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(2*time.Second, 0, 1, t0)
		mustBegin(t, p).done(time.Now(), good(), true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("begin: %v", err)
		}
		mustBegin(t, p)
		if at := time.Since(t0); at != 2*time.Second {
			t.Errorf("next start at %v", at)
		}
	})
}

func TestPaceKeepsTheGapForAnyDelay(t *testing.T) {
	for _, d := range []time.Duration{time.Millisecond, 333 * time.Millisecond, 1234567 * time.Nanosecond, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := newPace(d, 0, 4, time.Now())
			var last time.Time
			for i := range 50 {
				s := mustBegin(t, p)
				if gap := time.Since(last); i > 0 && gap < d {
					t.Fatalf("delay %v: gap %v", d, gap)
				}
				last = time.Now()
				s.Wrote()
				s.done(last, good(), true)
			}
		})
	}
}

func TestPaceHoldsAllLanesFromTheHeadOfAnAnswerOn(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration
		head  crawler.Result
		next  time.Duration // start of the next request
	}{
		"Retry-After, no delay":             {0, crawler.Result{Status: 503, RetryAfter: 5 * time.Second}, 6 * time.Second},
		"Retry-After beside a delay":        {300 * time.Millisecond, crawler.Result{Status: 429, RetryAfter: 5 * time.Second}, 6 * time.Second},
		"Retry-After on a redirect":         {0, crawler.Result{Status: 301, RetryAfter: 5 * time.Second}, 6 * time.Second},
		"the back-off of a 503":             {300 * time.Millisecond, crawler.Result{Status: 503}, 1200 * time.Millisecond}, // twice the delay after the request of "ready"
		"a good answer":                     {0, crawler.Result{Status: 200}, time.Second},
		"an answer that asks for no change": {300 * time.Millisecond, crawler.Result{Status: 404}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t0 := time.Now()
				p := newPace(c.delay, 0, 4, t0)
				slow, ready, written := mustBegin(t, p), (*start)(nil), (*start)(nil)
				slow.Wrote()
				written = mustBegin(t, p)
				written.Wrote()
				ready = mustBegin(t, p) // connecting
				pause(t.Context(), time.Second-time.Since(t0))
				slow.Heard(&c.head) // its body is on the way for a minute

				held := c.next > time.Second
				if ready.Valid() == held {
					t.Errorf("the permit of a lane that still connects is valid: %v", !held)
				}
				if ready.done(time.Now(), nil, false); !held {
					return
				}
				mustBegin(t, p)
				if at := time.Since(t0); at != c.next {
					t.Errorf("the next request starts at %v, want %v", at, c.next)
				}
				written.done(time.Now(), good(), true) // what was written stays
			})
		})
	}
}

func TestPaceTakesAnAnswerIntoTheBackoffOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(0, 0, 2, time.Now())
		s, r := mustBegin(t, p), busy()
		r.RetryAfter = 3 * time.Second
		s.Heard(&crawler.Result{Status: r.Status, RetryAfter: r.RetryAfter})
		pause(t.Context(), time.Second)
		if longer, changed := s.done(time.Now(), r, true); !longer || !changed {
			t.Errorf("after the answer: longer %v, changed %v", longer, changed)
		}
		if p.backoff() != 2*crawler.BackoffBase || p.wait() != r.RetryAfter {
			t.Errorf("back-off %v, wait %v from the end of the answer", p.backoff(), p.wait())
		}
	})
}

func TestPaceTakesLeavesBackWhenTheDelayIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		p := newPace(100*time.Millisecond, 0, 2, t0)
		s := mustBegin(t, p)
		p.lengthen(50 * time.Millisecond)
		if !s.Valid() {
			t.Error("a shorter delay revoked a permit")
		}
		p.lengthen(4 * time.Second)
		if s.Valid() {
			t.Error("a longer delay revoked no permit")
		}
		s.done(time.Now(), nil, false)
		if s = mustBegin(t, p); time.Since(t0) != 4*time.Second || !s.Valid() {
			t.Errorf("next start at %v, stands %v", time.Since(t0), s.Valid())
		}
	})
}
