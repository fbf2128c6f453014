package scheduler

import (
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestStatusSaysSinceWhenAFetcherHearsNothing(t *testing.T) {
	inBubble(t, "of two", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
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
