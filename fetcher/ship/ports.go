package ship

import (
	"context"
	"io"

	"trawl/crawler"
)

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
