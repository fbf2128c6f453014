package scheduler

import (
	"context"

	"trawl/crawler"
	"trawl/scheduler/core"
)

// Ledger is the only truth. One scheduler writes it; readers may read at any time. What Commit was given
// is durable and visible to reads when it returns nil, and not there at all after an error.
type Ledger interface {
	// Load reads what a scheduler needs at its start, with every active turn.
	Load(ctx context.Context) (crawler.LedgerState, error)
	// Commit applies one change in one synced batch.
	Commit(c *crawler.Changes) error
	core.Reader
}

// Tasks is the scheduler's end of the task queue.
type Tasks interface {
	// Offer publishes turns. Each may be handed out several times, late or never.
	Offer(ctx context.Context, tasks []crawler.Task) error
	// Queued is how many messages the queue holds, with those that were handed out and not acked yet.
	Queued(ctx context.Context) (int, error)
}

// Stream is the reader of the stream. What it was handed and has not delivered stands in the ledger ([crawler.OwedRow]), so that
// rows are delivered at least once, in the order in which they became final, over any end of the process. Its methods are
// called by the loop, and do not wait.
type Stream interface {
	// Final hands over rows that became final, once that is durable. The first has this number, the others the next. A
	// stream without room for them reads them from the ledger later.
	Final(first uint64, rows []*crawler.Row)
	// Full reports whether rows pile up; no turns are made until they do not.
	Full() bool
	// Delivered is the number of the last row that was delivered together with all before it.
	Delivered() uint64
}

// Results is the scheduler's end of the result log: in order, without gaps, kept until purged.
type Results interface {
	// Read waits for parts after the position and returns between 1 and max of them, in order.
	Read(ctx context.Context, after uint64, max int) ([]crawler.LoggedPart, error)
	// Last is the position of the newest part that was stored.
	Last(ctx context.Context) (uint64, error)
	// Purge gives up every part up to the position.
	Purge(ctx context.Context, upTo uint64) error
}
