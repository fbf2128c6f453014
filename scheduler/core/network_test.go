package core

import (
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestPatienceStandsStillWhileNoFetcherHasANetwork(t *testing.T) {
	inBubble(t, "of two", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 9)...)
		d.turn(first(schedulertest.Fetched))
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
