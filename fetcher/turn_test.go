package fetcher

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

// inWorld runs a test in its own time.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestTurnIsAckedAfterTheAnswerWhateverItIs(t *testing.T) {
	for _, verdict := range []crawler.Verdict{crawler.Granted, crawler.Refused} {
		inWorld(t, func(t *testing.T, w *world) {
			w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
				a := w.grant()
				a.Verdict = verdict
				return a, pause(t.Context(), time.Second)
			}
			w.task(pages(1)...)
			w.run(5*time.Second, func() bool { return false })
			got := w.words("take", "ask 1", "answer 1", "ack")
			if got != "take, ask 1, answer 1, ack" {
				t.Errorf("verdict %d: %s", verdict, got)
			}
			if n := len(w.asked()); (n > 0) != (verdict == crawler.Granted) {
				t.Errorf("verdict %d: %d requests", verdict, n)
			}
		})
	}
}

func TestTurnWithoutAnAnswerIsAskedForAgainByTheSameHolderAndNotAcked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) { return crawler.Answer{}, fetchertest.ErrTest }
		w.task(pages(1)...)
		w.run(time.Minute, func() bool { return false })
		if len(w.happened("ack")) > 0 || len(w.asked()) > 0 {
			t.Error("acked or worked on without an answer")
		}
		if n := len(w.asks); n < 20 || n > 40 {
			t.Errorf("asked %d times; wanted about once a second for half a minute", n)
		}
		for _, a := range w.asks {
			if a.Holder != w.asks[0].Holder || a.Renewal {
				t.Errorf("another question: %+v", a)
			}
		}
	})
}

func TestRightCountsFromTheAskingThatWasAnswered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			if n > 1 {
				return crawler.Answer{}, fetchertest.ErrTest
			}
			pause(t.Context(), 3*time.Second)
			return w.grant(), nil
		}
		w.task(pages(100)...)
		w.run(40*time.Second, func() bool { return false })
		last := w.asked()[len(w.asked())-1]
		if last.start < 13*time.Second || last.start >= 15*time.Second {
			t.Errorf("the last request starts at %v; the right ended at 15s", last.start)
		}
	})
}

func TestTurnIsSilentAfterTheLeaseAndGoesOnWhenItIsRenewed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			if at := time.Since(w.began); at > time.Second && at < 30*time.Second {
				return crawler.Answer{}, fetchertest.ErrTest
			}
			return w.grant(), nil
		}
		w.task(pages(30)...)
		w.turn(2 * time.Minute)
		for _, r := range w.asked() {
			if r.start > 15*time.Second && r.start < 30*time.Second {
				t.Errorf("%s is asked for at %v, without a right", r.url, r.start)
			}
		}
		asksInSilence := 0
		for _, e := range w.happened("ask") {
			if e.at > 15*time.Second && e.at < 30*time.Second {
				asksInSilence++
			}
		}
		if asksInSilence < 10 {
			t.Errorf("%d asks in 15 seconds of silence", asksInSilence)
		}
		if n := len(w.results()); n != 30 {
			t.Errorf("%d results, want 30", n)
		}
	})
}

func TestExchangeCutByTheLeaseHasNoResultAndIsTakenUpAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.took = 4 * time.Second
		w.job.Delay, w.job.Lease, w.job.Renew = 0, 6*time.Second, 5*time.Second
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			if n == 2 { // the right ends at 6 s, inside of the second exchange
				pause(t.Context(), 4*time.Second)
			}
			return w.grant(), nil
		}
		w.task(pages(2)...)
		w.turn(time.Minute)
		rs := w.asked()
		if len(rs) != 3 || !rs[1].cut || rs[2].url != rs[1].url {
			t.Fatalf("requests: %+v", rs)
		}
		if len(w.results()) != 2 {
			t.Errorf("results: %v", w.results())
		}
	})
}

func TestRefusedRenewalDropsTheTurnAndItsParts(t *testing.T) {
	for _, refusal := range []crawler.Answer{{Verdict: crawler.Refused}, {Verdict: crawler.Granted, Life: crawler.Life{9}, Lease: time.Hour}} {
		inWorld(t, func(t *testing.T, w *world) {
			w.took = 3 * time.Second
			w.send = func(*crawler.Part) error { return fetchertest.ErrTest }
			w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
				if n > 1 {
					return refusal, nil
				}
				return w.grant(), nil
			}
			w.task(pages(10)...)
			w.turn(time.Minute)
			rs := w.asked()
			if last := rs[len(rs)-1]; last.end != 5*time.Second || !last.cut {
				t.Errorf("the last exchange ends at %v; refused at 5s", last.end)
			}
			for _, e := range w.happened("send", "ask") {
				if e.at > 5*time.Second {
					t.Errorf("%s at %v, after the refusal", e.what, e.at)
				}
			}
		})
	}
}

func TestTurnEndsEarlyWhenItsNextRequestIsTooFarAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Delay = 11 * time.Second
			return a, nil
		}
		w.task(pages(3)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		if len(w.asked()) != 1 || len(parts) != 1 || !parts[0].End || parts[0].Wait != 11*time.Second {
			t.Errorf("%d requests, parts %+v", len(w.asked()), parts)
		}
		if at := w.happened("close")[0].at; at > 100*time.Millisecond {
			t.Errorf("the turn ended at %v", at)
		}
	})
}

func TestWaitOfTheGrantCountsFromTheReceiving(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			pause(t.Context(), time.Second)
			a := w.grant()
			a.Wait = 3 * time.Second
			return a, nil
		}
		w.task(pages(2)...)
		w.turn(time.Minute)
		if rs := w.asked(); rs[0].start != 4*time.Second || rs[1].start != rs[0].end+time.Second {
			t.Errorf("requests: %+v", rs)
		}
	})
}

func TestStopEndsTheTurnWithItsLastPart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Stop = n > 1
			return a, nil
		}
		w.task(pages(100)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		if n := len(w.results()); n != 5 || !parts[len(parts)-1].End {
			t.Errorf("%d results, last part %+v", n, parts[len(parts)-1])
		}
	})
}

func TestEndOfTheContextFinishesTheExchangeAndSendsTheLastPart(t *testing.T) {
	for took, want := range map[time.Duration]int{3 * time.Second: 2, 10 * time.Second: 0} {
		inWorld(t, func(t *testing.T, w *world) {
			w.job.Delay = 0
			w.took = took
			w.task(pages(10)...)
			if err := w.run(4*time.Second, func() bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run: %v", err)
			}
			parts := w.sentParts()
			if len(parts) == 0 || !parts[len(parts)-1].End {
				t.Fatalf("no last part: %+v", parts)
			}
			if n := len(w.results()); n != want {
				t.Errorf("exchanges of %v: %d results, want %d", took, n, want)
			}
			if after := time.Since(w.began) - 4*time.Second; after > stopGrace {
				t.Errorf("stopped after %v", after)
			}
		})
	}
}

func TestRunReturnsThoughTheLastPartCannotBeStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.send = func(*crawler.Part) error { return fetchertest.ErrTest }
		w.task(pages(10)...)
		w.run(4*time.Second, func() bool { return false })
		if after := time.Since(w.began) - 4*time.Second; after > stopGrace+lastGrace {
			t.Errorf("stopped after %v", after)
		}
	})
}

func TestStepsOfATurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 3 * time.Second
		w.task(pages(2)...)
		w.turn(time.Minute)
		want := "step take, step grant, step request, step archive, step part1, step request, step archive, step last"
		if got := w.words("step"); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}
