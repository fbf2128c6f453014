package scheduler

import (
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/scheduler/core"
	"trawl/scheduler/schedulertest"
)

// desk drives a scheduler's loop by hand, one step at a time, in virtual time.
type desk struct {
	t   *testing.T
	s   *Scheduler
	led *schedulertest.Ledger
	q   *schedulertest.Queues
	pos uint64
	out []crawler.Task
}

func newDesk(t *testing.T, job crawler.Job, led *schedulertest.Ledger) *desk {
	t.Helper()
	return newDeskOf(t, Options{Job: job}, led)
}

func newDeskOf(t *testing.T, o Options, led *schedulertest.Ledger) *desk {
	t.Helper()
	q := schedulertest.NewQueues(1)
	o.Ledger, o.Tasks, o.Results = led, q, q
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	return &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
}

// step makes one step and keeps the turns that it offered.
func (d *desk) step(g gathered) {
	d.t.Helper()
	out, err := d.s.runStep(d.t.Context(), &g)
	if err != nil {
		d.t.Fatal(err)
	}
	d.s.core.Sent()
	d.out = append(d.out, out.Tasks...)
	if d.led.Broken != nil {
		d.t.Fatalf("the ledger does not balance: %v", d.led.Broken)
	}
}

// seeding is a step's seeds; last says that those of the start are whole.
func seeding(last bool, seeds ...Seed) gathered {
	return gathered{seeds: []seedEvent{{&core.Seeding{Seeds: seeds, Last: last}, make(chan struct{})}}}
}

func (d *desk) seed(urls ...string) {
	d.t.Helper()
	var seeds []Seed
	for _, u := range urls {
		seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
	}
	d.step(seeding(true, seeds...))
	d.step(gathered{})
}

func (d *desk) ask(task crawler.Task, holder byte) crawler.Answer {
	d.t.Helper()
	reply := make(chan crawler.Answer, 1)
	d.step(gathered{asks: []askEvent{{ask: crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{holder}, Fetcher: "f"}, reply: reply}}})
	return <-reply
}

// take hands out the oldest offered turn.
func (d *desk) take() crawler.Task {
	d.t.Helper()
	if len(d.out) == 0 {
		d.step(gathered{})
	}
	if len(d.out) == 0 {
		d.t.Fatal("no turn is offered")
	}
	task := d.out[0]
	d.out = d.out[1:]
	return task
}

func (d *desk) part(task crawler.Task, holder byte, number int, fill func(*crawler.Part)) {
	d.t.Helper()
	p := schedulertest.PartOf(&task, holder, number, fill)
	d.pos++
	d.q.Log = append(d.q.Log, crawler.LoggedPart{Position: d.pos, Part: p})
	d.step(gathered{parts: []crawler.LoggedPart{{Position: d.pos, Part: p}}})
	d.step(gathered{})
}

// pass lets time go by, with the loop looking as often as ever.
func (d *desk) pass(t time.Duration) {
	d.t.Helper()
	for range t / time.Second {
		time.Sleep(time.Second)
		d.step(gathered{tick: true})
	}
}

func (d *desk) row(url string) *crawler.Row {
	d.t.Helper()
	r := d.led.AllRows[mustURL(url).Key()]
	if r == nil {
		d.t.Fatalf("no row for %s", url)
	}
	return r
}

func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
