package core

import (
	"testing"

	"trawl/crawler"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

func TestWhatBecomesOfASeedIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		url  string
		want Admitted
		word string // why it was dropped
	}{
		"a new one":                              {"http://a.test/new", Admitted{New: 1}, ""},
		"one that is there":                      {"http://a.test/", Admitted{Known: 1}, ""},
		"one that is excluded":                   {"http://a.test/secret", Admitted{Refused: 1}, crawler.DropExclude},
		"one with the hash of another URL":       {"http://a.test/clash", Admitted{Refused: 1}, crawler.DropCollision},
		"one of a host with the hash of another": {"http://strange.test/", Admitted{Refused: 1}, crawler.DropCollision},
	} {
		inBubble(t, name, func(t *testing.T) {
			job, led := schedulertest.Job(), schedulertest.NewLedger()
			job.Exclude = []string{"secret"}
			d := newDesk(t, job, led)
			d.seed("http://a.test/")
			led.Lenient = true
			led.AllRows[mustURL("http://a.test/clash").Key()] = &crawler.Row{Result: crawler.Result{URL: mustURL("http://a.test/first"), Outcome: crawler.Waiting}}
			led.AllHosts["strange.test"] = crawler.HostState{Host: "first.test"} // what a look-up by the hash gives
			given := seeding(false, Seed{URL: mustURL(tt.url), Text: tt.url})
			d.step(given)
			got := given.seeds[0].Admitted
			dropped := d.s.core.state.tallies.Dropped
			if got != tt.want || len(dropped) > 1 || tt.word == "" && len(dropped) != 0 || tt.word != "" && dropped[tt.word] != 1 {
				t.Errorf("%+v, dropped %v", got, dropped)
			}
		})
	}
}

func TestFetchersHearOfEachPrivateAddressOfASeed(t *testing.T) {
	inBubble(t, "once", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		epoch := d.s.core.state.epoch
		for _, tt := range []struct {
			url string
			new uint64
		}{{"http://10.0.0.1/", 1}, {"http://10.0.0.1/other", 0}, {"http://10.0.0.2/", 1}, {"http://a.test/", 0}} {
			if d.s.newStep().openAddresses(mustURL(tt.url)); d.s.core.state.epoch != epoch+tt.new {
				t.Errorf("%s raised the epoch by %d", tt.url, d.s.core.state.epoch-epoch)
			}
			epoch = d.s.core.state.epoch
		}
	})
}

func TestTheLastSeedsAreNotedOnce(t *testing.T) {
	inBubble(t, "in the ledger", func(t *testing.T) {
		led, noted := schedulertest.NewLedger(), 0
		d := newDesk(t, schedulertest.Job(), led)
		led.Watch = func(c *crawler.Changes) {
			if c.State != nil {
				noted++
			}
		}
		if d.seed("http://a.test/"); noted != 1 || !led.State.State.Seeded {
			t.Errorf("noted %d times, seeded: %v", noted, led.State.State.Seeded)
		}
		if d.seed("http://a.test/2"); noted != 1 {
			t.Errorf("noted %d times at the second time", noted)
		}
	})
}

func TestAResultOfAURLThatIsNotLeasedIsDropped(t *testing.T) {
	const a, b = "http://a.test/1", "http://b.test/"
	for name, tt := range map[string]struct {
		url  string
		made func(led *schedulertest.Ledger, t *credit.Turn)
		want int64
	}{
		"not where it is leased": {a, func(*schedulertest.Ledger, *credit.Turn) {}, 0},
		"without a row": {"http://a.test/none", func(_ *schedulertest.Ledger, t *credit.Turn) {
			t.URLs = append(t.URLs, mustURL("http://a.test/none").Key().URL)
		}, 1},
		"of another host": {b, func(_ *schedulertest.Ledger, t *credit.Turn) { t.URLs = append(t.URLs, mustURL(b).Key().URL) }, 1},
		"of another turn": {"http://a.test/2", func(_ *schedulertest.Ledger, t *credit.Turn) { t.URLs = []uint64{mustURL(a).Key().URL} }, 1},
		"whose hash is that of another one": {a, func(led *schedulertest.Ledger, _ *credit.Turn) {
			led.AllRows[mustURL(a).Key()].URL = mustURL("http://a.test/first")
		}, 1},
	} {
		inBubble(t, name, func(t *testing.T) {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			d.seed(a, "http://a.test/2", b)
			task := d.takeAt("a.test")
			d.ask(task, 1)
			led.Lenient = true
			tt.made(led, d.s.core.state.turns.Get("a.test"))
			d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched(tt.url)} })
			if n := d.s.core.state.tallies.Dropped["result_without_lease"]; n != tt.want || led.State.Tallies.Counts[crawler.Fetched] != 1-tt.want {
				t.Errorf("%d dropped, counts %v", n, led.State.Tallies.Counts)
			}
		})
	}
}

func TestWhatAPageNeedsIsTold(t *testing.T) {
	inBubble(t, "from what it links to", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{
				{URL: mustURL("http://a.test/page")}, {URL: mustURL("http://a.test/image"), Kind: crawler.LinkRequisite},
			}}}
		})
		if d.row("http://a.test/page").Requisite || !d.row("http://a.test/image").Requisite {
			t.Errorf("%+v, %+v", d.row("http://a.test/page"), d.row("http://a.test/image"))
		}
	})
}

func TestAShorterWayCountsOnlyForAURLThatWaitsAndIsTooDeep(t *testing.T) {
	const limit = 2
	for name, tt := range map[string]struct {
		outcome   crawler.Outcome
		depth, by int
		want      int
	}{
		"into the limit":                  {crawler.Waiting, limit + 1, limit, limit},
		"to one that is too deep as well": {crawler.Waiting, limit + 3, limit + 2, limit + 2},
		"one as long":                     {crawler.Waiting, limit + 1, limit + 1, limit + 1},
		"a longer one":                    {crawler.Waiting, limit + 1, limit + 2, limit + 1},
		"to one within the limit":         {crawler.Waiting, limit, limit - 1, limit},
		"to a page that was fetched":      {crawler.Fetched, limit + 1, limit, limit + 1},
		"to one that is excluded":         {crawler.Excluded, limit + 3, limit, limit + 3},
	} {
		inBubble(t, name, func(t *testing.T) {
			job := schedulertest.Job()
			job.Depth = limit
			st := newDesk(t, job, schedulertest.NewLedger()).s.newStep()
			row := &crawler.Row{Result: crawler.Result{URL: mustURL("http://a.test/1"), Outcome: tt.outcome}, Depth: tt.depth, Via: "http://a.test/long"}
			st.shorten(row, &candidate{url: row.URL, depth: tt.by, via: "http://a.test/short"})
			now := st.current(row)
			if now.Depth != tt.want || (now.Via == "http://a.test/short") != (tt.want != tt.depth) {
				t.Errorf("depth %d by %s, want %d", now.Depth, now.Via, tt.want)
			}
		})
	}
}
