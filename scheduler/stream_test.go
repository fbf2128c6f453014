package scheduler

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// along is a reader along that a test moves.
type along struct {
	urls      []string
	numbers   []uint64
	full      bool
	delivered uint64
}

func (a *along) Final(first uint64, rows []*crawler.Row) {
	for i, r := range rows {
		a.urls, a.numbers = append(a.urls, r.URL.String()), append(a.numbers, first+uint64(i))
	}
}
func (a *along) Full() bool        { return a.full }
func (a *along) Delivered() uint64 { return a.delivered }

func TestWhoReadsAlongGetsEachFinalRowWithItsNumber(t *testing.T) {
	a := &along{}
	d := newStreamDesk(t, a)
	d.seed("http://h.example/1", "http://h.example/2", "http://h.example/3")
	task := d.take()
	d.ask(task, 1)
	d.part(task, 1, 1, func(p *crawler.Part) {
		p.Results = append(p.Results, crawler.Result{URL: mustURL("http://h.example/1"), Outcome: crawler.Fetched, Status: 200})
	})
	d.part(task, 1, 2, func(p *crawler.Part) {
		p.Results = append(p.Results,
			crawler.Result{URL: mustURL("http://h.example/2"), Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 404},
			crawler.Result{URL: mustURL("http://h.example/3"), Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 500}) // tried again, so not final
	})
	if want := []string{"http://h.example/1", "http://h.example/2"}; !slices.Equal(a.urls, want) || !slices.Equal(a.numbers, []uint64{1, 2}) {
		t.Errorf("got %v with %v, want %v", a.urls, a.numbers, want)
	}
	if owed := []uint64{d.led.Owed[0].Number, d.led.Owed[1].Number}; !slices.Equal(owed, []uint64{1, 2}) {
		t.Errorf("owed in the ledger: %v", owed)
	}
	a.delivered = 1
	d.step(gathered{tick: true})
	if len(d.led.Owed) != 1 || d.led.Owed[0].Number != 2 {
		t.Errorf("still owed: %v, want number 2", d.led.Owed)
	}
	a.delivered = 2
	if err := d.s.noteDelivered(t.Context()); err != nil || len(d.led.Owed) != 0 {
		t.Errorf("the end of the loop leaves %v, %v", d.led.Owed, err)
	}
	d.led.Refuse = errors.New("the disk is full")
	if err := d.s.noteDelivered(t.Context()); err != nil {
		t.Errorf("it is noted again: %v", err)
	}
}

func TestNoTurnsAreMadeWhileWhoReadsAlongTakesNothing(t *testing.T) {
	a := &along{full: true}
	d := newStreamDesk(t, a)
	d.seed("http://h.example/1")
	d.step(gathered{tick: true})
	if len(d.out) > 0 {
		t.Fatal("a turn was made")
	}
	if s := d.s.Status(); s.WaitsFor != "standard output does not take the rows" {
		t.Errorf("waits for %q", s.WaitsFor)
	}
	a.full = false
	d.step(gathered{tick: true})
	if len(d.out) != 1 {
		t.Error("no turn was made when rows were taken again")
	}
}

func newStreamDesk(t *testing.T, a *along) *desk {
	t.Helper()
	return newDeskOf(t, Options{Job: crawler.NewJob(crawler.Crawl), Stream: a}, schedulertest.NewLedger())
}

func TestWhatWasDeliveredIsNotedAtTheEnd(t *testing.T) {
	full := errors.New("the disk is full")
	for _, want := range []error{context.Canceled, full} {
		synctest.Test(t, func(t *testing.T) {
			a := &along{}
			d := newStreamDesk(t, a)
			ctx, cancel := context.WithCancel(t.Context())
			end := make(chan error, 1)
			go func() { end <- d.s.loop(ctx) }()
			synctest.Wait()
			if a.delivered = 1; want == full {
				d.led.Refuse = full
			}
			cancel()
			if err := <-end; !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}
