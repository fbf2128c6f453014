package core

import (
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestALinkThatLooksLikeATrapIsARowThatIsNotAskedFor(t *testing.T) {
	deep := "http://a.test" + strings.Repeat("/x", 9) + "/"
	inBubble(t, "of a page, but not of the user", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		given := "http://a.test" + strings.Repeat("/seed", 9) + "/"
		d.seed("http://a.test/", given)
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL(deep)}, {URL: mustURL("http://a.test/ok")}}}}
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/"), schedulertest.Fetched(given)}, true
		})
		r := d.row(deep)
		if r.Outcome != crawler.Excluded || r.Reason != crawler.ReasonTrap || !strings.Contains(r.Detail, "trap-repeat 8") || r.Attempts != 0 {
			t.Errorf("got %+v", r)
		}
		if ok, own := d.row("http://a.test/ok"), d.row(given); ok.Outcome != crawler.Waiting || own.Outcome != crawler.Fetched {
			t.Errorf("outcomes %v and %v", ok.Outcome, own.Outcome)
		}
		if c := led.State.Tallies; c.Counts[crawler.Excluded] != 1 || c.Reasons[crawler.ReasonTrap] != 1 || c.Seen() != 4 {
			t.Errorf("tallies %+v", c)
		}

		why := crawler.ReasonTrap
		for _, repeat := range []int{8, 9} { // the first run changes nothing
			job := schedulertest.Job()
			job.TrapRepeat = repeat
			q := schedulertest.NewQueues(1)
			again, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q, RetryFailed: &why})
			if err != nil {
				t.Fatal(err)
			}
			d = &desk{t: t, s: again, led: led, q: q, pos: led.State.Position}
			d.step(gathered{})
			want := map[int]crawler.Outcome{8: crawler.Excluded, 9: crawler.Waiting}[repeat]
			if got := d.row(deep).Outcome; got != want || led.Broken != nil {
				t.Errorf("with trap-repeat %d: %v, broken %v", repeat, got, led.Broken)
			}
		}
	})
	inBubble(t, "also where a redirect leads", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL(deep), Kind: crawler.LinkRedirect}}}}
			p.Results = []crawler.Result{{URL: mustURL("http://a.test/"), Outcome: crawler.Redirected, Status: 301, RedirectTo: mustURL(deep)}}
			p.End = true
		})
		if r := d.row(deep); r.Reason != crawler.ReasonTrap {
			t.Errorf("got %+v", r)
		}
	})
}
