package fetcher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
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
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) { return crawler.Answer{}, errTest }
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
				return crawler.Answer{}, errTest
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
				return crawler.Answer{}, errTest
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
			w.send = func(*crawler.Part) error { return errTest }
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

func TestPartsAreSentInOrderEachAfterTheOneBeforeAndAfterItsBodies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		fails := 3
		w.send = func(p *crawler.Part) error {
			if p.Number == 2 && fails > 0 {
				fails--
				return errTest
			}
			return nil
		}
		w.task(pages(6)...)
		w.turn(time.Minute)
		got := w.words("sync", "send", "stored")
		want := "sync, send 1, stored 1, sync, send 2, send 2, send 2, send 2, stored 2, sync, send 3, stored 3"
		if got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		for i, p := range w.sentParts() {
			if p.Number != i+1 || p.End != (i == 2) || p.Turn != testTurn || p.Life != testLife ||
				p.Holder != w.asks[0].Holder || p.Host != "a.test" || p.Fetcher != "f1" {
				t.Errorf("part %d: %+v", i+1, p)
			}
		}
	})
}

func TestNothingIsSentWhileTheArchiveIsNotDurable(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sync = func() error {
			if time.Since(w.began) < 9*time.Second {
				return errTest
			}
			return nil
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		if e := w.happened("send"); len(e) == 0 || e[0].at < 9*time.Second {
			t.Errorf("sent: %v", e)
		}
	})
}

func TestRenewalGoesOnUntilTheLastPartIsStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.send = func(*crawler.Part) error {
			if time.Since(w.began) < 21*time.Second {
				return errTest
			}
			return nil
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		if n := len(w.asks); n != 5 && n != 6 { // the grant, and one each 5 s
			t.Errorf("%d asks", n)
		}
		for i, a := range w.asks {
			if a.Renewal != (i > 0) || a.Holder != w.asks[0].Holder {
				t.Errorf("ask %d: %+v", i+1, a)
			}
		}
		stored := w.happened("stored")
		for _, e := range w.happened("ask") {
			if e.at > stored[len(stored)-1].at {
				t.Errorf("asked at %v, after the last part", e.at)
			}
		}
	})
}

func TestPartTravelsAtLeastEveryTwoSeconds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 200 * time.Millisecond
		w.task(pages(40)...)
		w.turn(time.Minute)
		done := make(map[string]time.Duration)
		for _, r := range w.asked() {
			done[r.url] = r.end
		}
		stored := w.happened("stored")
		if len(stored) > 7 {
			t.Errorf("%d parts in about 8 seconds", len(stored))
		}
		for i, p := range w.sentParts() {
			for _, r := range p.Results {
				if late := stored[i].at - done[r.URL.String()]; late > crawler.PartInterval {
					t.Errorf("%v waited %v", r.URL, late)
				}
			}
		}
	})
}

func TestAnswerThatLengthensTheDelayIsReportedAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 100 * time.Millisecond
		w.page = func(_ context.Context, u crawler.TaskURL) finding {
			if u.URL.Path() == "/1" {
				f := answered(503, "")
				f.result.RetryAfter = 4 * time.Second
				return f
			}
			return finding{}
		}
		w.task(pages(3)...)
		w.turn(time.Minute)
		rs, stored, p := w.asked(), w.happened("stored"), w.sentParts()[0]
		if stored[0].at != rs[1].end || len(p.Results) != 2 {
			t.Errorf("part 1 with %d results at %v, the answer ended at %v", len(p.Results), stored[0].at, rs[1].end)
		}
		if p.Wait != 4*time.Second || !p.State.PenaltySet || p.State.Penalty != time.Second || p.State.Requests != 2 {
			t.Errorf("wait %v, state %+v", p.Wait, p.State)
		}
		if gap := rs[2].start - rs[1].end; gap != 4*time.Second {
			t.Errorf("the next request comes after %v", gap)
		}
		if last := w.sentParts()[1]; last.Wait != time.Second || !last.End {
			t.Errorf("last part: wait %v", last.Wait)
		}
	})
}

func TestOnlyTheLastOfManyPartsEndsTheTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.page = func(context.Context, crawler.TaskURL) finding {
			return finding{links: testLinks(t, 10_000, 300)}
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		for i, p := range parts {
			if p.End != (i == len(parts)-1) || len(p.Results) > 0 != p.End {
				t.Errorf("part %d of %d: end %v, %d results", i+1, len(parts), p.End, len(p.Results))
			}
		}
		if len(parts) < 6 {
			t.Errorf("%d parts", len(parts))
		}
	})
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
		w.send = func(*crawler.Part) error { return errTest }
		w.task(pages(10)...)
		w.run(4*time.Second, func() bool { return false })
		if after := time.Since(w.began) - 4*time.Second; after > stopGrace+lastGrace {
			t.Errorf("stopped after %v", after)
		}
	})
}

func TestAnswerMayAddURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := func(u string) []crawler.TaskURL { return []crawler.TaskURL{{URL: mustURL(t, u)}} }
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			switch n {
			case 2:
				a.More = append(add("http://a.test/new"), add("http://a.test/0")...)
			case 3:
				a.More = add("http://a.test/new") // its answer got lost, as far as the scheduler knows
			}
			return a, nil
		}
		w.task(pages(12)...)
		w.turn(time.Minute)
		if n := len(w.results()); n != 13 {
			t.Errorf("%d results", n)
		}
	})
}

func TestURLThatWasSettledMayBeLeasedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			if n == 2 {
				a.Settled, a.More = 1, []crawler.TaskURL{{URL: mustURL(t, "http://a.test/0")}}
			}
			return a, nil
		}
		w.task(pages(7)...)
		w.turn(time.Minute)
		times := 0
		for _, r := range w.asked() {
			if r.url == "http://a.test/0" {
				times++
			}
		}
		if times != 2 {
			t.Errorf("asked for %d times", times)
		}
	})
}

func TestRenewalMayLengthenTheDelay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			if n > 1 {
				a.Delay = 3 * time.Second
			}
			return a, nil
		}
		w.task(pages(9)...)
		w.turn(time.Minute)
		for i, r := range w.asked()[1:] {
			gap, want := r.start-w.asked()[i].end, time.Second
			if r.start > 5*time.Second {
				want = 3 * time.Second
			}
			if gap != want {
				t.Errorf("gap %v before %v", gap, r.start)
			}
		}
	})
}

func TestLanes(t *testing.T) {
	for name, c := range map[string]struct {
		connections, urls, most int
		delay                   time.Duration
	}{
		"one connection":               {1, 6, 1, 100 * time.Millisecond},
		"four at once, no delay":       {4, 12, 4, 0},
		"no more lanes than URLs":      {8, 3, 3, 0},
		"several, started a gap apart": {4, 12, 4, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.job.Delay, w.job.PerHost, w.took = c.delay, c.connections, 2*time.Second
				w.task(pages(c.urls)...)
				w.turn(time.Minute)
				if len(w.results()) != c.urls || w.mostFly != c.most {
					t.Errorf("%d results, %d at once", len(w.results()), w.mostFly)
				}
				rs := w.asked()
				slices.SortFunc(rs, func(a, b request) int { return int(a.start - b.start) })
				for i := 1; i < len(rs); i++ {
					from := rs[i-1].start
					if c.connections == 1 {
						from = rs[i-1].end
					}
					if gap := rs[i].start - from; gap < c.delay {
						t.Errorf("gap of %v", gap)
					}
				}
			})
		})
	}
}

func TestMoreURLsMayStartMoreLanes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost, w.took = 0, 3, 7*time.Second
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			if n == 2 {
				for _, u := range pages(9)[1:] {
					a.More = append(a.More, crawler.TaskURL{URL: mustURL(t, u)})
				}
			}
			return a, nil
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		if len(w.results()) != 9 || w.mostFly != 3 {
			t.Errorf("%d results, %d at once", len(w.results()), w.mostFly)
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

func TestManyTinyPagesTakeFewParts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost, w.took = 0, 8, time.Millisecond
		w.task(pages(crawler.MaxTurnURLs)...)
		w.turn(time.Minute)
		if parts := w.sentParts(); len(w.results()) != crawler.MaxTurnURLs || len(parts) != 1 {
			t.Errorf("%d results in %d parts", len(w.results()), len(parts))
		}
		if !strings.HasSuffix(w.words("stored", "close"), "stored 1, close") {
			t.Error("the site is closed before the last part is stored")
		}
	})
}
