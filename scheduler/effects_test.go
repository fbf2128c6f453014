package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/scheduler/core"
	"trawl/scheduler/schedulertest"
)

// troubledQueue takes nothing when it has trouble.
type troubledQueue struct {
	*schedulertest.Queues
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
		q := &troubledQueue{schedulertest.NewQueues(1), tt.trouble, func() {
			if tt.ends {
				cancel()
			}
		}}
		s := &Scheduler{o: Options{Tasks: q, Results: q}, log: slog.New(slog.NewTextHandler(&log, nil)), effect: make(chan core.Effects)}
		end := make(chan error, 1)
		go func() { end <- s.runEffects(ctx) }()
		s.effect <- core.Effects{Tasks: []crawler.Task{{}}, Purge: 1}
		if !tt.ends {
			s.effect <- core.Effects{} // so that the first is through
		}
		cancel()
		if err := <-end; !errors.Is(err, context.Canceled) || strings.Count(log.String(), "\n") != tt.lines {
			t.Errorf("%s: %v, %s", name, err, log.String())
		}
	}
}

// failing is a queue that takes nothing at first.
type failing struct {
	*schedulertest.Queues
	times  int
	offers int
	reads  int
	purges []uint64
}

func (f *failing) Offer(ctx context.Context, tasks []crawler.Task) error {
	if f.offers++; f.offers <= f.times {
		return errors.New("not yet")
	}
	return f.Queues.Offer(ctx, tasks)
}
func (f *failing) Read(ctx context.Context, after uint64, most int) ([]crawler.LoggedPart, error) {
	if f.reads++; f.reads <= f.times {
		return nil, errors.New("not yet")
	}
	return f.Queues.Read(ctx, after, most)
}
func (f *failing) Purge(ctx context.Context, upTo uint64) error {
	f.purges = append(f.purges, upTo)
	return f.Queues.Purge(ctx, upTo)
}

func TestAResultQueueThatGivesNothingIsAskedAgainAfterAWhile(t *testing.T) {
	inBubble(t, "and that is said, but not at the end", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log bytes.Buffer
		reads, begin := 0, time.Now()
		q := &silentQueue{schedulertest.NewQueues(1), func() {
			if reads++; reads == 3 {
				cancel()
			}
		}}
		s := &Scheduler{o: Options{Results: q}, log: slog.New(slog.NewTextHandler(&log, nil))}
		if err := s.readResults(ctx); !errors.Is(err, context.Canceled) || reads != 3 {
			t.Errorf("%v after %d times", err, reads)
		}
		if took, lines := time.Since(begin), strings.Count(log.String(), "\n"); took != 2*time.Second || lines != 2 {
			t.Errorf("in %v, %d lines: %s", took, lines, log.String())
		}
	})
}

// silentQueue gives no results.
type silentQueue struct {
	*schedulertest.Queues
	called func()
}

func (q *silentQueue) Read(context.Context, uint64, int) ([]crawler.LoggedPart, error) {
	q.called()
	return nil, errors.New("no route")
}

func TestTheLoopOutlivesItsQueues(t *testing.T) {
	inBubble(t, "what they do not take or give is tried again", func(t *testing.T) {
		led, q := schedulertest.NewLedger(), &failing{Queues: schedulertest.NewQueues(1), times: 2}
		s, err := New(t.Context(), Options{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q})
		if err != nil {
			t.Fatal(err)
		}
		s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 9}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		if err := s.Seed(ctx, []Seed{{URL: mustURL("http://a.test/"), Text: "a"}}, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		task, ok := q.Take()
		if !ok || q.offers < 2 || q.reads != 3 {
			t.Fatalf("offered %v after %d times, read %d times", ok, q.offers, q.reads)
		}
		holder := crawler.HolderID{1}
		if a, err := s.Ask(ctx, crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: holder, Fetcher: "f"}); err != nil || a.Verdict != crawler.Granted {
			t.Fatalf("%+v, %v", a, err)
		}
		q.Send(crawler.Part{Turn: task.Turn, Host: task.Host, Holder: holder, Number: 1, Fetcher: "f", Results: []crawler.Result{schedulertest.Fetched("http://a.test/")}, End: true})
		<-s.Done()
		synctest.Wait()
		if !slices.Equal(q.purges, []uint64{1}) || !led.State.State.Running {
			t.Errorf("purged up to %v; running %v", q.purges, led.State.State.Running)
		}
		cancel()
		if err := <-ended; err != nil || led.State.State.Running {
			t.Errorf("it ends with %v, running %v", err, led.State.State.Running)
		}
	})
	inBubble(t, "whoever asks hears the end of its own patience", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for name, err := range map[string]error{
			"an ask":   func() error { _, err := d.s.Ask(ctx, crawler.Ask{}); return err }(),
			"a seed":   d.s.Seed(ctx, nil, false),
			"a change": d.s.Change(ctx, crawler.Change{}),
		} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	for _, without := range []string{"Ledger", "Tasks", "Results"} {
		led, q := schedulertest.NewLedger(), schedulertest.NewQueues(1)
		o := Options{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q}
		switch without {
		case "Ledger":
			o.Ledger = nil
		case "Tasks":
			o.Tasks = nil
		case "Results":
			o.Results = nil
		}
		if _, err := New(t.Context(), o); err == nil || !strings.Contains(fmt.Sprint(err), "needed") {
			t.Errorf("without %s: %v", without, err)
		}
	}
}

func TestAfterTheEndNobodyWaits(t *testing.T) {
	inBubble(t, "for an answer", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := d.s.Add(t.Context(), []Seed{{URL: mustURL("http://a.test/")}}); !errors.Is(err, ErrEnding) {
			t.Errorf("got %v", err)
		}
	})
}
