package core

import (
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func unreachable(scheme string) crawler.RobotsFile {
	return crawler.RobotsFile{Scheme: scheme, Status: crawler.RobotsUnreachable, HTTP: 500, Detail: "500 Internal Server Error"}
}

func TestARobotsThatCannotBeReadAgain(t *testing.T) {
	inBubble(t, "is used on beyond its time, asked for now and then, and gives up no host", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 3)...)
		task := d.take()
		d.ask(task, 1)
		rules := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, HTTP: 200, Body: []byte("User-agent: *\nDisallow: /no\n")}
		d.part(task, 1, 1, func(p *crawler.Part) { p.State.Robots = []crawler.RobotsFile{rules} })
		d.part(task, 1, 2, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched(task.URLs[0].URL.String())}, true
		})
		time.Sleep(25 * time.Hour)
		for range 6 {
			task = d.take()
			if a := d.ask(task, 1); len(a.Robots) != 0 {
				t.Fatalf("it is not asked for again: %+v", a.Robots)
			}
			d.part(task, 1, 1, func(p *crawler.Part) { p.State.Robots, p.End = []crawler.RobotsFile{unreachable("http")}, true })
			d.until(2 * time.Second)
			task = d.take()
			a := d.ask(task, 1)
			if len(a.Robots) != 1 || a.Robots[0].Status != crawler.RobotsRules || a.Robots[0].TTL < 10*time.Minute {
				t.Fatalf("it is not used on: %+v", a)
			}
			d.part(task, 1, 1, func(p *crawler.Part) { p.End = true })
			time.Sleep(12 * time.Minute)
			d.step(gathered{tick: true})
			d.out = d.out[:1] // it was published again
		}
		if h := d.host("a.test"); h.GivenUp != "" || h.RobotsTries != 0 {
			t.Errorf("got %+v", h)
		}
		if f := d.led.AllRobots["a.test"]["http"]; f.UsedOn != "500 Internal Server Error" {
			t.Errorf("nobody says why it is used on: %+v", f)
		}
	})
	inBubble(t, "of the other scheme leaves those pages out, not the host", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2", "https://a.test/1")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnavailable, HTTP: 404}}
		})
		d.part(task, 1, 2, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/1")}, true
		})
		for range d.s.o.Job.Robots.Tries {
			d.until(time.Hour)
			task = d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) { p.State.Robots, p.End = []crawler.RobotsFile{unreachable("https")}, true })
		}
		if h := d.host("a.test"); h.GivenUp != "" {
			t.Fatalf("the host is given up: %s", h.GivenUpDetail)
		}
		d.until(time.Minute)
		a := d.ask(d.take(), 1)
		if len(a.Robots) != 2 {
			t.Errorf("the grant says %+v", a.Robots)
		}
	})
	inBubble(t, "of a host without good pages gives it up after four tries", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1")
		for range d.s.o.Job.Robots.Tries {
			d.until(time.Hour)
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) { p.State.Robots, p.End = []crawler.RobotsFile{unreachable("http")}, true })
		}
		d.step(gathered{})
		if n := d.led.State.Tallies.Reasons[crawler.ReasonRobotsUnreachable]; n != 1 {
			t.Errorf("reasons %v", d.led.State.Tallies.Reasons)
		}
	})
}

func TestAnErrandWaitsForAHostThatIsAway(t *testing.T) {
	inBubble(t, "until it is back", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		hop := crawler.RobotsHop{For: "a.test", Scheme: "http", URL: mustURL("http://b.test/robots.txt"), Count: 1}
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots, p.End = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsElsewhere, HTTP: 301, Hop: hop}}, true
		})
		for n := range 3 {
			d.until(time.Minute)
			task = d.take()
			if task.Host != "b.test" || len(task.Errands) != 1 {
				t.Fatalf("turn %+v", task)
			}
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				p.State.Hops, p.End = []crawler.RobotsAnswer{{Hop: task.Errands[0], File: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsUnreachable, Fault: crawler.ReasonConnect, Detail: "refused"}}}, true
			})
			if h := d.host("b.test"); h.Failed != n+1 || h.Errands != 1 {
				t.Fatalf("after attempt %d: %+v", n+1, h)
			}
		}
		d.until(time.Minute)
		task = d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Hops, p.End = []crawler.RobotsAnswer{{Hop: task.Errands[0], File: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsUnavailable, HTTP: 404}}}, true
		})
		d.until(time.Minute)
		if task = d.take(); task.Host != "a.test" || d.host("b.test").Away != "" || d.host("a.test").RobotsTries != 0 {
			t.Errorf("turn %+v", task)
		}
	})
}
