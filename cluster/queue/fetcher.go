package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// Times of a request for a task.
const (
	pullExpires = 30 * time.Second // the server gives it up then
	pullSlack   = 5 * time.Second  // longer than that means that it was lost
)

// Answers to an acknowledged or refused delivery, as JetStream spells them.
var (
	ackDone = []byte("+ACK")
	ackDrop = []byte("+TERM")
	ackBack = []byte("-NAK")
)

// errNoTask: there was nothing while the request lasted.
var errNoTask = errors.New("no task")

// Next waits for a task, as long as ctx lasts. No more tasks are asked for than there are callers, and no
// more than [PullWindow] at once. Other errors are [cluster.ErrRefused] and [ErrClosed].
func (c *Conn) Next(ctx context.Context) (crawler.Delivery, error) {
	ctx, done := c.call(ctx, c.names.pull, "$JS.ACK."+c.names.tasks)
	defer done()
	select {
	case c.pulls <- struct{}{}:
		defer func() { <-c.pulls }()
	case <-ctx.Done():
		return crawler.Delivery{}, context.Cause(ctx)
	}
	for ctx.Err() == nil {
		c.connected(ctx)
		m, err := c.pull(ctx)
		switch {
		case errors.Is(err, errNoTask) || ctx.Err() != nil && m == nil:
		case err != nil:
			c.pause(ctx) // no stream yet, or no server: both come
		default:
			task, err := wire.DecodeTask(m.Data)
			if err == nil {
				return crawler.Delivery{Task: task, Ack: sync.OnceFunc(func() { _ = m.Respond(ackDone) })}, nil
			}
			// It would come again for ever. Its turn is published again by the scheduler.
			c.log.Error("a task could not be read and is dropped", "error", err)
			_ = m.Respond(ackDrop)
		}
	}
	return crawler.Delivery{}, context.Cause(ctx)
}

// pull asks for one task.
func (c *Conn) pull(ctx context.Context) (*nats.Msg, error) {
	ctx, cancel := c.until(ctx)
	defer cancel()
	ctx, cancelTime := context.WithTimeout(ctx, pullExpires+pullSlack)
	defer cancelTime()
	request, err := json.Marshal(map[string]any{"batch": 1, "expires": pullExpires})
	if err != nil {
		return nil, err
	}
	inbox, got, err := c.inbox.expect(c.nc)
	if err != nil {
		return nil, err
	}
	defer c.inbox.forget(got)
	if err := c.nc.PublishRequest(c.names.pull, inbox, request); err != nil {
		return nil, err
	}
	select {
	case m := <-got:
		return taskOf(m)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// taskOf distinguishes a task from the server's other answers to a request.
func taskOf(m *nats.Msg) (*nats.Msg, error) {
	switch status := m.Header.Get("Status"); status {
	case "":
		return m, nil
	case "404", "408":
		return nil, errNoTask
	default:
		return nil, fmt.Errorf("queue: %s %s", status, m.Header.Get("Description"))
	}
}

// taskInbox is where the answers to requests for tasks arrive. A delivered task does not say which request
// it answers, and need not: each request has one answer, and callers are all alike. The server does not know
// at once when a caller has gone; a task for which nobody waits any more is given back.
type taskInbox struct {
	mu      sync.Mutex
	sub     *nats.Subscription // made by the first request
	waiting []chan *nats.Msg   // oldest first
}

// expect lets a caller wait for an answer and returns the subject that answers go to.
func (b *taskInbox) expect(nc *nats.Conn) (string, chan *nats.Msg, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sub == nil {
		sub, err := nc.Subscribe(nc.NewInbox(), b.arrived)
		if err != nil {
			return "", nil, err
		}
		b.sub = sub
	}
	got := make(chan *nats.Msg, 1)
	b.waiting = append(b.waiting, got)
	return b.sub.Subject, got, nil
}

func (b *taskInbox) arrived(m *nats.Msg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		giveBack(m)
		return
	}
	b.waiting[0] <- m
	b.waiting = slices.Delete(b.waiting, 0, 1)
}

// forget ends the waiting. What came at the last moment, and nobody took, is given back.
func (b *taskInbox) forget(got chan *nats.Msg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, got); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	select {
	case m := <-got:
		giveBack(m)
	default:
	}
}

func giveBack(m *nats.Msg) {
	if _, err := taskOf(m); err == nil {
		_ = m.Respond(ackBack) // when it is lost, the task comes again after AckWait
	}
}

// Send stores a part; it tries again, as long as ctx lasts, when there is no confirmation. The part is
// durable when it returns nil; after an error it may or may not be. Errors that waiting does not mend are
// [ErrTooLarge], [cluster.ErrRefused] and [ErrClosed].
func (c *Conn) Send(ctx context.Context, part *crawler.Part) error {
	data, err := wire.EncodePart(part)
	if err != nil {
		return err
	}
	ctx, done := c.call(ctx, c.names.result)
	defer done()
	for {
		c.connected(ctx)
		err := c.store(ctx, data)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("send part: %w", context.Cause(ctx))
		case errors.Is(err, nats.ErrMaxPayload):
			return fmt.Errorf("send part: %w: the server takes %d bytes", ErrTooLarge, c.nc.MaxPayload())
		}
		c.log.Debug("a part was not confirmed and is sent again", "turn", part.Turn.String(), "number", part.Number, "error", err)
		c.pause(ctx)
	}
}

// store publishes a part once and waits for its confirmation, which is lost when the connection is.
func (c *Conn) store(ctx context.Context, data []byte) error {
	ctx, cancel := c.until(ctx)
	defer cancel()
	ctx, cancelTime := context.WithTimeout(ctx, publishTimeout)
	defer cancelTime()
	ack, err := c.js.Publish(ctx, c.names.result, data, jetstream.WithRetryAttempts(0))
	if err != nil {
		return err
	}
	if ack.Stream != c.names.results {
		return fmt.Errorf("stored in %q, which is not the result log", ack.Stream)
	}
	return nil
}

// Ask asks the scheduler for a turn or renews it. An error means that nothing is known.
func (c *Conn) Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
	data, err := wire.EncodeAsk(&ask)
	if err != nil {
		return crawler.Answer{}, err
	}
	body, err := c.request(ctx, c.names.ask, data)
	if err != nil {
		return crawler.Answer{}, fmt.Errorf("ask for turn %v: %w", ask.Turn, err)
	}
	return wire.DecodeAnswer(body, ask.Host)
}

// Notice asks the scheduler for the job.
func (c *Conn) Notice(ctx context.Context) (crawler.JobNotice, error) {
	body, err := c.request(ctx, c.names.notice, nil)
	if err != nil {
		return crawler.JobNotice{}, fmt.Errorf("ask for the job: %w", err)
	}
	return wire.DecodeNotice(body)
}

func (c *Conn) request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	ctx, done := c.call(ctx, subject)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	c.connected(ctx)
	waiting, cancelWaiting := c.until(ctx)
	defer cancelWaiting()
	m, err := c.nc.RequestWithContext(waiting, subject, data)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && waiting.Err() != nil:
		return nil, fmt.Errorf("%w: the connection was lost", ErrUnreachable)
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w: no scheduler listens", ErrUnreachable)
	case err != nil:
		return nil, err
	}
	return readReply(m.Data)
}
