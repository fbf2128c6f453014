package core

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// localDesk is a start of a process that has its own fetcher, f.
func localDesk(t *testing.T, job crawler.Job, led *schedulertest.Ledger) *desk {
	t.Helper()
	q := schedulertest.NewQueues(1)
	s, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q, LocalFetcher: "f"})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	if err := s.carryOut(t.Context(), Running(true)); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
	d.step(gathered{tick: true})
	d.step(gathered{tick: true}) // what the process before held has lapsed
	return d
}

// offers waits until something is offered, and tells how many URLs.
func (d *desk) offers() (urls int) {
	d.t.Helper()
	d.pass(4 * time.Second)
	for _, task := range d.out {
		urls += len(task.URLs)
	}
	return urls
}

// settle takes the next turn and settles it as fetched.
func (d *desk) settle() {
	d.t.Helper()
	task := d.take()
	d.ask(task, 1)
	d.part(task, 1, 1, func(p *crawler.Part) {
		for _, u := range task.URLs {
			p.Results = append(p.Results, schedulertest.Fetched(u.URL.String()))
		}
		p.End = true
	})
}

func manySeeds(hosts, pages int) (urls []string) {
	for h := range hosts {
		for p := range pages {
			urls = append(urls, fmt.Sprintf("http://h%d.test/%d", h, p))
		}
	}
	return urls
}

func TestEndsOfTheProcess(t *testing.T) {
	inBubble(t, "count for no URL, however many there are, as long as something is settled in between", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := localDesk(t, schedulertest.Job(), led)
		d.seed(manySeeds(30, 1)...)
		for i := range 25 {
			if n := d.offers(); n < 2 {
				t.Fatalf("start %d: %d URLs are offered, want many", i, n)
			}
			d.settle()
			for len(d.out) > 0 {
				d.ask(d.take(), 1)
			}
			d = localDesk(t, schedulertest.Job(), led)
		}
		for _, r := range led.AllRows {
			if r.Lapses > 0 {
				t.Errorf("%s: %d lapses, %v", r.URL, r.Lapses, r.Outcome)
			}
		}
		if led.State.State.Ends != 1 {
			t.Errorf("%d ends in a row, want 1", led.State.State.Ends)
		}
	})
	inBubble(t, "three in a row with nothing settled: one URL at a time, until ten are settled", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := localDesk(t, schedulertest.Job(), led)
		d.seed(manySeeds(15, 2)...)
		for start := range 3 {
			if n := d.offers(); n != 30 {
				t.Fatalf("start %d: %d URLs are offered, want 30", start, n)
			}
			for len(d.out) > 10 { // some are held, some are not
				d.ask(d.take(), 1)
			}
			d = localDesk(t, schedulertest.Job(), led)
		}
		for i := range 10 {
			if n := d.offers(); n != 1 {
				t.Fatalf("%d URLs are offered after %d are settled, want 1", n, i)
			}
			d.step(gathered{tick: true})
			if n := d.offers(); n != 1 || d.s.core.UntilDue(d.s.clock.now()) == 0 {
				t.Fatalf("a second one is offered, or waited for in a loop: %d", n)
			}
			d.settle()
		}
		if n := d.offers(); n < 5 {
			t.Errorf("%d URLs are offered after ten are settled, want all that are due", n)
		}
		if s := led.State.State; s.Ends != 0 || s.Careful != 0 {
			t.Errorf("stored: %d ends, %d to go", s.Ends, s.Careful)
		}
		for _, r := range led.AllRows {
			if r.Lapses > 0 {
				t.Errorf("%s: %d lapses", r.URL, r.Lapses)
			}
		}
	})
	inBubble(t, "a page that kills the process is lost after its share, and nothing else", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := localDesk(t, schedulertest.Job(), led)
		d.seed(manySeeds(4, 6)...)
		const killer = "http://h2.test/3"
		starts := 0
		for ; !led.State.State.Job.Ended(&led.State.Tallies); starts++ {
			if starts > 100 {
				t.Fatal("no end")
			}
			for !led.State.State.Job.Ended(&led.State.Tallies) {
				if d.offers() == 0 {
					t.Fatalf("nothing is offered at start %d: %+v %v\n%+v", starts, led.State.State, led.State.Tallies.Counts, led.Turns)
				}
				task := d.take()
				kills := false
				for _, u := range task.URLs {
					kills = kills || u.URL.String() == killer
				}
				d.out = append([]crawler.Task{task}, d.out...)
				if kills {
					for len(d.out) > 0 {
						d.ask(d.take(), 1)
					}
					d = localDesk(t, schedulertest.Job(), led)
					break
				}
				d.settle()
			}
		}
		for _, r := range led.AllRows {
			if want := r.URL.String() == killer; (r.Outcome == crawler.Failed && r.Reason == crawler.ReasonLost) != want || !want && r.Outcome != crawler.Fetched {
				t.Errorf("%s: %v %s", r.URL, r.Outcome, r.Reason)
			}
		}
		t.Logf("%d starts", starts)
	})
	inBubble(t, "an orderly end is none, nor is that of a start that did not come to work", func(t *testing.T) {
		led := schedulertest.NewLedger()
		for range 5 {
			d := localDesk(t, schedulertest.Job(), led)
			if err := d.s.carryOut(t.Context(), Running(false)); err != nil {
				t.Fatal(err)
			}
			newDesk(t, schedulertest.Job(), led)
		}
		if led.State.State.Ends != 0 {
			t.Errorf("%d ends", led.State.State.Ends)
		}
	})
	inBubble(t, "of a scheduler whose fetchers are elsewhere do not make them slow", func(t *testing.T) {
		led := schedulertest.NewLedger()
		localDesk(t, schedulertest.Job(), led).seed(manySeeds(15, 2)...)
		for range 4 {
			localDesk(t, schedulertest.Job(), led)
		}
		d := newDesk(t, schedulertest.Job(), led)
		d.step(gathered{tick: true})
		if n := d.offers(); n < 10 {
			t.Errorf("%d URLs are offered", n)
		}
	})
}
