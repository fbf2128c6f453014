package core

import (
	"fmt"
	"math/rand/v2"
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
	for _, e := range c.Hosts { // one that is not due any more, or again, begins anew
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
	s, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q, FrontHosts: front})
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
			st.links = append(st.links, candidate{url: mustURL("http://" + name + "/"), depth: 3 - i})
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

// TestFrontGivesHostsInOrder compares the front over an index with a sorted list of all hosts.
func TestFrontGivesHostsInOrder(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		f := newFront(1 + rng.IntN(6))
		now := time.Unix(1000, 0)
		hosts := map[weburl.Host]crawler.DueHost{}
		for op := range 300 {
			now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
			h := weburl.Host(fmt.Sprint("h", rng.IntN(20)))
			switch rng.IntN(4) {
			case 0, 1:
				at := crawler.DueHost{Host: h, Due: now.Add(time.Duration(rng.IntN(30000)-10000) * time.Millisecond), Rank: crawler.Rank{Depth: uint16(rng.IntN(4)), Lag: crawler.NoLag}}
				if rng.IntN(2) == 0 {
					at.Rank.Lag = uint16(rng.IntN(9000))
				}
				hosts[h] = at
				f.set(h, at.Due, at.Rank)
			case 2:
				delete(hosts, h)
				f.remove(h)
			case 3:
				if f.stale() {
					all := sortedDue(hosts)
					f.fill(all[:min(len(all), f.size)], f.size)
				}
				got, ok := f.pop(now)
				due := 0
				for _, x := range hosts {
					if !x.Due.After(now) {
						due++
					}
				}
				if !ok {
					if _, has := f.next(); due > 0 && !has {
						t.Fatalf("seed %d, op %d: %d hosts are due and none is given", seed, op, due)
					}
					continue
				}
				at, known := hosts[got]
				if !known || at.Due.After(now) {
					t.Fatalf("seed %d, op %d: %s is given and not due", seed, op, got)
				}
				for _, x := range hosts {
					if crawler.DueWindowOf(x.Due) < crawler.DueWindowOf(at.Due) {
						t.Fatalf("seed %d, op %d: %v is given before %v", seed, op, at, x)
					}
				}
				delete(hosts, got)
			}
			if len(f.at) > 2*f.size+1 {
				t.Fatalf("seed %d, op %d: %d hosts in a front of %d", seed, op, len(f.at), f.size)
			}
		}
	}
}

func sortedDue(hosts map[weburl.Host]crawler.DueHost) []crawler.DueHost {
	led := schedulertest.NewLedger()
	for h, at := range hosts {
		s := crawler.HostState{Host: h, Next: at.Due, Depth: int(at.Rank.Depth)}
		s.Counts[crawler.Waiting] = 1
		led.AllHosts[h] = s
	}
	all, _ := led.Due(len(hosts))
	return all
}
