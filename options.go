package trawl

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"trawl/cluster"
	"trawl/cluster/listen"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/internal/node"
	"trawl/storage/export"
)

// Options say where and how a job runs. Dir is needed; zero values of the others are their defaults.
type Options struct {
	Dir     string                 // the crawl directory; made when it is missing
	Seeds   iter.Seq2[Seed, error] // read as a stream while the job runs; nil = none. See ReadSeeds
	BadSeed func(error)            // hears of each seed that could not be read; the others go on
	Workers int                    // hosts asked at the same time; 0 = DefaultWorkers
	// Memory is what this process aims at, in bytes: caches are shares of it. It sets no limit for the collector, which is the
	// program's own affair (debug.SetMemoryLimit). 0 = [DefaultMemory]; [LeastMemory] is the least.
	Memory  int64
	MaxTime time.Duration  // stop after this time; 0 = no limit
	Exports []string       // files to write at the end; "-" streams rows to Stdout as they become final
	Stdout  io.Writer      // for the export "-"
	Stay    bool           // stay for more when the job is done
	MinFree int64          // stop before the directory's disk has less free bytes; 0 = do not look
	Fresh   bool           // remove the crawl that the directory holds, and start again
	Logger  *slog.Logger   // nil = none
	Level   *slog.LevelVar // of the logger, set by trawl set log-level; nil = cannot be set

	// Said names the settings of the job that count where the directory holds a job already, by their names in job.yaml; the
	// others stay as they are there. nil = all: the job is given whole.
	Said crawler.Said

	// Private are cookies and logins that the job is to use ([session.ReadCookies], [session.ReadLogins]). They are kept in
	// the ledger, so later runs need not give them, and shown nowhere.
	Private session.Private

	// RetryFailed lets URLs that failed with this reason ("" = any) wait again; nil = none.
	RetryFailed *crawler.Reason

	// RuntimeDir is where the running jobs of a user show each other the hosts of their seeds, so that two that ask one host
	// say so; "" = nowhere.
	RuntimeDir string

	Backups Backups

	// Serve opens the job to fetchers on other machines, and nothing is fetched in this process; nil = it is.
	Serve *Cluster
	// NATS are servers to use for the queues in place of the embedded one: nats://HOST:PORT,…
	NATS string

	// Proxy returns the proxy for a URL, nil for none; nil = none at all. A proxy resolves names, so private addresses behind
	// names are not guarded through one.
	Proxy func(*url.URL) (*url.URL, error)
}

// Cluster says how a node meets the others of its cluster. The zero value is a cluster on loopback.
type Cluster struct {
	Bind      string       // gossip address, "" = 7946 on loopback, with a secret on all addresses; a fetcher takes a free port
	Advertise string       // address that others reach this node at, where it differs
	Join      []string     // gossip addresses of nodes of the cluster
	Control   string       // control address, "" = the second port after Bind; a fetcher has none then
	Secret    trust.Secret // of the cluster; none = loopback only. Keys for one that may change

	// Keys are the cluster's secrets, and the certificates of an own PKI. They are followed while the node runs, with
	// their files where they have any. nil = Secret, for as long as the node runs.
	Keys *trust.Keyring
}

// Backups say when backups of the ledger are made. The zero value makes none.
type Backups struct {
	Every time.Duration // between two of them
	To    string        // a directory, where the newest KeepBackups of this crawl stay, file:///DIRECTORY, or an http(s) URL below which each is stored by PUT
}

// KeepBackups is how many timed backups of a crawl stay in a directory.
const KeepBackups = node.KeepBackups

func (o *Options) validate() error {
	problems := []error{checkWorkers(&o.Workers), checkMemory(&o.Memory), node.Backups(o.Backups).Validate(), o.Said.Validate(), CheckExports(o.Exports)}
	if o.Dir == "" {
		problems = append(problems, errors.New("no directory: set Dir (`dir`)"))
	}
	if o.MinFree < 0 {
		problems = append(problems, fmt.Errorf("`min-free` %d: use 0 or more", o.MinFree))
	}
	if o.NATS != "" {
		problems = append(problems, node.CheckNATS(o.NATS))
	}
	if slices.Contains(o.Exports, "-") && o.Stdout == nil {
		problems = append(problems, errors.New("export - needs Stdout"))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.BadSeed == nil {
		o.BadSeed = func(error) {}
	}
	return crawler.UsageError(errors.Join(problems...))
}

func checkWorkers(n *int) error {
	if *n < 0 || *n > MaxWorkers {
		return fmt.Errorf("%d workers: use 1 to %d", *n, MaxWorkers)
	}
	*n = cmp.Or(*n, DefaultWorkers)
	return nil
}

func checkMemory(n *int64) error {
	if *n != 0 && *n < LeastMemory {
		return fmt.Errorf("`memory` of %d MiB: use %d MiB or more", *n>>20, LeastMemory>>20)
	}
	*n = cmp.Or(*n, DefaultMemory())
	return nil
}

// CheckExports looks whether each export can be written, and reports every one that cannot.
func CheckExports(files []string) error {
	var problems []error
	for _, f := range files {
		if f == "-" {
			continue
		}
		if _, err := export.FormatOf(f); err != nil {
			problems = append(problems, fmt.Errorf("`export` %s: %w", f, err))
		}
		if dir := filepath.Dir(f); !isDir(dir) {
			problems = append(problems, fmt.Errorf("`export` %s: there is no directory %s", f, dir))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return crawler.UsageError(err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// open reads the addresses and opens the keys. usual is where the node listens for gossip when nothing is said, with keys and without.
func (c *Cluster) open(usual func(secured bool) listen.Bind) (node.Cluster, error) {
	open := node.Cluster{Advertise: c.Advertise, Join: c.Join, Control: c.Control, Keys: c.Keys}
	var err error
	if open.Keys == nil && !c.Secret.IsZero() {
		if open.Keys, err = trust.NewKeyring(c.Secret); err != nil {
			return open, crawler.UsageError(err)
		}
	}
	open.Bind = usual(!open.Keys.IsZero())
	if c.Bind != "" {
		if open.Bind, err = listen.ParseBind(c.Bind); err != nil {
			return open, crawler.UsageError(fmt.Errorf("`bind`: %w", err))
		}
	}
	if open.Keys.IsZero() && !open.Bind.Loopback() {
		return open, crawler.UsageError(fmt.Errorf("`bind` %s: %w", open.Bind, trust.ErrNeedSecret))
	}
	return open, nil
}

// serve is the cluster of a scheduler, nil where the job is fetched in this process.
func (o *Options) serve() (*node.Cluster, error) {
	if o.Serve == nil {
		return nil, nil
	}
	c, err := o.Serve.open(listen.DefaultBind)
	if err != nil || c.Keys.IsZero() {
		return &c, err
	}
	_, err = c.Keys.ServerTLS(cluster.RoleScheduler, "scheduler") // others connect to this node
	return &c, crawler.UsageError(err)
}
