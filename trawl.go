// Package trawl runs a crawl inside a Go program: the same crawl, through the same door, as the command
// line's.
//
//	job := trawl.NewJob(trawl.KindCrawl)
//	c, err := trawl.New(job, trawl.Options{Dir: "example.trawl", Seeds: trawl.ReadSeeds([]string{"https://example.com/"}, nil)})
//	…
//	defer c.Close()
//	err = c.Run(ctx)
//
// It wires the packages: scheduler decides, fetcher does, cluster connects them, storage keeps, and
// crawler has the words that all of them share. The wiring is in internal/node.
package trawl

import (
	"io"
	"iter"

	"trawl/cluster"
	"trawl/crawler"
	"trawl/internal/machine"
	"trawl/internal/node"
	"trawl/internal/seeds"
	"trawl/storage/crawldir"
)

// Job is what one crawl is to do; see [crawler.Job] for its fields.
type Job = crawler.Job

// Status is a snapshot of a job.
type Status = crawler.Status

// Row is the fate of one URL.
type Row = crawler.Row

// Seed is a URL that the user gave.
type Seed = seeds.Seed

// Lists say how lists of seeds are read: as lines, or as tables with columns.
type Lists = seeds.Lists

// BadLine is a seed that could not be read, or where a list could not be read on. The others go on.
type BadLine = seeds.BadLine

// ReadSeeds is [Lists.Read] of lists that are lines.
func ReadSeeds(args []string, stdin io.Reader) iter.Seq2[Seed, error] {
	return Lists{}.Read(args, stdin)
}

// Kinds of jobs.
const (
	KindCrawl    = crawler.Crawl
	KindDownload = crawler.Download
)

// NewJob returns a job with every default set.
func NewJob(kind crawler.Kind) Job { return crawler.NewJob(kind) }

const (
	// DefaultWorkers is how many hosts a fetcher asks at the same time.
	DefaultWorkers = 1024
	// MaxWorkers bounds Options.Workers.
	MaxWorkers = 100_000
	// LeastMemory is the least Options.Memory, in bytes.
	LeastMemory = machine.LeastMemory
)

// DefaultMemory is what a process aims at that was not told: a hundredth of the machine's memory, or of what its control group lets it
// have, between 320 MiB and 1 GiB.
func DefaultMemory() int64 { return machine.DefaultMemory() }

// Errors that callers distinguish.
var (
	// ErrUsage: a mistake in options or seeds, found before anything started.
	ErrUsage = crawler.ErrUsage
	// ErrRefused: refused by the cluster (wrong secret, other version), or the directory holds another job.
	ErrRefused = cluster.ErrRefused
)

// HoldsCrawl reports whether a directory holds a crawl that can be continued.
func HoldsCrawl(dir string) bool { return crawldir.HoldsLedger(dir) }

// Version is the program's version, from the build.
func Version() string { return node.Version() }
