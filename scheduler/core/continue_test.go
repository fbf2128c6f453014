package core

import (
	"errors"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestAJobCanGoOnFromItsFirstMoment(t *testing.T) {
	inBubble(t, "what the ledger is for is stored before anything else", func(t *testing.T) {
		led := schedulertest.NewLedger()
		newDesk(t, schedulertest.Job(), led)
		if led.Commits != 1 || led.State.State.Job.Kind != crawler.Crawl || led.State.State.Seeded {
			t.Fatalf("after %d commits: %+v", led.Commits, led.State.State)
		}
	})
	inBubble(t, "a job that ended while its seeds were read goes on", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.step(seeding(false, Seed{URL: mustURL("http://a.test/"), Text: "a.test"}))
		d = newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/", "http://b.test/")
		if n := led.State.Tallies.Seen(); n != 2 {
			t.Errorf("%d URLs seen, want 2", n)
		}
	})
	inBubble(t, "a ledger with rows that does not say its job takes that of the command", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/1")}, true
		})
		led.State.State = crawler.JobState{}
		job := schedulertest.Job()
		job.MaxPerHost = 1
		d = newDesk(t, job, led)
		if s := led.State.State; s.Job.Kind != crawler.Crawl || s.Job.MaxPerHost != 1 {
			t.Fatalf("stored %+v", s)
		}
		d.step(gathered{})
		if n := led.State.Tallies.Parked; n != 2 {
			t.Errorf("%d URLs are beyond the limit of this command, want 2", n)
		}
		d.seed("http://a.test/1")
		if led.State.Tallies.Seen() != 3 {
			t.Errorf("%d URLs seen, want 3", led.State.Tallies.Seen())
		}
	})
}

func TestAJobAtItsEndTakesNoMoreSeeds(t *testing.T) {
	give := func(d *desk, url string) (Admitted, error) {
		given := seeding(false, Seed{URL: mustURL(url), Text: url})
		d.step(given)
		return given.seeds[0].Admitted, given.seeds[0].Refused
	}
	inBubble(t, "once it was found done, whoever adds some is refused, and nothing is asked for", func(t *testing.T) {
		led, job := schedulertest.NewLedger(), schedulertest.Job()
		job.MaxPages = 1
		d := newDesk(t, job, led)
		d.seed("http://a.test/1", "http://b.test/2")
		if a, err := give(d, "http://a.test/1"); err != nil || a != (Admitted{Known: 1}) {
			t.Errorf("a known one while it runs: %+v, %v", a, err)
		}
		if a, err := give(d, "http://c.test/"); err != nil || a != (Admitted{New: 1}) {
			t.Errorf("a new one while it runs: %+v, %v", a, err)
		}
		d.settle()
		if !d.s.core.Over() {
			t.Fatal("it is not done")
		}
		if a, err := give(d, "http://d.test/"); !errors.Is(err, ErrEnding) || a != (Admitted{}) || led.AllRows[mustURL("http://d.test/").Key()] != nil {
			t.Errorf("at the end: %+v, %v", a, err)
		}
		if refused, err := d.s.change(t.Context(), &crawler.Change{Settings: settings("max-pages", 0)}); refused != nil || err != nil { // for the next start
			t.Fatal(refused, err)
		}
		d.out = nil
		if d.offers() != 0 || !d.s.Status().Finished.IsZero() && d.s.notice.Load().Done == false {
			t.Errorf("it goes on at its end: %+v", d.out)
		}
		job.MaxPages = 0
		if newDesk(t, job, led); !led.State.State.Finished.IsZero() {
			t.Error("the next start does not go on")
		}
	})
}

func TestAShorterLeaseTakesNoRightBackThatWasGivenUnderALongerOne(t *testing.T) {
	for name, renews := range map[string]bool{"its holder is silent": false, "its holder asks once more, and the answer is lost": true} {
		inBubble(t, name, func(t *testing.T) {
			led, job := schedulertest.NewLedger(), schedulertest.Job()
			job.Lease, job.Renew = time.Minute, 5*time.Second
			d := newDesk(t, job, led)
			d.seed("http://a.test/")
			held := d.take()
			d.ask(held, 1)
			job.Lease, job.Renew = 2*time.Second, time.Second
			newDesk(t, job, led) // a start, and another one
			d = newDesk(t, job, led)
			if renews {
				d.ask(held, 1)
			}
			d.pass(59 * time.Second)
			if led.State.Tallies.Lapses != 0 {
				t.Fatal("taken back while its holder may ask")
			}
			d.pass(10 * time.Second)
			if led.State.Tallies.Lapses != 1 {
				t.Error("never taken back")
			}
		})
	}
}

func TestHostsThatMayBeAskedNowAreCounted(t *testing.T) {
	inBubble(t, "due, not held, not later", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 1}})
		d.seed("http://a.test/1", "http://b.test/2", "http://c.test/3")
		d.step(gathered{tick: true})
		if s := d.s.Status(); s.HostsDue != 2 || s.HostsOffered != 1 {
			t.Errorf("%d due, %d offered; want 2 and 1", s.HostsDue, s.HostsOffered)
		}
	})
}

func TestAJobThatIsDoneStaysSoAtAStart(t *testing.T) {
	inBubble(t, "with nothing left", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		d.answeredPage(d.take())
		done := led.State.State.Finished
		if newDesk(t, schedulertest.Job(), led); done.IsZero() || !led.State.State.Finished.Equal(done) {
			t.Errorf("done at %v, after a start at %v", done, led.State.State.Finished)
		}
	})
}
