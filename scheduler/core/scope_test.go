package core

import (
	"slices"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

func TestOnlyWhereASeedsRedirectsEndOpensTheScope(t *testing.T) {
	link := func(u string, kind crawler.LinkKind) crawler.Link { return crawler.Link{URL: mustURL(u), Kind: kind} }
	// answer reports one page, with its links in a part of their own before its result.
	answer := func(d *desk, h weburl.Host, r crawler.Result, links ...crawler.Link) {
		task := d.takeAt(h)
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) { p.Links = []crawler.PageLinks{{Page: r.URL, Links: links}} })
		d.part(task, 1, 2, func(p *crawler.Part) { p.Results, p.End = []crawler.Result{r}, true })
	}
	redirected := func(from, to string) crawler.Result {
		return crawler.Result{URL: mustURL(from), Outcome: crawler.Redirected, Status: 302, RedirectTo: mustURL(to)}
	}
	inBubble(t, "not each hop", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		answer(d, "a.test", redirected("http://a.test/", "http://sso.test/login"),
			link("http://sso.test/login", crawler.LinkRedirect), link("http://sso.test/help", crawler.LinkPage))
		answer(d, "sso.test", redirected("http://sso.test/login", "http://new.test/"),
			link("http://new.test/", crawler.LinkRedirect), link("http://sso.test/imprint", crawler.LinkPage))
		answer(d, "new.test", schedulertest.Fetched("http://new.test/"), link("http://new.test/1", crawler.LinkPage), link("http://sso.test/2", crawler.LinkPage))
		want := []crawler.ScopeSeed{"host a.test", "host new.test"}
		if got := led.ScopeSeeds(); !slices.Equal(got, want) {
			t.Errorf("the scope is %q, want %q", got, want)
		}
		d.row("http://new.test/1")
		for _, out := range []string{"http://sso.test/help", "http://sso.test/imprint", "http://sso.test/2"} {
			if led.AllRows[mustURL(out).Key()] != nil {
				t.Errorf("%s was admitted", out)
			}
		}
	})
	inBubble(t, "an end without links opens it, too, and a failed one", func(t *testing.T) {
		for _, end := range []crawler.Result{schedulertest.Fetched("http://new.test/"), failed("http://new.test/", crawler.ReasonHTTPStatus, 404)} {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			d.seed("http://a.test/")
			answer(d, "a.test", redirected("http://a.test/", "http://new.test/"), link("http://new.test/", crawler.LinkRedirect))
			answer(d, "new.test", end)
			if got := led.ScopeSeeds(); len(got) != 2 {
				t.Errorf("the scope is %q", got)
			}
		}
	})
	inBubble(t, "never a private address, and not against --exclude", func(t *testing.T) {
		led := schedulertest.NewLedger()
		job := schedulertest.Job()
		job.Exclude = []string{"logout"}
		d := newDesk(t, job, led)
		d.seed("http://a.test/", "http://a.test/2")
		answer(d, "a.test", redirected("http://a.test/", "http://10.0.0.1/"), link("http://10.0.0.1/", crawler.LinkRedirect))
		answer(d, "a.test", redirected("http://a.test/2", "http://b.test/logout"), link("http://b.test/logout", crawler.LinkRedirect))
		if n := led.State.Tallies.Seen(); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestSeedsOfTheScopeAreBoundedInMemory(t *testing.T) {
	inBubble(t, "those beyond count all the same, over a start, and leave a mark", func(t *testing.T) {
		led := schedulertest.NewLedger()
		led.MostSeeds = 3
		open := func() *desk {
			q := schedulertest.NewQueues(1)
			s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, ScopeSeeds: 3})
			if err != nil {
				t.Fatal(err)
			}
			s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
			return &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
		}
		d := open()
		hosts := []string{"a", "b", "c", "d", "e", "f"}
		for range 2 {
			var seeds []string
			for _, h := range hosts {
				seeds = append(seeds, "http://"+h+".test/", "http://www."+h+".test/2")
			}
			d.seed(seeds...)
			if n := d.s.core.state.scope.Len(); n != 3 {
				t.Fatalf("%d seeds are in memory", n)
			}
			if d.s.notice.Load().ScopeWhole {
				t.Error("fetchers are told a part of the scope as the whole")
			}
			d = open()
		}
		if n := led.State.Tallies.Bounds[crawler.BoundScope]; n != 3 {
			t.Errorf("the mark says %d seeds, want 3", n)
		}
		if n := len(led.ScopeSeeds()); n != len(hosts) {
			t.Errorf("%d seeds are stored", n)
		}
		for _, h := range append(hosts, "strange") {
			in := d.s.core.state.scope.Decide(mustURL("http://"+h+".test/x"), crawler.LinkPage).In
			if in != (h != "strange") {
				t.Errorf("%s.test in scope: %v", h, in)
			}
		}
	})
	inBubble(t, "prefixes too", func(t *testing.T) {
		job := schedulertest.Job()
		job.Scope = crawler.ScopePrefix
		s, err := crawler.NewScope(&job)
		if err != nil {
			t.Fatal(err)
		}
		stored := map[crawler.ScopeSeed]bool{}
		s.Bound(1, false, func(seed crawler.ScopeSeed) (bool, error) { return stored[seed], nil })
		for _, u := range []string{"http://a.test/x/", "http://b.test/y/z/"} {
			seed := s.SeedOf(mustURL(u))
			if !s.Add(seed) || s.Add(seed) {
				t.Errorf("%s is not new once", seed)
			}
			stored[seed] = true
		}
		s.Stored()
		for u, want := range map[string]bool{"http://b.test/y/z/1": true, "http://b.test/y/": false, "http://a.test/x/1/2": true} {
			if got := s.Decide(mustURL(u), crawler.LinkPage).In; got != want {
				t.Errorf("%s in scope: %v", u, got)
			}
		}
	})
}
