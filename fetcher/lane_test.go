package fetcher

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// leading is a page with a link to another page of the host.
func leading(t *testing.T, to string) download.Finding {
	return download.Finding{Links: []crawler.Link{{URL: fetchertest.MustURL(t, to)}}}
}

// chain lets page n of a.test lead to page n+1, up to the last, and the scheduler lease what it was told of. Nothing is told before its
// part was stored.
func (w *world) chain(t *testing.T, last int) {
	w.page = func(_ context.Context, p download.Page) download.Finding {
		n, _ := strconv.Atoi(strings.TrimPrefix(p.URL.String(), "http://a.test/"))
		if n == last {
			return download.Finding{}
		}
		return leading(t, fmt.Sprintf("http://a.test/%d", n+1))
	}
	leased := map[string]bool{"http://a.test/0": true}
	w.answer = func(n int, ask crawler.Ask) (crawler.Answer, error) {
		a := w.grant()
		a.Tops = true
		for _, p := range w.sentParts() {
			a.Settled = p.Number
			for _, page := range p.Links {
				for _, l := range page.Links {
					if u := l.URL.String(); !leased[u] && ask.More {
						leased[u] = true
						a.More = append(a.More, crawler.TaskURL{URL: l.URL})
					}
				}
			}
		}
		return a, nil
	}
}

func TestATurnThatRunsDrySendsWhatItFoundAndGoesOnWithIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 0
		w.chain(t, 20)
		w.task(pages(1)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		if len(w.results()) != 21 || len(w.happened("take")) != 1 {
			t.Errorf("%d results, %d turns", len(w.results()), len(w.happened("take")))
		}
		if last := w.asked()[20]; last.end != 21*w.took {
			t.Errorf("the last page came at %v, with waits between pages of %v each", last.end, w.took)
		}
		if n := len(parts); n != 21 || !parts[n-1].End {
			t.Errorf("%d parts", n)
		}
	})
}

func TestATurnThatIsNotToppedUpEndsWithItsLastURL(t *testing.T) {
	for name, answer := range map[string]func(a *crawler.Answer){
		"as the scheduler says":            func(a *crawler.Answer) { a.Tops = false },
		"as what it found is known":        func(a *crawler.Answer) { a.Settled = 100 },
		"as URLs that wait are for others": func(a *crawler.Answer) { a.Rest, a.Settled = true, 100 },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.job.Delay = 0
				w.page = func(context.Context, download.Page) download.Finding { return leading(t, "http://a.test/new") }
				w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
					a := w.grant()
					a.Tops = true
					answer(&a)
					return a, nil
				}
				w.task(pages(1)...)
				w.turn(time.Minute)
				parts := w.sentParts()
				if n := len(parts); n == 0 || !parts[n-1].End || n > 2 {
					t.Fatalf("parts: %+v", parts)
				}
				if closed := w.happened("close")[0].at; closed > w.took {
					t.Errorf("the turn is over at %v", closed)
				}
			})
		})
	}
}

func TestATurnDoesNotWaitForAnAnswerThatDoesNotCome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 0
		w.page = func(context.Context, download.Page) download.Finding { return leading(t, "http://a.test/new") }
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			if a.Tops = true; n > 1 {
				return a, fetchertest.ErrTest
			}
			return a, nil
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		if parts := w.sentParts(); len(parts) != 2 || !parts[1].End {
			t.Errorf("parts: %+v", parts)
		}
	})
}

func TestATurnAsksForMoreWhileItsLastURLsAreUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay = 0
		w.answer = func(n int, ask crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Tops, a.Rest = true, n < 3
			if parts := w.sentParts(); len(parts) > 0 {
				a.Settled = parts[len(parts)-1].Number
			}
			if ask.More && n == 2 {
				pause(t.Context(), 5*w.took) // of a scheduler that is busy
				for _, u := range pages(60)[30:] {
					a.More = append(a.More, crawler.TaskURL{URL: fetchertest.MustURL(t, u)})
				}
			}
			return a, nil
		}
		w.task(pages(30)...)
		w.turn(time.Minute)
		if rs := w.asked(); len(rs) != 60 || rs[59].end != 60*w.took {
			t.Errorf("%d requests, the last ends at %v, want %v", len(rs), rs[len(rs)-1].end, 60*w.took)
		}
		for i, a := range w.asks {
			if a.More && a.Part == 0 {
				t.Errorf("ask %d is for more before anything was reported: %+v", i+1, a)
			}
		}
	})
}

func TestPartsThatLeaveEarlyKeepTheirDistance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.took = 0, time.Millisecond
		w.page = func(_ context.Context, p download.Page) download.Finding {
			return leading(t, "http://b.test/"+strings.TrimPrefix(p.URL.String(), "http://a.test/"))
		}
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Tops = true
			return a, nil
		}
		w.task(pages(400)...)
		w.turn(time.Minute)
		if n := len(w.sentParts()); n > 6 {
			t.Errorf("%d parts in 400 ms", n)
		}
	})
}
