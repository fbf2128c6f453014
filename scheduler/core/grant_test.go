package core

import (
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// renew asks again for a turn that the holder has had an answer for.
func (d *desk) renew(task crawler.Task, holder byte) crawler.Answer {
	d.t.Helper()
	ask := crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{holder}, Fetcher: "f", Renewal: true}
	d.step(gathered{asks: []crawler.Ask{ask}})
	return d.answers[0]
}

func TestRenewal(t *testing.T) {
	rules := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, Body: []byte("User-agent: *\nCrawl-delay: 7\n"), TTL: time.Hour}
	inBubble(t, "a renewal brings what changes while a turn is held, and nothing that the asker has", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots, p.State.Addresses = []crawler.RobotsFile{rules}, []string{"192.0.2.1"}
		})
		if a := d.ask(task, 1); len(a.Robots) != 1 || len(a.Addresses) != 1 {
			t.Errorf("a grant that is given again lacks what it had: %+v", a)
		}
		a := d.renew(task, 1)
		if a.Verdict != crawler.Granted || a.Lease == 0 || a.Delay != 7*time.Second || a.Settled != 1 || a.Connections != 1 {
			t.Errorf("renewal: %+v", a)
		}
		if len(a.Robots)+len(a.Addresses) > 0 {
			t.Errorf("a renewal repeats what the grant brought: %+v", a)
		}
	})
	inBubble(t, "a renewal says stop, and a longer delay", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		longer, pause := 30*time.Second, true
		if refused, err := d.s.change(t.Context(), &crawler.Change{Settings: settings("delay", longer), Pause: &pause}); refused != nil || err != nil {
			t.Fatal(refused, err)
		}
		if a := d.renew(task, 1); !a.Stop || a.Delay != longer {
			t.Errorf("renewal: %+v", a)
		}
	})
}
