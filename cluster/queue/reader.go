package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// Times of reading.
const (
	readGather = 50 * time.Millisecond // for a part that is on its way
	readHere   = time.Millisecond      // for a part that has arrived meanwhile
	readGone   = time.Minute           // the server forgets a reader that asks for nothing
	readPulse  = 5 * time.Second       // a server that is silent for two of them lost the request
)

// resultReader is a place in the result log. It acks nothing: where it stands is known by the ledger.
type resultReader struct {
	it          jetstream.MessagesContext
	reconnected context.Context // ends with the connection it was opened on
	next        uint64          // position after which the next part comes
	seq         uint64          // of the consumer: a gap says that parts were lost on the way
}

// Read waits for parts after the position and returns between 1 and most of them, in order, and no more when they make
// [ReadAhead] bytes. Reading on from
// the last position is cheap, any other costs a new reader. Calls that overlap wait for each other. A log
// that is missing, or ends before the position, is put right as PrepareStreams does. Errors are those of
// ctx, [cluster.ErrRefused] and [ErrClosed].
func (c *Conn) Read(ctx context.Context, after uint64, most int) ([]crawler.LoggedPart, error) {
	ctx, done := c.call(ctx, "$JS.API.")
	defer done()
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return nil, c.because(ctx, "read the result log", ctx.Err())
	}
	for ctx.Err() == nil {
		parts, err := c.read(ctx, after, max(most, 1))
		if len(parts) > 0 {
			return parts, nil
		}
		c.dropReader()
		if err != nil && ctx.Err() == nil {
			c.log.Debug("the result log is read again", "error", err)
			c.pause(ctx)
		}
	}
	return nil, c.because(ctx, "read the result log", ctx.Err())
}

// read returns parts, or the error that ended the waiting for the first one. A reader that fails after
// that has ended its work too.
func (c *Conn) read(ctx context.Context, after uint64, most int) ([]crawler.LoggedPart, error) {
	ctx, cancel := c.until(ctx)
	defer cancel()
	r := c.reader
	if r == nil || r.next != after || r.reconnected.Err() != nil {
		c.dropReader()
		var err error
		if r, err = c.openReader(ctx, after); err != nil {
			return nil, err
		}
		c.reader = r
	}
	var parts []crawler.LoggedPart
	opt := jetstream.NextContext(ctx)
	for size := 0; len(parts) < most && size < ReadAhead; {
		part, n, pending, err := r.one(opt)
		if err != nil {
			if len(parts) == 0 {
				return nil, err
			}
			if !errors.Is(err, nats.ErrTimeout) {
				c.dropReader()
			}
			break
		}
		parts = append(parts, part)
		size += n
		opt = jetstream.NextMaxWait(readGather)
		if pending == 0 { // behind it when it was sent: others may be here by now, above all when the reader is slow
			opt = jetstream.NextMaxWait(readHere)
		}
	}
	return parts, nil
}

// errGap: a part did not arrive. The reader is opened again, so that it is asked for again.
var errGap = errors.New("parts were lost on the way")

// one reads the next part, and reports its size in bytes and how many waited behind it when it was sent.
func (r *resultReader) one(opt jetstream.NextOpt) (part crawler.LoggedPart, size int, pending uint64, err error) {
	m, err := r.it.Next(opt)
	if err != nil {
		return part, 0, 0, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return part, 0, 0, err
	}
	if r.seq++; meta.Sequence.Consumer != r.seq || meta.Sequence.Stream <= r.next {
		return part, 0, 0, errGap
	}
	r.next = meta.Sequence.Stream
	part.Position = r.next
	part.Part, part.Err = wire.DecodePart(m.Data())
	return part, len(m.Data()), meta.NumPending, nil
}

// openReader begins to read after the position. It puts the queues right first: this is where a scheduler
// finds out, after a reconnect, that the server has forgotten them.
func (c *Conn) openReader(ctx context.Context, after uint64) (*resultReader, error) {
	c.mu.Lock()
	reconnected := c.reconnected
	c.mu.Unlock()
	if err := c.prepare(ctx, after); err != nil {
		return nil, err
	}
	cons, err := c.js.CreateConsumer(ctx, c.names.results, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
		InactiveThreshold: readGone, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return nil, err
	}
	it, err := cons.Messages(jetstream.PullMaxBytes(ReadAhead), jetstream.PullHeartbeat(readPulse),
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return nil, err
	}
	return &resultReader{it: it, reconnected: reconnected, next: after}, nil
}

// dropReader leaves the server's side to its time limit.
func (c *Conn) dropReader() {
	if c.reader != nil {
		c.reader.it.Stop()
		c.reader = nil
	}
}
