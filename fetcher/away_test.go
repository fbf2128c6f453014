package fetcher

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

// unconnected is what comes of a host that takes no connection.
func unconnected() download.Finding {
	f := download.Finding{}
	f.Result.Outcome, f.Result.Reason, f.Result.Detail, f.Result.Unsent = crawler.Failed, crawler.ReasonConnect, "connection refused", true
	return f
}

// mute is a connection without an answer.
func mute() download.Finding {
	f := download.Finding{}
	f.Result.Outcome, f.Result.Reason = crawler.Failed, crawler.ReasonReset
	return f
}

func TestATurnEndsAtTheFaultThatMakesItsHostAway(t *testing.T) {
	for _, c := range []struct {
		what    string
		answers string // of the pages in order: . answered, c no connection, n no answer, r refused with 503, e 500
		asked   int
	}{
		{"no connection", "..c...", 3},
		{"three tries without an answer", ".nnn..", 4},
		{"not two", ".nn.nn", 6},
		{"not with a refusal between", "nnrnn.", 6},
		{"not with a broken page between", "nnenn.", 6},
	} {
		t.Run(c.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				n := 0
				w.page = func(context.Context, download.Page) download.Finding {
					n++
					switch c.answers[n-1] {
					case 'c':
						return unconnected()
					case 'n':
						return mute()
					case 'r':
						return answered(503, "")
					case 'e':
						return answered(500, "")
					}
					return download.Finding{}
				}
				w.task(pages(6)...)
				w.turn(time.Hour)
				if got := len(w.asked()); got != c.asked || len(w.results()) != c.asked {
					t.Errorf("%d were asked for and %d reported, want %d", got, len(w.results()), c.asked)
				}
				if parts := w.sentParts(); !parts[len(parts)-1].End {
					t.Error("the turn was not ended")
				}
			})
		})
	}
}

func TestTheFaultOfAHostIsReportedAtOnceWhileOtherLanesWork(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.PerHost, w.job.Delay = 2, 0
		w.page = func(ctx context.Context, u download.Page) download.Finding {
			if u.URL.Path() == "/1" {
				return unconnected()
			}
			pause(ctx, 3*time.Second)
			return download.Finding{}
		}
		w.task(pages(9)...)
		w.turn(time.Minute)
		if first := w.happened("stored 1"); len(first) == 0 || first[0].at > time.Second {
			t.Errorf("the fault was stored at %v", first)
		}
		if got := len(w.asked()); got != 2 {
			t.Errorf("%d were asked for", got)
		}
	})
}

func TestNoConnectionForRobotsIsTheFaultOfTheURLThatNeedsIt(t *testing.T) {
	inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": unconnected()}, func(t *testing.T, w *world) {
		w.task(pages(3)...)
		w.turn(time.Minute)
		r, found := w.results()["http://a.test/0"]
		if !found || r.Reason != crawler.ReasonConnect || !r.Unsent || !strings.Contains(r.Detail, "robots.txt: connection refused") {
			t.Errorf("got %+v of %v", r, w.results())
		}
		if got := w.paths(); got != "/robots.txt" || len(w.robotsFiles()) != 0 {
			t.Errorf("asked for %q, robots files %v", got, w.robotsFiles())
		}
	})
}

func TestNoConnectionForAnErrandEndsTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.robots = func(context.Context, weburl.URL) download.Finding { return unconnected() }
		hop := func(path string) crawler.RobotsHop {
			return crawler.RobotsHop{For: "b.test", Scheme: "http", URL: fetchertest.MustURL(t, "http://a.test/"+path), Count: 1}
		}
		w.offer(crawler.Task{Turn: testTurn, Host: "a.test", Errands: []crawler.RobotsHop{hop("1"), hop("2")}})
		w.turn(time.Minute)
		p := w.sentParts()[0]
		if len(p.State.Hops) != 1 || p.State.Hops[0].File.Fault != crawler.ReasonConnect || len(w.asked()) != 1 {
			t.Errorf("%d were asked for, reported %+v", len(w.asked()), p.State)
		}
	})
}

func TestARobotsThatTheSchedulerGaveUpFailsItsURLsWithoutARequest(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Robots = []crawler.RobotsFile{{Scheme: "https", Status: crawler.RobotsUnreachable, Detail: "500", TTL: time.Hour}, {Scheme: "http", Status: crawler.RobotsUnavailable, TTL: time.Hour}}
			return a, nil
		}
		w.task("https://a.test/x", "http://a.test/y")
		w.turn(time.Minute)
		r := w.results()
		if x := r["https://a.test/x"]; x.Outcome != crawler.Failed || x.Reason != crawler.ReasonRobotsUnreachable || !x.Unsent {
			t.Errorf("got %+v", x)
		}
		if got := w.paths(); got != "/y" || r["http://a.test/y"].Outcome != crawler.Fetched {
			t.Errorf("asked for %q: %+v", got, r)
		}
	})
}
