package core

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

// benchTurn is a held turn that has reported nothing yet, with its core.
func benchTurn(b *testing.B) (*Core, *credit.Turn) {
	b.Helper()
	led := schedulertest.NewLedger()
	led.Lenient = true
	job := schedulertest.Job()
	job.TurnTime = time.Minute
	s, err := newShell(b.Context(), shellOptions{Job: job, Ledger: led, Results: schedulertest.NewQueues(1)})
	if err != nil {
		b.Fatal(err)
	}
	var seeds []Seed
	for i := range 50 {
		u := fmt.Sprintf("http://a.test/%d", i)
		seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 9}})
	for _, g := range []gathered{seeding(true, seeds...), {}} {
		if _, err := s.runStep(b.Context(), &g); err != nil {
			b.Fatal(err)
		}
	}
	t := s.core.state.turns.Get("a.test")
	if t == nil || len(t.URLs) < 5 {
		b.Fatal("no turn is offered")
	}
	t.Held, t.Holder = true, crawler.HolderID{1}
	return s.core, t
}

// BenchmarkStepSettles is a step with one part of five results and thirty links each, which are new.
func BenchmarkStepSettles(b *testing.B) {
	c, t := benchTurn(b)
	p := crawler.Part{Turn: t.ID, Host: t.Host, Holder: t.Holder, Number: 1, Fetcher: "f"}
	for i := range 5 {
		page := mustURL(fmt.Sprintf("http://a.test/%d", i))
		p.Results = append(p.Results, crawler.Result{URL: page, Outcome: crawler.Fetched, Status: 200})
		links := crawler.PageLinks{Page: page}
		for n := range 30 {
			links.Links = append(links.Links, crawler.Link{URL: mustURL(fmt.Sprintf("http://a.test/new/%d/%d", i, n))})
		}
		p.Links = append(p.Links, links)
	}
	e := Events{Now: time.Now(), Parts: []crawler.LoggedPart{{Position: 1, Part: p}}}
	b.ReportAllocs()
	for b.Loop() {
		if st, err := c.Step(&e); err != nil || st.tallies.Counts[crawler.Fetched] != 5 {
			b.Fatal(err, st.tallies)
		}
	}
}

// BenchmarkStepRenews is a step with a hundred renewals, which write nothing.
func BenchmarkStepRenews(b *testing.B) {
	c, t := benchTurn(b)
	e := Events{Now: time.Now()}
	for range 100 {
		e.Asks = append(e.Asks, crawler.Ask{Turn: t.ID, Host: t.Host, Holder: t.Holder, Fetcher: "f", Renewal: true})
	}
	b.ReportAllocs()
	for b.Loop() {
		if st, err := c.Step(&e); err != nil || st.Changes() != nil {
			b.Fatal(err)
		}
	}
}
