package core

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// fairness watches a ledger: from the moment a host is due until its turn, no host that became due later may have more than one.
type fairness struct {
	led    *schedulertest.Ledger
	from   time.Time                 // hosts may be held back before
	since  map[weburl.Host]time.Time // due
	turns  map[weburl.Host]map[weburl.Host]int
	unfair []string
}

func watchFairness(led *schedulertest.Ledger) *fairness {
	f := &fairness{led: led, since: map[weburl.Host]time.Time{}, turns: map[weburl.Host]map[weburl.Host]int{}}
	led.Watch = f.see
	return f
}

func (f *fairness) see(c *crawler.Changes) {
	for _, e := range c.Hosts { // one that is not due any more, or again, starts again
		due, is := e.New.Due()
		if was, known := f.since[e.New.Host]; known && (!is || !due.Equal(was)) {
			delete(f.turns, e.New.Host)
		}
		f.since[e.New.Host] = due
	}
	for _, e := range c.Hosts {
		if e.New.Turn.IsZero() || e.Old != nil && !e.Old.Turn.IsZero() {
			continue
		}
		delete(f.turns, e.New.Host)
		if c.Now.Before(f.from) {
			continue
		}
		for name, h := range f.led.AllHosts {
			due, is := h.Due()
			if !is || due.IsZero() || due.After(c.Now) || !e.New.Turned.After(due) {
				continue
			}
			if f.turns[name] == nil {
				f.turns[name] = map[weburl.Host]int{}
			}
			if f.turns[name][e.New.Host]++; f.turns[name][e.New.Host] > 1 && len(f.unfair) < 10 {
				f.unfair = append(f.unfair, fmt.Sprintf("%s is due since %v; %s became due at %v and had turn %d meanwhile",
					name, due, e.New.Host, e.New.Turned, f.turns[name][e.New.Host]))
			}
		}
	}
}

func newWideDesk(t *testing.T, job crawler.Job, led *schedulertest.Ledger, slots, front int) *desk {
	t.Helper()
	q := schedulertest.NewQueues(1)
	s, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q, WindowHosts: front})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: slots}})
	return &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
}

func TestOrderOfHosts(t *testing.T) {
	broad := schedulertest.Job()
	broad.Scope, broad.TurnTime = crawler.ScopeAny, time.Second // one URL a turn
	inBubble(t, "hosts that were asked go on while new ones are found all the time", func(t *testing.T) {
		for _, front := range []int{3, 1 << 16} {
			led := schedulertest.NewLedger()
			fair := watchFairness(led)
			d := newWideDesk(t, broad, led, 4, front)
			var seeds []string
			for i := range 40 {
				seeds = append(seeds, fmt.Sprintf("http://seed.test/%d", i))
			}
			d.seed(seeds...)
			pages, found := 0, 0
			var last time.Time
			for range 300 {
				time.Sleep(100 * time.Millisecond)
				d.step(gathered{tick: true})
				if len(d.out) == 0 {
					continue
				}
				task := d.take()
				d.ask(task, 1)
				if task.Host == "seed.test" {
					pages++
					last = time.Now()
				}
				d.part(task, 1, 1, func(p *crawler.Part) {
					page := task.URLs[0].URL
					links := crawler.PageLinks{Page: page}
					for range 4 {
						found++
						links.Links = append(links.Links, crawler.Link{URL: mustURL(fmt.Sprintf("http://new%d.test/", found))})
					}
					p.Links, p.Results = []crawler.PageLinks{links}, []crawler.Result{schedulertest.Fetched(page.String())}
					p.End, p.Wait = true, time.Second
				})
			}
			if pages < 3 {
				t.Errorf("front of %d: %d pages of the seed's host, the last %v before the end", front, pages, time.Since(last))
			}
			if fair.unfair != nil {
				t.Errorf("front of %d: %s", front, fair.unfair[0])
			}
		}
	})
	inBubble(t, "of those that became due within ten seconds the one with the least depth waiting comes first", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newWideDesk(t, broad, led, 0, 0)
		st := d.s.newStep()
		want := []string{"c.test", "b.test", "a.test"} // d.test is of a later window
		for i, name := range []string{"a.test", "b.test", "c.test"} {
			st.links = append(st.links, candidate{url: mustURL("http://" + name + "/"), key: mustURL("http://" + name + "/").Key(), depth: 3 - i})
		}
		st.admit()
		if err := d.s.seal(st); err != nil {
			t.Fatal(err)
		}
		time.Sleep(crawler.DueWindow)
		d.seed("http://d.test/")
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 1}})
		for _, h := range append(want, "d.test") {
			task := d.take()
			if string(task.Host) != h {
				t.Errorf("%s has its turn, want %s", task.Host, h)
			}
			d.answeredPage(task)
		}
	})
	inBubble(t, "a host that had nothing to do for long comes behind those that wait", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newWideDesk(t, broad, led, 1, 0)
		d.seed("http://old.test/")
		d.answeredPage(d.take())
		time.Sleep(time.Minute)
		d.s.SetFetchers(nil)
		d.seed("http://new.test/")
		time.Sleep(time.Minute)
		d.seed("http://old.test/2")
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 1}})
		if task := d.take(); task.Host != "new.test" {
			t.Errorf("%s has its turn first", task.Host)
		}
	})
}
