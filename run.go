package trawl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/queue"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/internal/machine"
	"trawl/scheduler"
	"trawl/storage/archive"
)

const (
	// localFetcher is the name of the fetcher in the scheduler's own process.
	localFetcher = "local"
	// stopWait is how long an interrupted job waits for what is under way.
	stopWait = 8 * time.Second
)

// errEnded: a service that the start waited for has failed, which its own error tells.
var errEnded = errors.New("a service of the run has ended")

// run is one run of a job: the services around the scheduler.
type run struct {
	*Crawl
	services  *errgroup.Group
	life      context.Context // of the services; ends when one of them fails
	broker    *queue.Broker
	queueEnd  chan error // how the broker ended; it outlives its clients
	stopQueue context.CancelFunc
	queueOf   crawler.Life     // names the queues on servers that are not ours
	local     *fetcher.Fetcher // of this process, nil with Serve
	conn      *queue.Conn      // the scheduler's
	sched     *scheduler.Scheduler
	node      *schedulerNode // with Serve
	origin    crawler.Life   // of the ledger
	restored  time.Time      // when the ledger was, zero for never
	copies    chan struct{}  // holds one word for each backup under way
	timed     *timedBackups  // nil without
	stream    *rowStream     // nil without the export "-"
	jobFile   sync.Mutex     // one writer of job.yaml at a time, so that the last one writes what is in force
	bodies    *archive.Bodies
}

// Run runs the job until it is done, a limit is reached or the context ends; Ending tells which. An error
// means that trawl failed; the job can be run again in any case, and goes on where it was.
func (c *Crawl) Run(ctx context.Context) (err error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	r := &run{Crawl: c, copies: make(chan struct{}, backupsAtOnce)}
	r.services, r.life = errgroup.WithContext(life)
	err = r.start()
	if err == nil {
		err = errors.Join(r.work(ctx), r.endStream(ctx))
	}
	kill()
	failed := cleanEnd(r.services.Wait())
	if failed != nil && (errors.Is(err, errEnded) || errors.Is(err, context.Canceled)) {
		err = nil // failed is the cause of it
	}
	err = errors.Join(err, failed, r.endQueue(), r.node.close(), r.closeBodies())
	if err != nil {
		return withAdvice(err)
	}
	return c.export(ctx)
}

// withAdvice adds what a user can do about an error from below that does not say it.
func withAdvice(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("%w: another program listens there; choose another port with `bind`", err)
	}
	return err
}

// cleanEnd passes over the ends that kill caused.
func cleanEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// start brings up queue, scheduler and control, and what lets other machines in.
func (r *run) start() error {
	loaded, err := r.ledger.Load(r.life)
	if err != nil {
		return err
	}
	r.origin, r.restored = loaded.Origin, loaded.Restored
	if err := r.startQueue(loaded.Life); err != nil {
		return err
	}
	if !loaded.Fresh && !loaded.State.Seeded {
		r.o.Logger.Warn("the seeds were not all read when this job was stopped: give them again")
	}
	if loaded.State.Paused {
		r.o.Logger.Warn("this job is paused: it asks for nothing until trawl resume " + r.o.Dir)
	}
	r.setLevel(loaded.State.LogLevel)
	if err := r.conn.PrepareStreams(r.life, loaded.Position); err != nil {
		return err
	}
	local := localFetcher
	if r.o.Serve {
		local = ""
	}
	var along scheduler.Stream
	if r.stream, err = r.newRowStream(loaded.Owed); err != nil {
		return err
	} else if r.stream != nil {
		along = r.stream
	}
	options := scheduler.Options{
		Job: r.given, Said: r.o.Said, Ledger: r.ledger, Index: r.ledger, Tasks: r.conn, Results: r.conn,
		LocalFetcher: local, Stay: r.o.Stay, RetryFailed: r.o.RetryFailed, Private: r.o.Private, Logger: r.o.Logger, Fault: r.o.Fault, Stream: along, ClockOffset: r.o.ClockOffset,
	}
	if err := r.openBodies(&options); err != nil {
		return err
	}
	r.sched, err = scheduler.New(r.life, options)
	if errors.Is(err, scheduler.ErrOtherJob) {
		return crawler.UsageError(fmt.Errorf("%s: %w", r.o.Dir, err))
	} else if err != nil {
		return err
	}
	if err := r.writeJob(r.life); err != nil { // not before the scheduler took the job for the directory's own
		return err
	}
	if err := r.startBackups(); err != nil {
		return err
	}
	status := r.now
	r.status.Store(&status)
	r.services.Go(func() error { return r.sched.Run(r.life) })
	r.services.Go(func() error { return r.conn.ServeAsks(r.life, r.sched) })
	if r.o.Serve {
		return r.serve()
	}
	return r.control(control.Options{})
}

// control serves the control API on the directory's socket, and where o says.
func (r *run) control(o control.Options) error {
	socket, err := r.dir.ControlSocket()
	if err != nil {
		return err
	}
	o.Socket, o.Status, o.Stop, o.Backup, o.Logger = socket, r.now, r.sched.Stop, r.backup, r.o.Logger
	o.Steering, o.Explain = steering{r}, r.explain
	c, err := control.New(o)
	if err != nil {
		return err
	}
	r.services.Go(func() error { return c.Run(r.life) })
	if r.node != nil {
		r.node.control = c
	}
	select {
	case <-c.Ready():
		return nil
	case <-r.life.Done():
		return errEnded
	}
}

// work feeds the seeds and fetches until the end.
func (r *run) work(ctx context.Context) error {
	r.services.Go(func() error { return r.seed(r.life) })
	fetching, stopFetching := context.WithCancel(r.life)
	defer stopFetching()
	fetched := make(chan error, 1)
	if r.o.Serve {
		fetched <- nil
	} else if err := r.fetchHere(fetching, fetched); err != nil {
		return err
	}
	var limit <-chan time.Time
	if r.o.MaxTime > 0 {
		t := time.NewTimer(r.o.MaxTime)
		defer t.Stop()
		limit = t.C
	}
	if r.stream != nil {
		go r.stream.run() // not among the services: a write that nobody takes cannot be waited for
	}
	full := make(chan struct{}, 1)
	r.services.Go(func() error { return machine.WatchDisk(fetching, r.dir.Path(), r.o.MinFree, full, r.o.Logger) })
	ending := Done
	select {
	case <-r.sched.Done():
		if s := r.sched.Status(); s.Parked > 0 {
			ending = Limited
		}
		r.settleDone(ctx, fetched)
		whole, err := r.complete(ctx)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil && !whole:
			ending = Interrupted
		case !whole:
			ending = Incomplete
		}
	case <-limit:
		ending = Limited
		r.settleStop(stopFetching, fetched)
	case <-full:
		ending = Limited
		r.settleStop(stopFetching, fetched)
	case <-ctx.Done():
		ending = Interrupted
		r.settleStop(stopFetching, fetched)
	case <-r.stream.ended(): // nobody takes the rows any more
		ending = Interrupted
		r.settleStop(stopFetching, fetched)
	case <-r.sched.Quiet(): // asked over the control API
		ending = Interrupted
		r.settleStop(stopFetching, fetched)
	case <-r.life.Done():
		return nil // a service failed; its error is told by the group
	}
	r.ending.Store(&ending)
	return nil
}

// settleDone waits for the fetchers to hear that the job is done.
func (r *run) settleDone(ctx context.Context, fetched <-chan error) {
	if r.node != nil {
		r.node.drain(ctx)
		return
	}
	r.local.Look()
	waitFor(r.life, stopWait, fetched)
}

// settleStop lets what is under way end, for a few seconds, and settles it.
func (r *run) settleStop(stopFetching func(), fetched <-chan error) {
	r.sched.Stop()
	stopFetching()
	waitFor(r.life, stopWait, fetched)
	waitFor(r.life, stopWait, r.sched.Quiet())
	named, cancel := context.WithTimeout(r.life, stopWait)
	defer cancel()
	r.waitPlaced(named)
}

func waitFor[T any](ctx context.Context, d time.Duration, c <-chan T) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
	case <-ctx.Done():
	}
}

// fetchHere runs the fetcher of this process.
func (r *run) fetchHere(ctx context.Context, ended chan<- error) error {
	conn, err := queue.Connect(r.life, r.localQueue(cluster.RoleFetcher, localFetcher))
	if err != nil {
		return err
	}
	a, err := openArchive(&r.job, r.dir.Path(), localFetcher, r.o.Logger)
	if err != nil {
		conn.Close()
		return err
	}
	giveUp := func(err error) error {
		conn.Close()
		return errors.Join(err, a.Close())
	}
	spool, err := spoolDir(r.dir.Path())
	if err != nil {
		return giveUp(err)
	}
	f, err := fetcher.New(fetcher.Options{
		Name: localFetcher, Workers: machine.FitWorkers(r.o.Workers, r.job.PerHost, true, r.o.Logger), Tasks: conn, Scheduler: conn, Reports: conn,
		Archive: a, SpoolDir: spool, PartialDir: partialDir(&r.job, r.dir.Path()), Proxy: r.o.Proxy, Stay: r.o.Stay, Logger: r.o.Logger, Step: r.o.Fault, ClockOffset: r.o.ClockOffset, Kill: r.life,
	})
	if err != nil {
		return giveUp(err)
	}
	r.local = f
	watching, unwatch := context.WithCancel(r.life)
	r.services.Go(func() error {
		watchCondition(watching, f, func(c fetcher.Condition) {
			r.sched.SetFetchers([]crawler.FetcherStatus{{Name: localFetcher, Slots: c.Slots, Silent: c.Silent}})
		})
		return nil
	})
	r.services.Go(func() error {
		defer unwatch()
		err := cleanEnd(f.Run(ctx))
		err = errors.Join(err, a.Close())
		conn.Close()
		ended <- err
		return err
	})
	return nil
}

// bodyArchive is a fetcher's archive that can be closed.
type bodyArchive interface {
	fetcher.Archive
	Close() error
}

// openArchive opens the archive that the job asks for. prefix begins the names of WARC files.
func openArchive(job *Job, dir, prefix string, log *slog.Logger) (bodyArchive, error) {
	switch job.Archive {
	case crawler.ArchiveWARC:
		return archive.NewWARC(dir, archive.WARCOptions{Prefix: prefix, Compress: job.Compress, Info: warcInfo(job), Logger: log})
	case crawler.ArchiveFiles:
		return archive.NewFiles(dir, archive.FilesOptions{Logger: log})
	}
	return noArchive{archive.NewNone()}, nil
}

type noArchive struct{ archive.None }

func (noArchive) Close() error { return nil }

// spoolDir makes the directory of bodies too large for memory, in the tree of the archive, so that a file
// can be taken over by renaming it.
func spoolDir(dir string) (string, error) {
	spool := filepath.Join(dir, "incoming", "spool")
	if err := os.RemoveAll(spool); err != nil {
		return "", fmt.Errorf("empty spool: %w", err)
	}
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return "", fmt.Errorf("make spool: %w", err)
	}
	return spool, nil
}

// partialDir is where a fetcher keeps bodies that were interrupted, to go on with them; "" when they do not become
// files. It outlives the process.
func partialDir(job *Job, dir string) string {
	if job.Archive != crawler.ArchiveFiles {
		return ""
	}
	return filepath.Join(dir, "incoming", "partial")
}
