package fetcher

import (
	"context"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

func TestAnswerMayAddURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		add := func(u string) []crawler.TaskURL { return []crawler.TaskURL{{URL: fetchertest.MustURL(t, u)}} }
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
				a.Settled, a.More = 1, []crawler.TaskURL{{URL: fetchertest.MustURL(t, "http://a.test/0")}}
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
				slices.SortFunc(rs, func(a, b servedRequest) int { return int(a.start - b.start) })
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
					a.More = append(a.More, crawler.TaskURL{URL: fetchertest.MustURL(t, u)})
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

func TestRetryAfterOnOneLaneHoldsTheOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost = 0, 3
		w.connects, w.took = 200*time.Millisecond, 3*time.Second
		busy := crawler.Result{Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 503, RetryAfter: 5 * time.Second}
		w.heads = map[string]crawler.Result{"http://a.test/1": busy}
		w.page = func(_ context.Context, u download.Page) download.Finding {
			if u.URL.String() == "http://a.test/1" {
				return download.Finding{Result: busy}
			}
			return download.Finding{}
		}
		w.task(pages(9)...)
		w.turn(time.Minute)
		if len(w.results()) != 9 {
			t.Errorf("%d results", len(w.results()))
		}
		told := time.Duration(-1) // when the 503 came
		for _, r := range w.asked() {
			switch {
			case r.url == "http://a.test/1":
				told = r.start
			case told >= 0 && r.start > told && r.start < told+busy.RetryAfter:
				t.Errorf("%s is asked for %v after the 503", r.url, r.start-told)
			}
		}
	})
}
