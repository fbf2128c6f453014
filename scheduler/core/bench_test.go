package core

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/memory"
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

// BenchmarkManyTurns is what a scheduler does while so many turns are held, each with an idle host beside it: a hundred renewals in one
// step, a look at leases and publications, a status, and the question how long it may sleep.
func BenchmarkManyTurns(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		c, _ := benchTurn(b)
		now := time.Now()
		s := c.state
		s.turns.End("a.test")
		s.fetchers.See([]crawler.FetcherStatus{{Name: "f", Slots: n}})
		s.window = memory.NewWindow(n)
		s.window.Fill(nil, 1)
		renewals := Events{Now: now, Fetchers: []crawler.FetcherStatus{{Name: "f", Slots: n}}}
		for i := range n {
			h := &crawler.HostState{Host: weburl.Host(fmt.Sprintf("h%d.test", i)), Turn: crawler.TurnID{1}, Asked: true}
			s.hosts.Put(h)
			s.turns.Put(&credit.Turn{TurnState: crawler.TurnState{Host: h.Host, ID: h.Turn, Held: true, Fetcher: "f"}, Until: now.Add(time.Minute)})
			s.window.Set(weburl.Host(fmt.Sprintf("idle%d.test", i)), now.Add(time.Minute+time.Duration(i)), crawler.Rank{})
			s.domains.Put(&session.DomainState{Domain: string(h.Host)})
			if len(renewals.Asks) < 100 {
				renewals.Asks = append(renewals.Asks, crawler.Ask{Turn: h.Turn, Host: h.Host, Fetcher: "f", Renewal: true})
			}
		}
		last, queued := uint64(1), 0
		for _, one := range []struct {
			name string
			do   func()
		}{
			{"renewals", func() { c.Step(&renewals) }},
			{"tick", func() {
				c.Step(&Events{Now: now, Fetchers: renewals.Fetchers, Tick: &Tick{Last: &last, Queued: &queued}})
			}},
			{"status", func() { c.Status(now) }},
			{"sleep", func() { c.UntilDue(now); c.Expired(now); c.Overdue(now) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", one.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					one.do()
				}
			})
		}
	}
}
