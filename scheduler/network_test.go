package scheduler

import (
	"strings"
	"testing"
	"time"

	"trawl/crawler"
)

func TestStatusSaysSinceWhenAFetcherHearsNothing(t *testing.T) {
	inBubble(t, "of two", func(t *testing.T) {
		d := newDesk(t, crawlJob(), newMemLedger())
		d.seed("http://a.test/")
		there := crawler.FetcherStatus{Name: "f1", Slots: 4}
		silent := crawler.FetcherStatus{Name: "f2", Slots: 1, Silent: 10 * time.Second}
		d.s.SetFetchers([]crawler.FetcherStatus{there, silent})
		time.Sleep(2 * time.Second)
		d.s.SetFetchers([]crawler.FetcherStatus{there, silent}) // something else changed
		time.Sleep(3 * time.Second)
		d.step(gathered{tick: true})
		if got := d.s.Status().WaitsFor; !strings.Contains(got, "f2 hears nothing from outside since 15s") {
			t.Errorf("it says %q", got)
		}
		silent.Silent = 0
		d.s.SetFetchers([]crawler.FetcherStatus{there, silent})
		d.step(gathered{tick: true})
		if got := d.s.Status().WaitsFor; strings.Contains(got, "hears nothing") {
			t.Errorf("when it is back it says %q", got)
		}
	})
}

func TestPatienceStandsStillWhileNoFetcherHasANetwork(t *testing.T) {
	inBubble(t, "of two", func(t *testing.T) {
		d := newDesk(t, crawlJob(), newMemLedger())
		d.seed(urlsOf("a.test", 9)...)
		d.turn(first(fetched))
		d.until(time.Minute)
		d.turn(first(refused))
		silent := crawler.FetcherStatus{Slots: 1, Silent: 10 * time.Second}
		for _, c := range []struct {
			name     string
			fetchers []crawler.FetcherStatus
			runs     bool
		}{
			{"both are away", []crawler.FetcherStatus{silent, silent}, false},
			{"one is away", []crawler.FetcherStatus{silent, {Slots: 4}}, true},
			{"one has a single place", []crawler.FetcherStatus{silent, {Slots: 1}}, true},
			{"one is away and the other leaves", []crawler.FetcherStatus{silent, {Slots: 0}}, false},
			{"there is none", nil, false},
		} {
			d.s.SetFetchers(c.fetchers)
			d.pass(time.Second)
			before := d.s.core.state.ran
			d.pass(time.Minute)
			if ran := d.s.core.state.ran - before; (ran > 50*time.Second) != c.runs || !c.runs && ran != 0 {
				t.Errorf("%s: a minute counts as %v", c.name, ran)
			}
		}
	})
}
