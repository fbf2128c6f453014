package scheduler

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"trawl/crawler"
)

// troubledQueue takes nothing when it has trouble.
type troubledQueue struct {
	*queues
	trouble error
	called  func()
}

func (q *troubledQueue) Offer(context.Context, []crawler.Task) error { q.called(); return q.trouble }
func (q *troubledQueue) Purge(context.Context, uint64) error         { q.called(); return q.trouble }

func TestAQueueThatTakesNothingIsSaid(t *testing.T) {
	trouble := errors.New("no route")
	for name, tt := range map[string]struct {
		trouble error
		ends    bool // meanwhile
		lines   int
	}{"not without trouble": {nil, false, 0}, "with trouble": {trouble, false, 2}, "not at the end": {trouble, true, 0}, "nor without trouble then": {nil, true, 0}} {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		q := &troubledQueue{newQueues(1), tt.trouble, func() {
			if tt.ends {
				cancel()
			}
		}}
		s := &Scheduler{o: Options{Tasks: q, Results: q}, log: slog.New(slog.NewTextHandler(&log, nil)), effect: make(chan effects)}
		end := make(chan error, 1)
		go func() { end <- s.runEffects(ctx) }()
		s.effect <- effects{tasks: []crawler.Task{{}}, purge: 1}
		if !tt.ends {
			s.effect <- effects{} // so that the first is through
		}
		cancel()
		if err := <-end; !errors.Is(err, context.Canceled) || strings.Count(log.String(), "\n") != tt.lines {
			t.Errorf("%s: %v, %s", name, err, log.String())
		}
	}
}

func TestAJobThatIsDoneStaysSoAtAStart(t *testing.T) {
	inBubble(t, "with nothing left", func(t *testing.T) {
		led := newMemLedger()
		d := newDesk(t, crawlJob(), led)
		d.seed("http://a.test/")
		d.answeredPage(d.take())
		done := led.state.State.Finished
		if newDesk(t, crawlJob(), led); done.IsZero() || !led.state.State.Finished.Equal(done) {
			t.Errorf("done at %v, after a start at %v", done, led.state.State.Finished)
		}
	})
}
