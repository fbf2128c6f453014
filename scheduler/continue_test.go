package scheduler

import (
	"testing"

	"trawl/crawler"
)

func TestAJobCanGoOnFromItsFirstMoment(t *testing.T) {
	inBubble(t, "what the ledger is for is stored before anything else", func(t *testing.T) {
		led := newMemLedger()
		newDesk(t, crawlJob(), led)
		if led.commits != 1 || led.state.State.Job.Kind != crawler.Crawl || led.state.State.Seeded {
			t.Fatalf("after %d commits: %+v", led.commits, led.state.State)
		}
	})
	inBubble(t, "a job that ended while its seeds were read goes on", func(t *testing.T) {
		led := newMemLedger()
		d := newDesk(t, crawlJob(), led)
		d.step(events{seeds: []seedEvent{{seeds: []Seed{{URL: mustURL("http://a.test/"), Text: "a.test"}}, done: make(chan struct{})}}})
		d = newDesk(t, crawlJob(), led)
		d.seed("http://a.test/", "http://b.test/")
		if n := led.state.Tallies.Seen(); n != 2 {
			t.Errorf("%d URLs seen, want 2", n)
		}
	})
	inBubble(t, "a ledger with rows that does not say its job takes that of the command", func(t *testing.T) {
		led := newMemLedger()
		d := newDesk(t, crawlJob(), led)
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) { p.Results, p.End = []crawler.Result{fetched("http://a.test/1")}, true })
		led.state.State = crawler.JobState{}
		job := crawlJob()
		job.MaxPerHost = 1
		d = newDesk(t, job, led)
		if s := led.state.State; s.Job.Kind != crawler.Crawl || s.Job.MaxPerHost != 1 {
			t.Fatalf("stored %+v", s)
		}
		d.step(events{})
		if n := led.state.Tallies.Parked; n != 2 {
			t.Errorf("%d URLs are beyond the limit of this command, want 2", n)
		}
		d.seed("http://a.test/1")
		if led.state.Tallies.Seen() != 3 {
			t.Errorf("%d URLs seen, want 3", led.state.Tallies.Seen())
		}
	})
}
