package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/memory"
	"trawl/scheduler/schedulertest"
)

// TestRulesOfTheLoop holds single rules of the protocol and of admission that a crawl as a whole seldom shows.
func TestRulesOfTheLoop(t *testing.T) {
	inBubble(t, "a task is never larger than its message may be", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay = 0
		d := newDesk(t, job, schedulertest.NewLedger())
		var urls []string
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("http://a.test/%d/%s", i, strings.Repeat("x", 3900)))
		}
		d.seed(urls...)
		d.s.core.state.hosts = memory.NewHosts()
		seen := 0
		for seen < len(urls) {
			task := d.takeAt("a.test")
			size := 0
			for _, u := range task.URLs {
				size += len(u.URL.String()) + taskOverhead
			}
			if size > crawler.MaxTaskBytes {
				t.Fatalf("a task of %d URLs, %d bytes", len(task.URLs), size)
			}
			seen += len(task.URLs)
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				for _, u := range task.URLs {
					p.Results = append(p.Results, schedulertest.Fetched(u.URL.String()))
				}
				p.End, p.State.MeanTime = true, time.Microsecond
			})
		}
	})
	inBubble(t, "a turn has no more URLs than the host's share of pages leaves", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay, job.MaxPerHost = 0, 3
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4", "http://a.test/5")
		task := d.take()
		if len(task.URLs) != 3 {
			t.Fatalf("%d URLs", len(task.URLs))
		}
		d.answeredPage(task)
		if c := d.led.State.Tallies; c.Counts[crawler.Fetched] != 3 || c.Parked != 2 || len(d.out) > 0 {
			t.Errorf("%v, %d parked, %d turns", c.Counts, c.Parked, len(d.out))
		}
	})
	inBubble(t, "a part counts only from the holder of the turn", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 2, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		if r := d.row("http://a.test/"); r.Outcome != crawler.Waiting || d.led.State.Tallies.LateParts != 1 {
			t.Errorf("got %v, %d late parts", r.Outcome, d.led.State.Tallies.LateParts)
		}
		d.part(task, 1, 2, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched("http://a.test/")} })
		if r := d.row("http://a.test/"); r.Outcome != crawler.Waiting {
			t.Error("a part counts behind a gap")
		}
		if d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched("http://a.test/")} }); d.row("http://a.test/").Outcome != crawler.Fetched {
			t.Error("that of the holder does not count")
		}
	})
	inBubble(t, "a stopping scheduler gives no right that was not given before", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://b.test/")
		held, offered := d.take(), d.take()
		d.ask(held, 1)
		d.s.Stop()
		if a := d.ask(offered, 1); a.Verdict != crawler.Refused {
			t.Errorf("an offered turn: %+v", a)
		}
		if a := d.ask(held, 1); a.Verdict != crawler.Granted || !a.Stop {
			t.Errorf("a held one: %+v", a)
		}
	})
	inBubble(t, "turns that the dead process held itself are free at once, those of others are not", func(t *testing.T) {
		led := schedulertest.NewLedger()
		open := func() *desk {
			q := schedulertest.NewQueues(1)
			s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, LocalFetcher: "f"})
			if err != nil {
				t.Fatal(err)
			}
			s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
			return &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
		}
		d := open()
		d.seed("http://a.test/", "http://b.test/")
		d.ask(d.takeAt("a.test"), 1) // by f
		other := d.takeAt("b.test")
		d.step(gathered{asks: []crawler.Ask{crawler.Ask{Turn: other.Turn, Host: other.Host, Fetcher: "elsewhere"}}})
		d = open()
		d.step(gathered{tick: true})
		if _, held := led.Turns["a.test"]; held {
			t.Error("the turn of the dead process is still held")
		}
		if _, held := led.Turns["b.test"]; !held {
			t.Error("the turn of another process was taken back")
		}
	})
	inBubble(t, "the clock never goes back over a start", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		last := led.State.Clock
		q := schedulertest.NewQueues(1)
		s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, ClockOffset: func() time.Duration { return -time.Hour }})
		if err != nil {
			t.Fatal(err)
		}
		if now := s.clock.now(); now.Before(last) {
			t.Errorf("it is %v, and was %v", now, last)
		}
	})
	inBubble(t, "a shorter way to a URL that was too deep is noticed, however often it was seen", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay, job.Depth = 0, 1
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/1")
		links := func(page string, to ...string) {
			task := d.takeAt("a.test")
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				l := crawler.PageLinks{Page: mustURL(page)}
				for _, u := range to {
					l.Links = append(l.Links, crawler.Link{URL: mustURL(u)})
				}
				p.Links, p.Results, p.End = []crawler.PageLinks{l}, []crawler.Result{schedulertest.Fetched(page)}, true
			})
		}
		links("http://a.test/1", "http://a.test/2")
		links("http://a.test/2", "http://a.test/deep", "http://a.test/deep")
		if r := d.row("http://a.test/deep"); r.Depth != 2 {
			t.Fatalf("depth %d", r.Depth)
		}
		d.seed("http://a.test/3")
		links("http://a.test/3", "http://a.test/deep")
		if r := d.row("http://a.test/deep"); r.Depth != 1 || r.Via != "http://a.test/3" {
			t.Errorf("depth %d, via %s", r.Depth, r.Via)
		}
		d.takeAt("a.test")
	})
	inBubble(t, "links count only of pages that the turn was given", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://b.test/1")
		task := d.takeAt("a.test")
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://b.test/1"), Links: []crawler.Link{{URL: mustURL("http://a.test/new")}}}}
		})
		if n := led.State.Tallies.Seen(); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
	inBubble(t, "a fetcher's wait does not shorten the back-off of an unreachable robots.txt", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnreachable, Detail: "status 500"}}
			p.Wait = time.Second
		})
		d.part(task, 1, 2, func(p *crawler.Part) { p.Wait, p.End = time.Second, true })
		if wait := led.AllHosts["a.test"].Next.Sub(d.s.clock.now()); wait < schedulertest.Job().Robots.Backoff {
			t.Errorf("asked again in %v", wait)
		}
	})
	inBubble(t, "a host whose name has the hash of another one is not admitted", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		led.Lenient = true
		led.AllHosts["b.test"] = crawler.HostState{Host: "first.test"} // what a look-up by the hash gives
		d.seed("http://b.test/")
		if got := led.State.Tallies; got.Seen() != 1 || got.Dropped[crawler.DropCollision] != 1 {
			t.Errorf("%d rows, dropped %v", got.Seen(), got.Dropped)
		}
	})
	inBubble(t, "a URL that is taken up again begins anew", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/", "http://b.test/")
		task := d.takeAt("a.test")
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{failed("http://a.test/", crawler.ReasonPrivateAddress, 0)}, true
		})
		row := led.AllRows[mustURL("http://a.test/").Key()]
		row.Lapses = 9
		st := d.s.newStep()
		st.takeUp(row)
		if err := d.s.seal(st); err != nil {
			t.Fatal(err)
		}
		if r := d.row("http://a.test/"); r.Attempts != 0 || r.Lapses != 0 || r.Reason != "" {
			t.Errorf("got %+v", r)
		}
	})
}
