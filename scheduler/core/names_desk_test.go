package core

import (
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// nameDesk is a desk whose bodies get names.
type nameDesk struct {
	*desk
	names *schedulertest.Names
	rule  crawler.NameRule
}

func newNameDesk(t *testing.T, rule crawler.NameRule) *nameDesk {
	t.Helper()
	d := &nameDesk{names: schedulertest.NewNames(), rule: rule}
	led := schedulertest.NewLedger()
	led.Watch = d.names.Apply
	d.start(t, led)
	return d
}

// start begins a life.
func (d *nameDesk) start(t *testing.T, led *schedulertest.Ledger) {
	t.Helper()
	job, q := crawler.NewJob(crawler.Download), schedulertest.NewQueues(1)
	job.Delay = 0
	s, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q, LocalFetcher: "local", Names: d.names, Shipped: d.names, NameRule: d.rule})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	d.desk = &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
}

// lines gives lines of a list, each "URL" or "URL NAME" or "URL NAME BODY"; "-" = no name.
func (d *nameDesk) lines(lines ...string) {
	d.t.Helper()
	var seeds []Seed
	for _, line := range lines {
		f := append(strings.Fields(line), "", "")
		s := Seed{URL: mustURL(f[0]), Text: f[0], Name: strings.TrimPrefix(f[1], "-")}
		if f[2] != "" {
			s.Want = schedulertest.DigestOf(f[2])
		}
		seeds = append(seeds, s)
	}
	d.s.core.state.decided = false
	d.step(seeding(true, seeds...))
}

// fetch answers whatever is asked for: by where a URL leads, "" = a body of its own text, of ten bytes.
func (d *nameDesk) fetch(leads map[string]string) {
	d.t.Helper()
	for {
		d.step(gathered{})
		if len(d.out) == 0 {
			return
		}
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, schedulertest.AllOf(&task, leads))
	}
}
