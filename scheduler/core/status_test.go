package core

import (
	"strings"
	"testing"

	"trawl/scheduler/schedulertest"
)

func TestAJobWithNothingToDoSaysWhatItWaitsFor(t *testing.T) {
	inBubble(t, "more seeds of a stream that goes on", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.step(gathered{tick: true})
		if got := d.s.Status().WaitsFor; !strings.Contains(got, "seeds are not all read") {
			t.Errorf("it waits for %q", got)
		}
		d.seed("http://a.test/")
		d.step(gathered{tick: true})
		if got := d.s.Status().WaitsFor; strings.Contains(got, "seeds") {
			t.Errorf("with all seeds it waits for %q", got)
		}
	})
	inBubble(t, "seeds that are added", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.core.o.Stay = true
		d.seed()
		d.step(gathered{tick: true})
		if got := d.s.Status().WaitsFor; !strings.Contains(got, "trawl add") {
			t.Errorf("it waits for %q", got)
		}
	})
}
