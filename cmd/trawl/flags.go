package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl"
	"trawl/crawler"
	"trawl/crawler/session"
)

// jobFlags are the flags of commands that run a job.
type jobFlags struct {
	job  crawler.Job
	node trawl.Options

	scope, requisites, archive, compress string
	referer                              string
	maxBody, minFree                     size
	ca                                   certificates
	headers                              headers
	retryFailed                          string
	config                               config
	keys                                 keyFlags
	private                              privateFiles
	log                                  logFlags
	clock                                movedClock
	maxTime                              time.Duration
	download                             bool
	exports                              []string
	lists                                trawl.Lists
}

// firstByteFlag is the longest time until an answer begins. Who gives only a longer --timeout means that too.
const firstByteFlag = "first-byte-timeout"

// columnFlag names the columns of lists that are tables.
const columnFlag = "column"

// defaultMinFree is the room that a crawl leaves on its disk, in bytes.
const defaultMinFree = 512 << 20

func (f *jobFlags) add(c *cobra.Command, kind crawler.Kind) {
	f.job = crawler.NewJob(kind)
	j, fs := &f.job, c.Flags()
	f.maxBody, f.minFree = size(j.Fetch.MaxBody), defaultMinFree
	fs.StringVar(&f.node.Dir, "dir", "", "crawl directory (default ./HOST.trawl; for download ./LIST.trawl)")
	fs.StringVar(&f.scope, "scope", string(j.Scope), "what belongs to the crawl: page, prefix, host, domain or any")
	fs.StringArrayVar(&j.Include, "include", nil, "only URLs that match this regular expression (repeatable)")
	fs.StringArrayVar(&j.Exclude, "exclude", nil, "no URLs that match this regular expression (repeatable)")
	fs.StringVar(&f.requisites, "requisites", string(j.Requisites), "images, styles, scripts, fonts of pages: none, scope or all")
	fs.BoolVar(&j.LazyImages, "lazy-images", j.LazyImages, "pictures that scripts load late (data-src and kin, og:image) count as requisites")
	fs.StringSliceVar(&j.Accept, "accept", nil, "content types whose bodies are read, such as text/html,image/*; others end at their headers")
	fs.IntVar(&j.Depth, "depth", j.Depth, "most links from a seed, -1 for no limit")
	fs.IntVar(&j.TrapRepeat, "trap-repeat", j.TrapRepeat, "most times that one segment of a link's path may stand in a row, 0 for any number")
	fs.IntVar(&j.TrapSegments, "trap-segments", j.TrapSegments, "most segments of a link's path, 0 for any number")
	fs.Int64Var(&j.MaxPages, "max-pages", 0, "most URLs fetched, 0 for no limit")
	fs.Var((*size)(&j.MaxBytes), "max-bytes", "most bytes of bodies in all, such as 5GiB; 0 for no limit")
	fs.Int64Var(&j.MaxPerHost, "max-per-host", 0, "most URLs fetched from a host, 0 for no limit")
	fs.DurationVar(&f.maxTime, "max-time", 0, "stop after this time, 0 for no limit")
	fs.Var((*delay)(&j.Delay), "delay", "least time between two requests to a host")
	fs.IntVar(&j.PerHost, "per-host", j.PerHost, "connections to a host")
	fs.BoolVar(&j.IgnoreRobots, "ignore-robots", false, "do not obey robots.txt")
	fs.StringVar(&j.UserAgent, "user-agent", j.UserAgent, "name told to servers; robots.txt rules are looked up by its first word")
	fs.Var(&f.headers, "header", "request header 'Name: value' sent to every host; Authorization, Proxy-Authorization and Cookie to the seeds' hosts only (repeatable)")
	fs.StringVar(&f.referer, "referer", string(j.Referer), "what requests say of the page that led to them: none, origin, same-origin or strict-origin-when-cross-origin")
	f.private.add(fs)
	fs.Var(&f.ca, "ca-file", "certificates (PEM) trusted beside the system's")
	fs.Var((*rate)(&j.Bandwidth), "bandwidth", "most bytes a second of each fetcher, such as 500KiB/s; 0 for no limit")
	fs.Var(&f.minFree, "min-free", "stop before the disk of the crawl directory has less room than this; 0 for no limit")
	fs.Var(&f.maxBody, "max-body", "largest body kept, longer ones are cut; 0 for no limit")
	fs.IntVar(&j.Fetch.Links, "max-links", j.Fetch.Links, "most links taken of a page, 0 for no limit")
	fs.DurationVar(&j.Fetch.Idle, "timeout", j.Fetch.Idle, "longest time without a byte")
	fs.DurationVar(&j.Fetch.Connect, "connect-timeout", j.Fetch.Connect, "longest time to connect and shake hands")
	fs.DurationVar(&j.Fetch.FirstByte, firstByteFlag, j.Fetch.FirstByte, "longest time until an answer begins; --timeout where that is given and longer")
	fs.Var((*delay)(&j.Fetch.Total), "total-timeout", "longest time for a request and its answer, 0 for no limit")
	fs.IntVar(&j.Fetch.Redirects, "max-redirects", j.Fetch.Redirects, "most redirects in a chain, 0 to follow none")
	fs.IntVar(&j.Retry.Retries, "retries", j.Retry.Retries, "tries after the first")
	fs.DurationVar(&j.HostPatience, "host-patience", j.HostPatience, "how long a host that has answered may be away before its URLs fail, counted while the crawl runs")
	fs.StringSliceVar(&j.AllowPrivate, "allow-private", nil, "reach private addresses: all, or a list of networks")
	fs.Lookup("allow-private").NoOptDefVal = "all"
	fs.StringVar(&f.archive, "archive", string(j.Archive), "where bodies go: warc, files or none")
	fs.StringVar(&f.compress, "compress", string(j.Compress), "compression of WARC records: gzip or none")
	fs.StringArrayVar(&f.exports, "export", nil, "write all rows to FILE.jsonl, FILE.csv or FILE.parquet at the end; - streams them to standard output (repeatable)")
	addColumn(fs, &f.lists)
	f.log.add(fs, "no progress, only problems and the summary")
	f.clock.add(fs)
	fs.StringVar(&f.retryFailed, "retry-failed", "", "take up URLs again that failed, all or those with this reason")
	fs.Lookup("retry-failed").NoOptDefVal = anyReason
	fs.BoolVar(&f.node.Fresh, "fresh", false, "remove the crawl that the directory holds, with its files, and begin anew")
	f.config.add(fs)
	addNATS(fs, &f.node)
	addBackups(fs, &f.node)
	addProtocolFlags(fs, j)
}

// addColumn is the flag of commands that read lists.
func addColumn(fs *pflag.FlagSet, l *trawl.Lists) {
	fs.StringSliceVar(&l.Columns, columnFlag, nil, "lists are tables, CSV with a header or Parquet, with their URLs in this column; URL,NAME and URL,NAME,DIGEST name those of file names and digests, too")
}

// addNATS is the flag of nodes that use a queue which is there already. How to log in there may stand in the URL; then it
// belongs into a configuration file, for a command line can be read by everybody on the machine.
func addNATS(fs *pflag.FlagSet, n *trawl.Options) {
	fs.StringVar(&n.NATS, "nats", "", "NATS servers with JetStream to use in place of the embedded queue, nats://HOST:PORT or tls://HOST:PORT, several with commas")
}

// addProtocolFlags are for tests of clusters, which cannot wait for the usual times.
func addProtocolFlags(fs *pflag.FlagSet, j *crawler.Job) {
	fs.DurationVar(&j.Lease, "lease", j.Lease, "right to ask a host, renewed while a fetcher works")
	fs.DurationVar(&j.Renew, "renew", j.Renew, "time between renewals")
	fs.DurationVar(&j.Grace, "grace", j.Grace, "time between the end of a lease and its lapse")
	for _, name := range []string{"lease", "renew", "grace"} {
		fs.Lookup(name).Hidden = true
	}
}

func (f *jobFlags) addWorkers(c *cobra.Command) {
	c.Flags().IntVar(&f.node.Workers, "workers", trawl.DefaultWorkers, "hosts asked at the same time")
}

// addCluster are the flags of nodes that others can reach.
func addCluster(c *cobra.Command, n *trawl.Options, keys *keyFlags) {
	fs := c.Flags()
	fs.StringVar(&n.Bind, "bind", "", "gossip address; queue and control take the next two ports (default :7946, or 127.0.0.1:7946 without a secret; a fetcher takes free ports)")
	fs.StringVar(&n.Advertise, "advertise", "", "address that other nodes reach this one at, where it differs")
	fs.StringSliceVar(&n.Join, "join", nil, "gossip address of any node of the cluster (repeatable)")
	fs.StringVar(&n.Control, "control", "", "control address (default the second port after --bind)")
	keys.add(fs)
}

// options checks the flags and completes job and options.
func (f *jobFlags) options(c *cobra.Command) (crawler.Job, trawl.Options, error) {
	if f.compress == "zstd" {
		return f.job, f.node, usage("--compress zstd: not built yet; use gzip or none")
	}
	j := &f.job
	j.Scope, j.Requisites = crawler.ScopeRule(f.scope), crawler.Requisites(f.requisites)
	j.Archive, j.Compress = crawler.ArchiveKind(f.archive), crawler.Compression(f.compress)
	j.Referer = session.RefererPolicy(f.referer)
	j.Fetch.MaxBody = int64(f.maxBody)
	if c.Flags().Changed("timeout") && !c.Flags().Changed(firstByteFlag) {
		j.Fetch.FirstByte = max(j.Fetch.FirstByte, j.Fetch.Idle)
	}
	j.Headers, j.CA, j.Hosts = f.headers, string(f.ca), f.config.hosts
	if err := j.Validate(); err != nil {
		return f.job, f.node, usageError{err}
	}
	if f.maxTime < 0 {
		return f.job, f.node, usage("--max-time %v: use 0 for no limit, or more", f.maxTime)
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
	f.node.Said = f.said(c)
	f.node.MaxTime, f.node.Exports, f.node.MinFree = f.maxTime, f.exports, int64(f.minFree)
	return f.job, f.node, trawl.CheckExports(f.exports)
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

// delay is a duration that may be a plain 0.
type delay time.Duration

func (d *delay) String() string { return time.Duration(*d).String() }
func (d *delay) Type() string   { return "duration" }
func (d *delay) Set(s string) error {
	if s == "0" {
		*d = 0
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration: write 500ms, 2s or 1m", s)
	}
	*d = delay(v)
	return nil
}

// size is a number of bytes, written 1048576, 1MiB, 1M or 1MB.
type size int64

func (b *size) Type() string { return "size" }

func (b *size) String() string {
	n := int64(*b)
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (b *size) Set(s string) error {
	digits := strings.TrimRight(s, "KMGTiBkmgtb")
	unit := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s[len(digits):]), "b"), "i"))
	factor := map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || factor == 0 || math.IsNaN(n) || n < 0 || n*factor > math.MaxInt64/2 {
		return fmt.Errorf("%q is no size: write 500KiB, 64MiB or 5GiB", s)
	}
	*b = size(n * factor)
	return nil
}
