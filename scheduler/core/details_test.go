package core

import (
	"context"
	"errors"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/schedulertest"
)

func TestTriesCountAnewWhenABodyGrows(t *testing.T) {
	inBubble(t, "whosever try it is", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		for _, tt := range []struct {
			progress, spare bool
			tries, spared   int
		}{{false, false, 3, 1}, {false, true, 2, 2}, {true, false, 1, 0}, {true, true, 0, 1}} {
			row := crawler.Row{Tries: 2, Spared: 1}
			r := failed("http://a.test/", crawler.ReasonTimeout, 0)
			r.Progress = tt.progress
			if d.s.newStep().retry(&crawler.HostState{}, &r, &row, tt.spare); row.Tries != tt.tries || row.Spared != tt.spared {
				t.Errorf("%+v: %d tries, %d spared", tt, row.Tries, row.Spared)
			}
		}
	})
}

func TestAHostIsAsDeepAsWhatATurnGivesBack(t *testing.T) {
	inBubble(t, "when it ends without results", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL("http://a.test/deep")}}}}
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		task = d.takeAt("a.test")
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) { p.End, p.Wait = true, time.Hour })
		if h := d.led.AllHosts["a.test"]; h.Depth != 1 {
			t.Errorf("depth %d", h.Depth)
		}
	})
}

func TestRunningTimeIsStoredByItselfOnlyNowAndThen(t *testing.T) {
	inBubble(t, "while a host is away", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.s.core.state.tallies.Away, led.Lenient = 1, true
		for _, tt := range []struct{ ran, stored time.Duration }{{ranEvery - 1, 0}, {ranEvery, ranEvery}, {2*ranEvery - 1, ranEvery}, {2 * ranEvery, 2 * ranEvery}} {
			d.s.core.state.ran = tt.ran
			if err := d.s.seal(d.s.newStep()); err != nil || led.State.Ran != tt.stored {
				t.Errorf("after %v: %v is stored, %v", tt.ran, led.State.Ran, err)
			}
		}
	})
}

func TestALogLevelThatIsNoneIsRefused(t *testing.T) {
	inBubble(t, "by a change", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		for level, takes := range map[string]bool{"debug": true, "error": true, "loud": false} {
			if refused, err := d.s.change(t.Context(), &crawler.Change{LogLevel: &level}); err != nil || (refused == nil) != takes {
				t.Errorf("%s: %v, %v", level, refused, err)
			}
		}
	})
}

func TestTurnsThatNoMessageCarriesAreTakenBack(t *testing.T) {
	full := errors.New("the disk is full")
	many := make([]crawler.RobotsHop, crawler.MaxTurnErrands+1)
	for name, tt := range map[string]struct {
		turn   credit.Turn
		refuse error
		ends   bool // meanwhile
		want   error
		left   int
	}{
		"that are offered":            {turn: credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Errands: many}}},
		"not those that are held":     {turn: credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Errands: many, Held: true}}, left: 1},
		"not those that fit":          {turn: credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Errands: many[1:]}}, left: 1},
		"not where the disk is full":  {turn: credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Errands: many}}, refuse: full, want: full, left: 1},
		"until the start is given up": {turn: credit.Turn{TurnState: crawler.TurnState{Host: "a.test", Errands: many}}, ends: true, want: context.Canceled},
	} {
		inBubble(t, name, func(t *testing.T) {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			led.Lenient, led.Refuse = true, tt.refuse
			d.s.core.state.turns.Put(&tt.turn)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.ends {
				cancel()
			}
			if err := d.s.carryOut(ctx, takeBackOversized); !errors.Is(err, tt.want) || d.s.core.state.turns.Len() != tt.left {
				t.Errorf("%v, %d turns left", err, d.s.core.state.turns.Len())
			}
		})
	}
}

func TestARepairThatIsCutOffSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	full := errors.New("the disk is full")
	lost := Lost{Rows: []weburl.URLKey{mustURL("http://a.test/").Key()}}
	for name, tt := range map[string]struct {
		ctx    context.Context
		refuse error
		want   error
	}{"by its end": {ctx, nil, context.Canceled}, "by the disk": {t.Context(), full, full}, "not at all": {t.Context(), nil, nil}} {
		inBubble(t, name, func(t *testing.T) {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			d.seed("http://a.test/")
			d.answeredPage(d.take())
			led.Refuse = tt.refuse
			if n, err := repairLedger(tt.ctx, led, lost); !errors.Is(err, tt.want) || tt.want == nil && n != 1 {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}
