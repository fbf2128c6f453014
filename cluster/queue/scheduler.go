package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"trawl/cluster"
	"trawl/cluster/listen"
	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// offerStall is how long an offer waits for room in the window of unconfirmed tasks.
const offerStall = offerTimeout

// Offer publishes turns and waits until each is stored. After an error some may be stored and some not;
// offering them again does no harm. [ErrFull] and [ErrTooLarge] are among the errors.
func (c *Conn) Offer(ctx context.Context, tasks []crawler.Task) error {
	ctx, done := c.call(ctx, c.names.task)
	defer done()
	c.connected(ctx)
	var problems []error
	stored := make([]jetstream.PubAckFuture, 0, len(tasks))
	for i := range tasks {
		data, err := wire.EncodeTask(&tasks[i])
		if err != nil {
			problems = append(problems, fmt.Errorf("turn %v of %s: %w", tasks[i].Turn, tasks[i].Host, err))
			continue
		}
		if ctx.Err() != nil {
			break
		}
		f, err := c.js.PublishAsync(c.names.task, data, jetstream.WithStallWait(offerStall))
		if err != nil {
			problems = append(problems, err)
			break
		}
		stored = append(stored, f)
	}
	for _, f := range stored {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			problems = append(problems, offerError(err))
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		problems = append(problems, context.Cause(ctx))
	}
	if err := first(problems); err != nil {
		return fmt.Errorf("offer: %d of %d turns not stored: %w", max(len(problems), 1), len(tasks), err)
	}
	return nil
}

// first keeps one of many problems that are mostly the same; what no waiting mends comes before the rest.
func first(problems []error) error {
	for _, err := range problems {
		if errors.Is(err, ErrTooLarge) || errors.Is(err, cluster.ErrRefused) || errors.Is(err, ErrClosed) {
			return err
		}
	}
	if len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// Codes of JetStream's refusals to store.
const (
	codeStoreFailed = 10077 // maximum bytes or messages exceeded
	codeNoResources = 10023 // insufficient resources
	codeNoStorage   = 10047 // insufficient storage
)

func offerError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeStoreFailed, codeNoResources, codeNoStorage:
			return fmt.Errorf("%w: %s", ErrFull, api.Description)
		}
	}
	return err
}

// Queued is how many tasks the queue holds, with those that were handed out and not acked yet.
func (c *Conn) Queued(ctx context.Context) (int, error) {
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	s, err := c.js.Stream(ctx, c.names.tasks)
	if err != nil {
		return 0, c.because(ctx, "look at the task queue", err)
	}
	return int(s.CachedInfo().State.Msgs), nil
}

// Last is the position of the newest part that was stored, 0 when there was none.
func (c *Conn) Last(ctx context.Context) (uint64, error) {
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	s, err := c.js.Stream(ctx, c.names.results)
	if err != nil {
		return 0, c.because(ctx, "look at the result log", err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// Purge gives up every part up to the position, which must have been read.
func (c *Conn) Purge(ctx context.Context, upTo uint64) error {
	if upTo == 0 {
		return nil
	}
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	s, err := c.js.Stream(ctx, c.names.results)
	if err != nil {
		return c.because(ctx, "purge the result log", err)
	}
	if upTo > s.CachedInfo().State.LastSeq {
		return fmt.Errorf("purge the result log: up to %d, but it ends at %d", upTo, s.CachedInfo().State.LastSeq)
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(upTo+1)); err != nil {
		return c.because(ctx, "purge the result log", err)
	}
	return nil
}

// because prefers the reason for which a call was ended to the error that it ended with.
func (c *Conn) because(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// ServeAsks answers fetchers until ctx ends, and then returns nil. Each ask is answered in a goroutine of
// its own; all of them have returned when it returns. Other errors are [cluster.ErrRefused] and [ErrClosed].
func (c *Conn) ServeAsks(ctx context.Context, h Asker) error {
	served, done := c.call(ctx, c.names.ask, c.names.notice)
	defer done()
	requests := make(chan *nats.Msg, AskBacklog)
	for _, subject := range []string{c.names.ask, c.names.notice} {
		sub, err := c.nc.ChanSubscribe(subject, requests)
		if err != nil {
			return c.because(served, "answer asks", err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	a := &answerer{asker: h, limit: func() int { return int(c.nc.MaxPayload()) }, log: c.log, unread: rate.Sometimes{Interval: listen.LogEvery}}
	astray := listen.NewTally(c.log, "queue: dropped an ask that wants its answer elsewhere than in an inbox")
	defer astray.Flush()
	serve(served, requests, func(m *nats.Msg) {
		if !strings.HasPrefix(m.Reply, c.names.inbox0+".") {
			// The answer would go out with the scheduler's rights, to wherever a fetcher likes.
			astray.Hit(slog.String("reply", m.Reply))
			return
		}
		reply := []byte(nil)
		if m.Subject == c.names.ask {
			reply = a.ask(served, m.Data)
		} else {
			reply = a.notice(served)
		}
		if err := m.Respond(reply); err != nil && served.Err() == nil {
			c.log.Debug("a reply was not sent", "error", err)
		}
	})
	if ctx.Err() == nil {
		return c.because(served, "answer asks", served.Err())
	}
	return nil
}
