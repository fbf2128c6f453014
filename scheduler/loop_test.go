package scheduler

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestStepsAreToldAndTheirEffectsLeave(t *testing.T) {
	inBubble(t, "each kind of step, once it is committed", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		var told []string
		d.s.o.Fault = func(step string) { told = append(told, step) }
		expect := func(when string, want ...string) {
			t.Helper()
			if !slices.Equal(told, want) {
				t.Errorf("%s: %q, want %q", when, told, want)
			}
			told = nil
		}
		d.step(gathered{})
		expect("nothing")
		d.seed("http://a.test/1", "http://a.test/2")
		expect("seeds", "offer")
		task := d.take()
		d.ask(task, 1)
		expect("an ask", "grant")
		d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched("http://a.test/1")} })
		expect("a part", "settle")
		d.pass(30 * time.Second)
		if len(told) == 0 || told[0] != "lapse" {
			t.Errorf("a lapse: %q", told)
		}
	})
	inBubble(t, "asks and parts that came meanwhile go into one step, so many and no more", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		for range maxAsks {
			d.s.asks <- askEvent{}
		}
		e := gathered{asks: []askEvent{{}}}
		if d.s.gather(&e); len(e.asks) != maxAsks || len(d.s.asks) != 1 || e.parts != nil || e.seeds != nil {
			t.Errorf("%d asks, %d left", len(e.asks), len(d.s.asks))
		}
		go func() { d.s.parts <- []crawler.LoggedPart{{Position: 7}} }()
		go func() { d.s.seeds <- seedEvent{} }()
		synctest.Wait()
		mine := []crawler.LoggedPart{{Position: 1}}
		e = gathered{parts: mine}
		if d.s.gather(&e); len(e.asks) != 1 || len(e.seeds) != 1 || e.parts[0].Position != 1 {
			t.Errorf("%+v", e)
		}
		e = gathered{}
		if d.s.gather(&e); len(e.parts) != 1 || e.parts[0].Position != 7 {
			t.Errorf("parts %+v", e.parts)
		}
	})
}

func TestAStoppingSchedulerIsQuietWhenNoTurnIsHeld(t *testing.T) {
	inBubble(t, "but not before, and not without being told", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		quiet := func() bool {
			select {
			case <-d.s.Quiet():
				return true
			default:
				return false
			}
		}
		d.seed("http://a.test/1", "http://b.test/1")
		task := d.take()
		d.ask(task, 1)
		d.s.Stop()
		if d.step(gathered{}); quiet() {
			t.Error("quiet while a turn is held")
		}
		d.part(task, 1, 1, func(p *crawler.Part) { p.End = true })
		if !quiet() || d.s.Status().HostsHeld != 0 || len(d.led.Turns) != 1 {
			t.Errorf("quiet %v, status says %d are held", quiet(), d.s.Status().HostsHeld)
		}
		idle := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		idle.step(gathered{})
		d = idle
		if quiet() {
			t.Error("quiet without being told to stop")
		}
	})
}
