package core

import (
	"iter"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/names"
)

// Reader is what a core reads: the ledger. Values are the caller's own.
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
	// Due reads up to n entries of the order of due hosts, earliest first.
	Due(n int) ([]crawler.DueHost, error)
	// HostsFrom reads the hosts from a key on, in key order.
	HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error]
	// RowsFrom reads the rows from a key on as they are stored, in key order.
	RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error]
}

// NameReader looks names of files up in the ledger.
type NameReader interface {
	names.Reader
	// UnplacedVersion reads the version of a row whose names are to be looked at, false when they are not.
	UnplacedVersion(k weburl.URLKey) (uint64, bool, error)
}

// ShippedReader looks up what is known of a file that a fetcher ships.
type ShippedReader interface {
	ShippedFile(name string) (f crawler.ShippedFile, found bool, err error)
}
