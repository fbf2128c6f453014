package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl"
	"trawl/crawler"
	"trawl/crawler/setting"
)

// jobFlags are the flags of commands that run a job.
type jobFlags struct {
	job     crawler.Job
	node    trawl.Options
	cluster trawl.Cluster // of a scheduler

	retryFailed string
	config      config
	keys        keyFlags
	private     privateFiles
	log         logFlags
	clock       movedClock
	download    bool
	lists       trawl.Lists
}

// columnFlag names the columns of lists that are tables.
const columnFlag = "column"

// defaultMinFree is the room that a crawl leaves on its disk, in bytes.
const defaultMinFree = 512 << 20

func (f *jobFlags) add(c *cobra.Command, kind crawler.Kind) {
	f.job, f.node.MinFree = crawler.NewJob(kind), defaultMinFree
	fs := c.Flags()
	for _, s := range crawler.Settings() {
		if value := s.Value(&f.job); value != nil && !s.KeyOnly && !s.LiveOnly {
			addSetting(fs, &s.Description, value, s.Help)
		}
	}
	fs.StringVar(&f.node.Dir, "dir", "", "crawl directory (default ./HOST.trawl; for download ./LIST.trawl)")
	fs.DurationVar(&f.node.MaxTime, "max-time", 0, "stop after this time, 0 for no limit")
	fs.Var(setting.Size.Of(&f.node.MinFree), "min-free", "stop before the disk of the crawl directory has less room than this; 0 for no limit")
	fs.StringArrayVar(&f.node.Exports, "export", nil, "write all rows to FILE.jsonl, FILE.csv or FILE.parquet at the end; - streams them to standard output (repeatable)")
	fs.StringVar(&f.retryFailed, "retry-failed", "", "take up URLs again that failed, all or those with this reason")
	fs.Lookup("retry-failed").NoOptDefVal = anyReason
	fs.BoolVar(&f.node.Fresh, "fresh", false, "remove the crawl that the directory holds, with its files, and begin anew")
	f.private.add(fs)
	addColumn(fs, &f.lists)
	f.log.add(fs, "no progress, only problems and the summary")
	f.clock.add(fs)
	f.config.add(fs)
	addMemory(fs, &f.node.Memory)
	addNATS(fs, &f.node.NATS)
	addBackups(fs, &f.node.Backups)
}

// addColumn is the flag of commands that read lists.
func addColumn(fs *pflag.FlagSet, l *trawl.Lists) {
	fs.StringSliceVar(&l.Columns, columnFlag, nil, "lists are tables, CSV with a header or Parquet, with their URLs in this column; URL,NAME and URL,NAME,DIGEST name those of file names and digests, too")
}

// addNATS is the flag of nodes that use a queue which is there already. How to log in there may stand in the URL; then it
// belongs into a configuration file, for a command line can be read by everybody on the machine.
func addNATS(fs *pflag.FlagSet, servers *string) {
	fs.StringVar(servers, "nats", "", "NATS servers with JetStream to use in place of the embedded queue, nats://HOST:PORT or tls://HOST:PORT, several with commas")
}

func (f *jobFlags) addWorkers(c *cobra.Command) {
	c.Flags().IntVar(&f.node.Workers, "workers", trawl.DefaultWorkers, "hosts asked at the same time")
}

// addMemory is the flag of nodes.
func addMemory(fs *pflag.FlagSet, memory *int64) {
	fs.Var(setting.Size.Of(memory), "memory", "memory to aim at, for caches and the collector (default a hundredth of the machine's, 320MiB to 1GiB)")
}

// addCluster are the flags of nodes that others can reach.
func addCluster(c *cobra.Command, n *trawl.Cluster, keys *keyFlags) {
	fs := c.Flags()
	fs.StringVar(&n.Bind, "bind", "", "gossip address; queue and control take the next two ports (default :7946, or 127.0.0.1:7946 without a secret; a fetcher takes free ports)")
	fs.StringVar(&n.Advertise, "advertise", "", "address that other nodes reach this one at, where it differs")
	fs.StringSliceVar(&n.Join, "join", nil, "gossip address of any node of the cluster (repeatable)")
	fs.StringVar(&n.Control, "control", "", "control address (default the second port after --bind)")
	keys.add(fs)
}

// options checks the flags and completes job and options.
func (f *jobFlags) options(c *cobra.Command) (crawler.Job, trawl.Options, error) {
	if f.job.Compress == "zstd" {
		return f.job, f.node, usage("--compress zstd: not built yet; use gzip or none")
	}
	f.node.Said = f.said(c)
	f.job.Follow(f.node.Said)
	f.job.Hosts = f.config.hosts
	if err := f.job.Validate(); err != nil {
		return f.job, f.node, usageError{err}
	}
	if err := checkMemory(f.node.Memory); err != nil {
		return f.job, f.node, err
	}
	if f.node.MaxTime < 0 {
		return f.job, f.node, usage("--max-time %v: use 0 for no limit, or more", f.node.MaxTime)
	}
	if err := f.log.check(); err != nil {
		return f.job, f.node, err
	}
	if f.node.Workers < 0 || f.node.Workers > trawl.MaxWorkers {
		return f.job, f.node, usage("--workers %d: use 1 to %d", f.node.Workers, trawl.MaxWorkers)
	}
	if c.Flags().Changed("retry-failed") {
		reason, err := parseFailedReason(f.retryFailed)
		if err != nil {
			return f.job, f.node, err
		}
		f.node.RetryFailed = reason
	}
	var err error
	if f.node.Private, err = f.private.read(time.Now()); err != nil {
		return f.job, f.node, err
	}
	return f.job, f.node, trawl.CheckExports(f.node.Exports)
}

func checkMemory(memory int64) error {
	if memory != 0 && memory < trawl.LeastMemory {
		return usage("--memory %dMiB: use %dMiB or more", memory>>20, trawl.LeastMemory>>20)
	}
	return nil
}

// said are the settings of the job that the command line or the configuration file gives.
func (f *jobFlags) said(c *cobra.Command) crawler.Said {
	said := crawler.Said{}
	for _, name := range crawler.SettingNames() {
		fl := c.Flags().Lookup(name)
		said[name] = fl != nil && fl.Changed || f.config.lines[name] > 0
	}
	// A command says the kind of its job by its name; a scheduler is for jobs of both kinds.
	download := c.Flags().Lookup("download")
	said["kind"] = said["kind"] || download == nil || download.Changed
	return said
}
