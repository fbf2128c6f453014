package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"

	"trawl/cluster/queue"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/internal/machine"
	"trawl/storage/archive"
	"trawl/storage/archive/warc"
	"trawl/storage/crawldir"
)

// bodyArchive is a fetcher's archive that can be closed.
type bodyArchive interface {
	fetcher.Archive
	Close() error
}

// worker is what fetches, on every node that does: a fetcher, and the archive of its bodies, which is to be closed after its Run.
type worker struct {
	*fetcher.Fetcher
	archive bodyArchive
}

type workerOptions struct {
	Name         string
	Dir          *crawldir.Dir
	Job          *crawler.Job
	Workers      int         // hosts asked at the same time, as far as the machine's limits allow
	BesideLedger bool        // the ledger is in this process
	Stay         bool        // when the job is done
	Conn         *queue.Conn // for tasks and reports
	Scheduler    fetcher.Scheduler
	Proxy        func(*url.URL) (*url.URL, error)
	Logger       *slog.Logger
	Hooks        Hooks
	Kill         context.Context
}

func openWorker(o workerOptions) (*worker, error) {
	a, err := openArchive(o.Job, o.Dir.Path(), o.Name, o.Logger)
	if err != nil {
		return nil, err
	}
	partial := ""
	if o.Job.Archive == crawler.ArchiveFiles { // other bodies are not continued
		partial = o.Dir.Partial()
	}
	workers := machine.FitWorkers(o.Workers, o.Job.PerHost, o.BesideLedger, o.Logger)
	idle := machine.FitIdle(fetcher.DefaultIdle, workers, o.Job.PerHost, o.BesideLedger)
	f, err := fetcher.New(fetcher.Options{
		Name: o.Name, Workers: workers, Idle: cmp.Or(idle, -1), Tasks: o.Conn, Scheduler: o.Scheduler, Reports: o.Conn,
		Archive: a, SpoolDir: o.Dir.Spool(), PartialDir: partial, Proxy: o.Proxy, Stay: o.Stay, Logger: o.Logger,
		Step: o.Hooks.Fault, ClockOffset: o.Hooks.ClockOffset, Kill: o.Kill,
	})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return &worker{Fetcher: f, archive: a}, nil
}

// openArchive opens the archive that the job asks for. prefix begins the names of WARC files.
func openArchive(job *crawler.Job, dir, prefix string, log *slog.Logger) (bodyArchive, error) {
	switch job.Archive {
	case crawler.ArchiveWARC:
		return archive.NewWARC(dir, archive.WARCOptions{Prefix: prefix, Compress: job.Compress, Info: warcInfo(job), Logger: log})
	case crawler.ArchiveFiles:
		return archive.NewFiles(dir, archive.FilesOptions{Logger: log})
	}
	return archive.NewNone(), nil
}

// warcInfo is what each WARC file says of the crawl that it is of (ISO 28500, warcinfo).
func warcInfo(j *crawler.Job) []warc.Field {
	robots := "obey"
	if j.IgnoreRobots {
		robots = "ignore"
	}
	return []warc.Field{
		{Name: "software", Value: "trawl/" + Version()},
		{Name: "format", Value: "WARC File Format 1.1"},
		{Name: "robots", Value: robots},
		{Name: "http-header-user-agent", Value: j.UserAgent},
		{Name: "isPartOf", Value: j.Name},
	}
}

// watchCondition calls changed with each condition of the fetcher, until ctx ends.
func watchCondition(ctx context.Context, f *fetcher.Fetcher, changed func(fetcher.Condition)) {
	for {
		c, moved := f.Condition()
		changed(c)
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
