package fetcher

import (
	"context"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

func TestPartsAreSentInOrderEachAfterTheOneBeforeAndAfterItsBodies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		fails := 3
		w.send = func(p *crawler.Part) error {
			if p.Number == 2 && fails > 0 {
				fails--
				return fetchertest.ErrTest
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

func TestIdleConnectionsRestBeforeTheLastPartIsSent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.task(pages(1)...)
		w.turn(time.Minute)
		if got := w.words("rest", "send", "close"); got != "rest, send 1, close true" {
			t.Error(got)
		}
	})
}

func TestNothingIsSentWhileTheArchiveIsNotDurable(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sync = func() error {
			if time.Since(w.began) < 9*time.Second {
				return fetchertest.ErrTest
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
				return fetchertest.ErrTest
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
		w.page = func(_ context.Context, u download.Page) download.Finding {
			if u.URL.Path() == "/1" {
				f := answered(503, "")
				f.Result.RetryAfter = 4 * time.Second
				return f
			}
			return download.Finding{}
		}
		w.task(pages(3)...)
		w.turn(time.Minute)
		rs, stored, p := w.asked(), w.happened("stored"), w.sentParts()[0]
		if stored[0].at != rs[1].end || len(p.Results) != 2 {
			t.Errorf("part 1 with %d results at %v, the answer ended at %v", len(p.Results), stored[0].at, rs[1].end)
		}
		if p.Wait != 4*time.Second || !p.State.PenaltySet || p.State.Penalty != 200*time.Millisecond || p.State.Requests != 2 {
			t.Errorf("wait %v, state %+v", p.Wait, p.State)
		}
		if gap := rs[2].start - rs[1].end; gap != 4*time.Second {
			t.Errorf("the next request comes after %v", gap)
		}
		if last := w.sentParts()[1]; last.Wait.Round(time.Millisecond) != 182*time.Millisecond || !last.End {
			t.Errorf("last part: wait %v", last.Wait)
		}
	})
}

func TestOnlyTheLastOfManyPartsEndsTheTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.page = func(context.Context, download.Page) download.Finding {
			return download.Finding{Links: testLinks(t, 10_000, 300)}
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

func TestManyTinyPagesTakeFewParts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost, w.took = 0, 8, time.Millisecond
		w.task(pages(crawler.MaxTurnURLs)...)
		w.turn(time.Minute)
		if parts := w.sentParts(); len(w.results()) != crawler.MaxTurnURLs || len(parts) != 1 {
			t.Errorf("%d results in %d parts", len(w.results()), len(parts))
		}
		if !strings.HasSuffix(w.words("stored", "close"), "stored 1, close true") {
			t.Error("the site is closed before the last part is stored")
		}
	})
}
