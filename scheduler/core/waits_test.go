package core

import (
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestEveryWaitNamesItsCause(t *testing.T) {
	says := func(t *testing.T, d *desk, trouble string, want ...string) {
		t.Helper()
		d.s.publishStatus()
		s := d.s.Status()
		for _, w := range want {
			if !strings.Contains(s.WaitsFor, w) {
				t.Errorf("waits for %q, want %q in it", s.WaitsFor, w)
			}
		}
		if s.Trouble != trouble {
			t.Errorf("wrong is %q, want %q", s.Trouble, trouble)
		}
	}
	inBubble(t, "a host that never answered, with what to do about it", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test:9/")
		d.turn(first(refused))
		says(t, d, "connection refused by a.test:9", "only a host that is away is left: connection refused by a.test:9, next try in ", "attempt 1 of 4 failed (see whether the server is up")
	})
	inBubble(t, "a host that is away, and until when it is waited for", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 3)...)
		d.turn(first(schedulertest.Fetched))
		for range 4 {
			d.until(time.Minute)
			d.turn(first(refused))
		}
		says(t, d, "connection refused by a.test", "refused by a.test, next try in ", ", given up in 60 min unless it answers")
		d.until(time.Minute)
		d.ask(d.take(), 1)
		says(t, d, "connection refused by a.test", "connection refused by a.test, it is being tried")
	})
	inBubble(t, "hosts that are away while others are asked", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.turn(first(refused))
		d.seed("http://b.test/")
		d.ask(d.take(), 1)
		says(t, d, "connection refused by a.test", "one host is being asked, at its own pace; one is away, connection refused by a.test")
	})
	inBubble(t, "a robots.txt that cannot be read", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots, p.End = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnreachable, HTTP: 500, Detail: "500 Internal Server Error"}}, true
		})
		says(t, d, "robots.txt of a.test cannot be read (500 Internal Server Error)", "try 1 of 4 failed, next try in 7")
	})
	inBubble(t, "a host that asks for less", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 3)...)
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results = []crawler.Result{failed("http://a.test/0", crawler.ReasonHTTPStatus, 503)}
			p.State.PenaltySet, p.State.Penalty, p.Wait = true, 4*time.Second, 4*time.Second
		})
		says(t, d, "a.test is slowed by 503", "one host is being asked, at its own pace; a.test is slowed to 4 s by 503")
		d.part(task, 1, 2, func(p *crawler.Part) { p.End, p.Wait = true, 4*time.Second })
		says(t, d, "a.test is slowed by 503", "a.test is slowed to 4 s by 503, and may be asked in 4 s")
	})
	inBubble(t, "a URL that is tried again", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.turn(first(func(u string) crawler.Result { return failed(u, crawler.ReasonHTTPStatus, 500) }))
		says(t, d, "", "a URL of a.test that failed is tried again in")
	})
}
