package scheduler

import (
	"context"
	"iter"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// Ledger is the only truth. One scheduler writes it; readers may read at any time. What Commit was given
// is durable and visible to reads when it returns nil, and not there at all after an error.
type Ledger interface {
	// Load reads what a scheduler needs at its start, with every turn in force.
	Load(ctx context.Context) (crawler.LedgerState, error)
	// Commit applies one change in one synced batch.
	Commit(c *crawler.Changes) error
	Reader
}

// Reader looks things up in the ledger. Values are the caller's own.
type Reader interface {
	// Host reads a host, false when there is none.
	Host(h weburl.Host) (crawler.HostState, bool, error)
	// Rows reads rows by sorted keys; the answer has a nil for each that is unknown. The reading is
	// shaped for thousands of keys of which most are not there.
	Rows(keys []weburl.URLKey) ([]*crawler.Row, error)
	// Queue reads up to n waiting rows of a host in the order in which they are to be asked for: due
	// retries first, oldest first, then by depth (not beyond maxDepth, -1 = all) and order of admission.
	// nextRetry is when the earliest retry that is not due yet is due, zero when there is none. Rows that
	// a turn has leased are among them.
	Queue(h weburl.Host, now time.Time, maxDepth, n int) (rows []*crawler.Row, nextRetry time.Time, err error)
	// Opened reports whether the seed opened the scope.
	Opened(seed crawler.ScopeSeed) (bool, error)
	// Beyond counts a host's waiting rows deeper than depth.
	Beyond(h weburl.Host, depth int) (int64, error)
	// Robots reads the host's robots files.
	Robots(h weburl.Host) ([]crawler.HostRobots, error)
	// Errands reads the errands that wait at a host: one for each of up to n URLs, but for those whose answer is being handed on.
	Errands(h weburl.Host, n int) ([]crawler.RobotsHop, error)
	// Waiters reads up to n errands that wait for the URL, or for one with the same hash.
	Waiters(u weburl.URL, n int) ([]crawler.RobotsHop, error)
	// Waits reports whether there is this errand, whatever its count.
	Waits(hop crawler.RobotsHop) (bool, error)
	// Answer reads the answer for a URL, or for one with the same hash.
	Answer(u weburl.URL) (crawler.HopAnswer, bool, error)
	// Handing reads up to n answers of a host that are being handed on.
	Handing(h weburl.Host, n int) ([]crawler.HopAnswer, error)
	// Domain reads what is kept of a registrable domain, false when there is nothing. Two names may have one key: who
	// must be sure compares the Domain of the answer.
	Domain(name string) (session.DomainState, bool, error)
}

// Index reads across hosts.
type Index interface {
	// Due reads up to n entries of the order of due hosts, earliest first.
	Due(n int) ([]crawler.DueHost, error)
	// HostsFrom reads the hosts from a key on, in key order.
	HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error]
	// RowsFrom reads the rows from a key on as they are stored, in key order.
	RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error]
}

// Tasks is the scheduler's end of the task queue.
type Tasks interface {
	// Offer publishes turns. Each may be handed out several times, late or never.
	Offer(ctx context.Context, tasks []crawler.Task) error
	// Queued is how many messages the queue holds, with those that were handed out and not acked yet.
	Queued(ctx context.Context) (int, error)
}

// Stream is whoever reads along. What it was handed and has not delivered stands in the ledger ([crawler.OwedRow]), so that
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
