package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/storage/crawldir"
	"trawl/storage/export"
)

// Target is a job that commands ask and steer, in one of two states: running, where the process that runs it answers over its
// control API, or at rest, where its directory is read. Methods are safe for concurrent use. After an error what was written to a
// writer is not the whole.
type Target interface {
	// Status says where the job stands.
	Status(ctx context.Context) (Status, error)
	// Explain is the whole story of one URL: what became of it and by which rule, what comes next, and what can be changed.
	Explain(ctx context.Context, u weburl.URL) (Explanation, error)
	// Export writes rows to w and returns how many, -1 where a running job does not report it.
	Export(ctx context.Context, w io.Writer, q ExportQuery) (int64, error)
	// Backup writes a copy of the ledger, with what else is needed to continue from it; the bodies are not in it.
	Backup(ctx context.Context, w io.Writer) error
	// Check proves a crawl at rest: it recounts the ledger and reads every record. With repair, rows that lost their record
	// wait again, as do those whose record a fetcher has not shipped. A running job is refused.
	Check(ctx context.Context, repair bool) (CheckReport, error)

	// Change changes the settings of a running job. The change is in the ledger when Change returns nil, and outlives restarts.
	Change(ctx context.Context, c crawler.Change) error
	// Stop asks a running job to end as after an interrupt.
	Stop(ctx context.Context) error
	// Add gives a running job more seeds, a URL a line.
	Add(ctx context.Context, list io.Reader) (crawler.Added, error)

	// Close closes connections.
	Close()
}

// Explanation is the whole story of one URL.
type Explanation = explain.Explanation

// ExportQuery says which rows are exported, and in which format.
type ExportQuery = export.Query

// Open finds out how a job is asked. target is a crawl directory on this machine, where a job may be running or not, or HOST:PORT of the
// control address of a node; keys, which may be nil, prove there that the command belongs to the cluster. Close the result.
func Open(ctx context.Context, target string, keys *trust.Keyring) (Target, error) {
	if isDir(target) {
		return OpenDir(ctx, target)
	}
	if host, port, err := net.SplitHostPort(target); err != nil || host == "" || port == "" {
		return nil, crawler.UsageError(fmt.Errorf("%s is neither a crawl directory nor HOST:PORT", target))
	}
	if keys.IsZero() {
		return &running{Client: control.NewClient(target, nil), target: target}, nil
	}
	tls, err := keys.ClientTLS(cluster.RoleFetcher, "control", func() string { return target })
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &running{Client: control.NewClient(target, tls).ProveWith(keys), target: target}, nil
}

// OpenDir is [Open] for a crawl directory alone.
func OpenDir(ctx context.Context, dir string) (Target, error) {
	socket, err := crawldir.ControlSocket(dir)
	if err != nil {
		return nil, err
	}
	client := control.NewClient(socket, nil)
	if err := client.Connect(ctx); errors.Is(err, control.ErrNotRunning) {
		return &atRest{dir: dir, absent: err}, nil
	} else if err != nil {
		return nil, err
	}
	return &running{Client: client, target: dir}, nil
}

// running is a job that answers over its control API.
type running struct {
	*control.Client
	target string
}

func (r *running) Export(ctx context.Context, w io.Writer, q ExportQuery) (int64, error) {
	return r.Client.Export(ctx, w, q.Values())
}

// Check leaves it to the lock of the directory to say who works there.
func (r *running) Check(ctx context.Context, repair bool) (CheckReport, error) {
	return checkDir(ctx, r.target, repair)
}
