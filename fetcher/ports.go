package fetcher

import (
	"context"

	"trawl/crawler"
	"trawl/fetcher/download"
)

// Tasks is the fetcher's end of the task queue. Implementations are safe for concurrent use.
type Tasks interface {
	// Next waits for a task. It hands out no more than it is asked for, so that no task waits in a
	// fetcher that has no free slot. It ends with the context's error, or with an error that waiting
	// longer will not mend.
	Next(ctx context.Context) (crawler.Delivery, error)
}

// Scheduler answers a fetcher's questions. Safe for concurrent use; a call that gets no answer within a
// few seconds ends with an error and may be repeated.
type Scheduler interface {
	// Ask asks for a turn, or renews the right to it. An error means that there was no answer: nothing is
	// known about the right.
	Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error)
	// Notice returns the job, its scope and whether it is done.
	Notice(ctx context.Context) (crawler.JobNotice, error)
}

// Reports is the fetcher's end of the result log. Safe for concurrent use.
type Reports interface {
	// Send stores a part. It is durable when Send returns nil; after an error it may or may not be
	// stored, and sending it again does no harm (the repeated part is dropped when it is settled).
	Send(ctx context.Context, part *crawler.Part) error
}

// Archive stores exchanges. Safe for concurrent use.
type Archive interface {
	// What Put stored is durable only after Sync.
	download.Store
	// Sync makes everything that was put before the call durable. Calls at the same time share one sync.
	Sync(ctx context.Context) error
}
