package fetcher

import (
	"context"
	"io"

	"trawl/crawler"
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
	Store
	// Sync makes everything that was put before the call durable. Calls at the same time share one sync.
	Sync(ctx context.Context) error
}

// Outbox is the store of files that are to be shipped to the scheduler's directory.
type Outbox interface {
	// Pending lists what is to be shipped. Files that still grow are listed with what is durable.
	Pending() ([]crawler.Shipment, error)
	// Open opens a pending file for reading.
	Open(name string) (io.ReadCloser, error)
	// Shipped says that a final file lies verified in the scheduler's directory: it is removed here.
	Shipped(name string) error
}

// Depot is the scheduler's side of shipping. Safe for concurrent use.
type Depot interface {
	// Size returns how many bytes of the file have arrived.
	Size(ctx context.Context, name string) (int64, error)
	// Append adds n bytes at the offset, which must be Size. They are durable when it returns nil.
	Append(ctx context.Context, name string, offset int64, r io.Reader, n int64) error
	// Finish says that the file is whole: its size and digest (of the file's bytes) are compared, and it
	// gets its final name. Calling it again is harmless.
	Finish(ctx context.Context, name string, size int64, digest crawler.Digest) error
}
