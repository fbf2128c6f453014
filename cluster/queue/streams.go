package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"trawl/crawler"
)

// maxPulls is how many requests for tasks may wait, of all fetchers together.
const maxPulls = 8192

// PrepareStreams makes the queues when they are missing, and gives them the current settings when they are
// there. after is the position up to which the ledger has settled. Positions of the result log never go
// back: a log that was lost, or lost its end, continues with after+1, and what it still held up to there is
// given up, as it was settled. So Last is at least after when it returns.
//
// The scheduler calls it before it offers and reads. Fetchers wait until it was done.
func (c *Conn) PrepareStreams(ctx context.Context, after uint64) error {
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	if err := c.prepare(ctx, after); err != nil {
		return c.because(ctx, "prepare the queues", err)
	}
	return nil
}

// maxReplicas is how many copies of a stream are asked for where foreign servers could keep more: three survive the loss of any
// one server, and each further copy costs every message its time.
const maxReplicas = 3

// Codes of JetStream's refusals to keep so many replicas.
const (
	codeNoReplicas = 10074 // servers that are no cluster
	codeNoPeers    = 10005 // a cluster of fewer servers
)

// Replicas is how many copies the servers keep of each queue; 0 before PrepareStreams.
func (c *Conn) Replicas() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept
}

func (c *Conn) prepare(ctx context.Context, after uint64) error {
	most := max(c.o.Replicas, 1)
	if c.o.Foreign && c.o.Replicas == 0 {
		most = maxReplicas
	}
	for n := most; ; n-- {
		err := c.prepareWith(ctx, after, n)
		if err == nil {
			c.mu.Lock()
			c.kept = n
			c.mu.Unlock()
			return nil
		}
		if n == 1 || !tooManyReplicas(err) {
			return err
		}
	}
}

func tooManyReplicas(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case codeNoReplicas, codeNoPeers, codeNoResources, codeNoStorage:
		return true
	}
	return false
}

func (c *Conn) prepareWith(ctx context.Context, after uint64, replicas int) error {
	if _, err := c.putStream(ctx, c.taskStream(replicas)); err != nil {
		return fmt.Errorf("task queue: %w", err)
	}
	if _, err := c.js.CreateOrUpdateConsumer(ctx, c.names.tasks, c.taskConsumer(replicas)); err != nil {
		return fmt.Errorf("task queue: %w", err)
	}
	s, err := c.putStream(ctx, c.resultStream(after+1, replicas))
	if err != nil {
		return fmt.Errorf("result log: %w", err)
	}
	if last := s.CachedInfo().State.LastSeq; last < after {
		c.log.Warn("the result log lost its end and goes on where the ledger stands", "log", last, "ledger", after)
		if err := s.Purge(ctx, jetstream.WithPurgeSequence(after+1)); err != nil {
			return fmt.Errorf("result log: %w", err)
		}
	}
	return nil
}

// DropStreams removes the queues and all they hold, from servers that others use too.
func (c *Conn) DropStreams(ctx context.Context) error {
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	for _, stream := range []string{c.names.tasks, c.names.results} {
		if err := c.js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return c.because(ctx, "remove the queues", err)
		}
	}
	return nil
}

// putStream creates or updates a stream. Where a stream begins cannot be changed any more.
func (c *Conn) putStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s, err := c.js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return c.js.CreateStream(ctx, cfg)
	} else if err != nil {
		return nil, err
	}
	cfg.FirstSeq = s.CachedInfo().Config.FirstSeq
	return c.js.UpdateStream(ctx, cfg)
}

func (c *Conn) taskStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: c.names.tasks, Subjects: []string{c.names.task}, Retention: jetstream.WorkQueuePolicy,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, Replicas: replicas,
		MaxBytes: c.o.MaxStore / 8, MaxMsgSize: crawler.MaxTaskBytes,
	}
}

// taskConsumer is the one consumer, shared by all fetchers: consumers are what is dear in JetStream.
// Its state is kept in memory, as redelivery plays no part in leases.
func (c *Conn) taskConsumer(replicas int) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.names.fetchers, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.o.AckWait,
		MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxPulls, MemoryStorage: true, Replicas: replicas,
	}
}

func (c *Conn) resultStream(first uint64, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: c.names.results, Subjects: []string{c.names.result}, Retention: jetstream.LimitsPolicy,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, Replicas: replicas,
		MaxBytes: c.o.MaxStore / 2, MaxMsgSize: crawler.MaxPartBytes, FirstSeq: first,
	}
}
