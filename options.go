package trawl

import (
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
	MaxTime time.Duration          // stop after this time; 0 = no limit
	Exports []string               // files to write at the end; "-" streams rows to Stdout as they become final
	Stdout  io.Writer              // for the export "-"
	Stay    bool                   // stay for more when the job is done
	MinFree int64                  // stop before the directory's disk has less free bytes; 0 = do not look
	Fresh   bool                   // remove the crawl that the directory holds, and begin anew
	Logger  *slog.Logger           // nil = none
	Level   *slog.LevelVar         // of the logger, set by trawl set log-level; nil = cannot be set

	// BackupEvery makes a backup of the ledger each time that it has passed, in BackupTo: a directory, where the newest
	// KeepBackups of this crawl stay, file:///DIRECTORY, or an http(s) URL below which each is stored by PUT. 0 = none.
	BackupEvery time.Duration
	BackupTo    string

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

	// Serve opens the job to fetchers on other machines, and fetches nothing in this process.
	Serve     bool
	Bind      string       // gossip address, "" = 7946 on loopback, with a secret on all addresses
	Advertise string       // address that others reach this node at, where it differs
	Join      []string     // gossip addresses of nodes of the cluster
	Control   string       // control address, "" = the second port after Bind
	Secret    trust.Secret // of the cluster; none = loopback only. Keys for one that may change
	Name      string       // fetcher: its name in rows, "" = made from the host name
	NATS      string       // servers to use for the queues in place of the embedded one: nats://HOST:PORT,…

	// Keys are the cluster's secrets, and the certificates of an own PKI. They are followed while the node runs, with
	// their files where they have any. nil = Secret, for as long as the node runs.
	Keys *trust.Keyring

	// Proxy tells the proxy for a URL, nil for none; nil = none at all. A proxy resolves names, so private addresses behind
	// names are not guarded through one.
	Proxy func(*url.URL) (*url.URL, error)
}

// KeepBackups is how many timed backups of a crawl stay in a directory.
const KeepBackups = node.KeepBackups

func (o *Options) validate() error {
	var problems []error
	if o.Dir == "" {
		problems = append(problems, errors.New("no directory: set Dir (`dir`)"))
	}
	if o.Workers < 0 || o.Workers > MaxWorkers {
		problems = append(problems, fmt.Errorf("%d workers: use 1 to %d", o.Workers, MaxWorkers))
	}
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.MinFree < 0 {
		problems = append(problems, fmt.Errorf("`min-free` %d: use 0 or more", o.MinFree))
	}
	if o.NATS != "" {
		problems = append(problems, node.CheckNATS(o.NATS))
	}
	problems = append(problems, node.Backups{Every: o.BackupEvery, To: o.BackupTo}.Validate(), o.Said.Validate())
	if o.Keys == nil && !o.Secret.IsZero() {
		var err error
		o.Keys, err = trust.NewKeyring(o.Secret)
		problems = append(problems, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.BadSeed == nil {
		o.BadSeed = func(error) {}
	}
	problems = append(problems, CheckExports(o.Exports))
	if slices.Contains(o.Exports, "-") && o.Stdout == nil {
		problems = append(problems, errors.New("export - needs Stdout"))
	}
	if err := errors.Join(problems...); err != nil {
		return crawler.UsageError(err)
	}
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

// bind is where a node listens for gossip; queue and control of a scheduler take the next ports.
func (o *Options) bind(usual listen.Bind) (listen.Bind, error) {
	b := usual
	if o.Bind != "" {
		var err error
		if b, err = listen.ParseBind(o.Bind); err != nil {
			return b, crawler.UsageError(fmt.Errorf("`bind`: %w", err))
		}
	}
	if o.Keys.IsZero() && !b.Loopback() {
		return b, crawler.UsageError(fmt.Errorf("`bind` %s: %w", b, trust.ErrNeedSecret))
	}
	return b, nil
}

// cluster is how the node meets others, once it listens there.
func (o *Options) cluster(b listen.Bind) node.Cluster {
	return node.Cluster{Bind: b, Advertise: o.Advertise, Join: o.Join, Control: o.Control, Keys: o.Keys}
}

// served is the cluster of a scheduler, nil where the job is fetched in this process.
func (o *Options) served() (*node.Cluster, error) {
	if !o.Serve {
		return nil, nil
	}
	bind, err := o.bind(listen.DefaultBind(!o.Keys.IsZero()))
	if err != nil {
		return nil, err
	}
	if !o.Keys.IsZero() { // others connect to this node
		if _, err := o.Keys.ServerTLS(cluster.RoleScheduler, "scheduler"); err != nil {
			return nil, crawler.UsageError(err)
		}
	}
	c := o.cluster(bind)
	return &c, nil
}
