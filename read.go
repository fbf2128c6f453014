package trawl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"trawl/cluster/control"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// StatusOf tells where a job stands. target is a crawl directory on this machine, or HOST:PORT of a node's
// control address.
func StatusOf(ctx context.Context, target string, keys *trust.Keyring) (Status, error) {
	if !isDir(target) {
		if !isHostPort(target) {
			return Status{}, usageError(fmt.Errorf("%s is neither a crawl directory nor HOST:PORT", target))
		}
		client, err := controlClient(target, keys, "status")
		if err != nil {
			return Status{}, err
		}
		defer client.Close()
		return client.Status(ctx)
	}
	socket, err := crawldir.ControlSocket(target)
	if err != nil {
		return Status{}, err
	}
	client := control.NewClient(socket, nil)
	defer client.Close()
	s, err := client.Status(ctx)
	if !errors.Is(err, control.ErrNotRunning) {
		return s, err
	}
	return statusAtRest(ctx, target)
}

// statusAtRest reads the status of a directory that nobody works in.
func statusAtRest(ctx context.Context, path string) (Status, error) {
	l, done, err := openAtRest(path)
	if err != nil {
		return Status{}, err
	}
	defer done()
	at, err := l.Load(ctx)
	if err != nil {
		return Status{}, err
	}
	t, c := &at.Tallies, &at.Tallies.Counts
	s := Status{
		Job: at.State.Job.Name, Kind: at.State.Job.Kind, State: "stopped",
		Seen: t.Seen(), Waiting: c[crawler.Waiting], Leased: c[crawler.Leased], Fetched: c[crawler.Fetched],
		Redirected: c[crawler.Redirected], Unchanged: c[crawler.Unchanged], Failed: c[crawler.Failed], Excluded: c[crawler.Excluded],
		Parked: at.State.Job.Parked(t), Reasons: t.Reasons, Dropped: t.Dropped, Bounds: t.Bounds, Bytes: t.Bytes,
		Requests: t.Requests, Hosts: t.Hosts, LateParts: t.LateParts, Lapses: t.Lapses,
	}
	if !at.State.Finished.IsZero() && !at.Work.Pending() {
		s.State, s.Finished = "done", at.State.Finished
	}
	if at.State.Paused {
		s.WaitsFor = "it is paused, and stays so when it goes on, until trawl resume"
	}
	return s, nil
}

// readCache is the cache of a ledger that is only read from end to end, in bytes: more would not be used twice.
const readCache = 32 << 20

// openAtRest opens the ledger of a directory that nobody works in, for reading.
func openAtRest(path string) (*ledger.Ledger, func(), error) {
	dir, err := crawldir.Open(path, false)
	if errors.Is(err, storage.ErrNotCrawl) {
		return nil, nil, usageError(err)
	} else if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(dir.Ledger(), ledger.Options{ReadOnly: true, CacheBytes: readCache})
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return l, func() { l.Close(); dir.Close() }, nil
}

// Version is the program's version, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

// isHostPort reports whether a target is HOST:PORT.
func isHostPort(target string) bool {
	host, port, err := net.SplitHostPort(target)
	return err == nil && host != "" && port != ""
}
