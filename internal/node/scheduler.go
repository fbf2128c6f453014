package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/crawler"
	"trawl/fetcher"
	"trawl/internal/machine"
	"trawl/internal/seeds"
	"trawl/scheduler"
	"trawl/storage/check"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

const (
	// LocalFetcher is the name of the fetcher in the scheduler's own process.
	LocalFetcher = "local"
	// stopWait is how long an interrupted job waits for what is under way.
	stopWait = 8 * time.Second
	// endGrace is how long an interrupted ending works on what users get, rows on standard output and exports, each; what takes
	// longer is left to the next start.
	endGrace = 3 * time.Second
)

// errEnded: a service that the start waited for has failed; the group has its error.
var errEnded = errors.New("a service of the run has ended")

// SchedulerOptions say what a scheduler node works on. Dir and Ledger stay the caller's to close, after Run.
type SchedulerOptions struct {
	Dir    *crawldir.Dir
	Ledger *ledger.Ledger
	Job    crawler.Job       // current: as it was given, completed by what the ledger has
	Core   scheduler.Options // the job as it was given, and what is to become of it; the node adds its parts
	// JobText writes the settings of a job for job.yaml.
	JobText func(*crawler.Job) ([]byte, error)
	Rerun   string // how the job is continued, for people

	Seeds   iter.Seq2[seeds.Seed, error] // nil = none
	BadSeed func(error)

	Cluster *Cluster // lets fetchers on other machines in; nil = the job is fetched here
	Workers int      // hosts asked here at the same time
	NATS    string   // servers to use for the queues in place of the embedded one
	Proxy   func(*url.URL) (*url.URL, error)

	MaxTime    time.Duration // 0 = no limit
	MinFree    int64         // bytes; 0 = do not look
	Stdout     io.Writer     // gets rows as they become final; nil = nobody does
	Backups    Backups
	RuntimeDir string // where the running jobs of a user show each other their hosts; "" = nowhere
	Logger     *slog.Logger
	Level      *slog.LevelVar // of the logger; nil = cannot be set
}

// Ending is how a run ended.
type Ending string

const (
	// Running: it did not end yet.
	Running Ending = "running"
	// Done: nothing is left that may be asked for.
	Done Ending = "done"
	// Limited: a limit of the user's was reached; raise it and run again to go on.
	Limited Ending = "stopped by a limit"
	// Interrupted: the context ended; run again to go on.
	Interrupted Ending = "interrupted"
	// Incomplete: nothing is left to be asked for, and bodies that rows point to have not arrived from their fetchers.
	Incomplete Ending = "bodies are missing"
)

// Scheduler is a scheduler node: the services around one run of a job. Its methods are safe for concurrent use; Run is called once.
type Scheduler struct {
	o        SchedulerOptions
	seeded   chan struct{} // closed when the seeds were read and admitted
	badSeeds atomic.Int64
	status   atomic.Pointer[func() crawler.Status]
	lingers  atomic.Pointer[func() string] // what an ending waits for, nil for nothing
	missing  []check.Missing

	// What follows is made by start, as far as it comes, and ended by Run.
	services *errgroup.Group
	life     context.Context // of the services; ends when one of them fails
	queues   *queues
	bodies   *bodies
	core     *scheduler.Scheduler
	answers  *answers
	backups  *timedBackups // nil without
	stream   *rowStream    // nil without standard output
	members  *members      // nil without a cluster
	local    *worker       // nil in a cluster
	ending   Ending
}

// NewScheduler makes the node. Nothing is opened before Run.
func NewScheduler(o SchedulerOptions) *Scheduler {
	return &Scheduler{o: o, seeded: make(chan struct{}), ending: Running}
}

// BadSeeds is the number of seeds that could not be read.
func (s *Scheduler) BadSeeds() int64 { return s.badSeeds.Load() }

// Seeded is closed when the seeds were read and admitted.
func (s *Scheduler) Seeded() <-chan struct{} { return s.seeded }

// Missing lists the bodies that had not arrived when Run ended as Incomplete.
func (s *Scheduler) Missing() []check.Missing { return s.missing }

// Status is where the job stands; all zero before Run has begun.
func (s *Scheduler) Status() crawler.Status {
	if f := s.status.Load(); f != nil {
		return (*f)()
	}
	return crawler.Status{Job: s.o.Job.Name, Kind: s.o.Job.Kind, State: "starting"}
}

// Linger makes the status say what an ending waits for, until the returned function is called.
func (s *Scheduler) Linger(what func() string) (over func()) {
	s.lingers.Store(&what)
	return func() { s.lingers.Store(nil) }
}

// Run runs the job until it is done, a limit is reached or the context ends, and returns which of them. An error means that trawl failed;
// the job can be run again in any case, and goes on where it was. All that Run opened is closed when it returns; the queue outlives those
// who use it.
func (s *Scheduler) Run(ctx context.Context) (Ending, error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	s.services, s.life = errgroup.WithContext(life)
	err := s.start()
	if err == nil {
		err = errors.Join(s.work(ctx), s.endStream(ctx))
	}
	kill()
	failed := cleanEnd(s.services.Wait())
	if failed != nil && (errors.Is(err, errEnded) || errors.Is(err, context.Canceled)) {
		err = nil // failed is the cause of it
	}
	err = errors.Join(err, failed, s.queues.close(s.ending == Done), s.members.close(), s.bodies.close())
	return s.ending, withAdvice(err)
}

// start brings up queue, scheduler and control, and what lets other machines in.
func (s *Scheduler) start() error {
	loaded, err := s.o.Ledger.Load(s.life)
	if err != nil {
		return err
	}
	if err := s.openQueues(loaded.Life); err != nil {
		return err
	}
	if !loaded.Fresh && !loaded.State.Seeded {
		s.o.Logger.Warn("the seeds were not all read when this job was stopped: give them again")
	}
	if loaded.State.Paused {
		s.o.Logger.Warn("this job is paused: it asks for nothing until trawl resume " + s.o.Dir.Path())
	}
	setLevel(s.o.Level, loaded.State.LogLevel)
	if err := s.queues.conn.PrepareStreams(s.life, loaded.Position); err != nil {
		return err
	}
	if err := s.startCore(&loaded); err != nil {
		return err
	}
	s.answers = &answers{
		core: s.core, ledger: s.o.Ledger, dir: s.o.Dir, jobText: s.o.JobText, rerun: s.o.Rerun,
		log: s.o.Logger, level: s.o.Level, copies: make(chan struct{}, backupsAtOnce),
	}
	if err := s.answers.writeJob(s.life); err != nil { // not before the scheduler took the job for the directory's own
		return err
	}
	if err := s.startBackups(loaded.Origin); err != nil {
		return err
	}
	status := s.now
	s.status.Store(&status)
	s.services.Go(func() error { return s.core.Run(s.life) })
	s.services.Go(func() error { return s.queues.conn.ServeAsks(s.life, s.core) })
	if s.o.Cluster != nil {
		return s.startMembers(&loaded)
	}
	_, err = s.startControl(control.Options{})
	return err
}

// openQueues opens the queues to this process, and in a cluster to other machines.
func (s *Scheduler) openQueues(life crawler.Life) error {
	o := queueOptions{NATS: s.o.NATS, Life: life, StoreDir: s.o.Dir.Queue(), Logger: s.o.Logger}
	if s.o.Cluster != nil {
		listen, err := s.o.Cluster.Bind.Next(1)
		if err != nil {
			return crawler.UsageError(err)
		}
		o.Listen, o.Keys = listen.String(), s.o.Cluster.Keys
	}
	s.queues = &queues{o: o}
	if err := s.queues.open(s.life, s.services); err != nil || s.o.NATS == "" {
		return err
	}
	// Others may use these servers too: nothing is changed there if a scheduler of this ledger's life listens already.
	if notice, err := s.queues.conn.Notice(s.life); err == nil && notice.Life == life {
		return errTwin(publicNATS(s.o.NATS), s.o.Dir.Path())
	}
	return nil // nobody answers, as it should be
}

// startCore makes the scheduler proper.
func (s *Scheduler) startCore(loaded *crawler.LedgerState) (err error) {
	o := s.o.Core
	o.Ledger, o.Tasks, o.Results, o.Logger = s.o.Ledger, s.queues.conn, s.queues.conn, s.o.Logger
	if s.o.Cluster == nil {
		o.LocalFetcher = LocalFetcher
	}
	hooks := hooksOf(s.life)
	o.Fault, o.ClockOffset = hooks.Fault, hooks.ClockOffset
	if s.o.Stdout != nil {
		if s.stream, err = newRowStream(s.o.Stdout, s.o.Ledger, loaded.Owed); err != nil {
			return err
		}
		o.Stream = s.stream
	}
	if s.bodies, o.NameRule, err = openBodies(s.o.Dir.Path(), s.o.Ledger); err != nil {
		return err
	}
	o.Names, o.Bodies, o.Shipped = s.o.Ledger, s.bodies.files, s.o.Ledger
	s.core, err = scheduler.New(s.life, o)
	if errors.Is(err, scheduler.ErrOtherJob) {
		return crawler.UsageError(fmt.Errorf("%s: %w", s.o.Dir.Path(), err))
	}
	return err
}

func (s *Scheduler) startBackups(origin crawler.Life) (err error) {
	if err := s.o.Dir.RemoveStaleBackups(); err != nil {
		s.o.Logger.Warn("the disk has less room than it could have", "error", err)
	}
	if s.o.Backups.Every == 0 {
		return nil
	}
	if s.backups, err = newTimedBackups(s.o.Backups, s.o.Dir, origin, s.o.Proxy, s.answers.Backup, s.o.Logger); err != nil {
		return err
	}
	s.services.Go(func() error { s.backups.run(s.life); return nil })
	return nil
}

// startControl serves the control API on the directory's socket, and where o says.
func (s *Scheduler) startControl(o control.Options) (*control.Server, error) {
	socket, err := s.o.Dir.ControlSocket()
	if err != nil {
		return nil, err
	}
	o.Socket, o.Status, o.Stop, o.Logger = socket, s.now, s.core.Stop, s.o.Logger
	o.Backup, o.Steering, o.Explain = s.answers.Backup, s.answers, s.answers.Explain
	c, err := control.New(o)
	if err != nil {
		return nil, err
	}
	s.services.Go(func() error { return c.Run(s.life) })
	select {
	case <-c.Ready():
		return c, nil
	case <-s.life.Done():
		return nil, errEnded
	}
}

// startMembers opens control and gossip to other machines.
func (s *Scheduler) startMembers(loaded *crawler.LedgerState) (err error) {
	s.members = &members{
		cluster: s.o.Cluster, core: s.core, queues: s.queues, bodies: s.bodies, dir: s.o.Dir.Path(), log: s.o.Logger,
		origin: loaded.Origin, restored: loaded.Restored, peers: openPeers(s.o.Dir.Members()),
	}
	if err := s.members.openDepot(); err != nil {
		return err
	}
	o, err := s.members.controlOptions()
	if err != nil {
		return err
	}
	c, err := s.startControl(o)
	if err != nil {
		return err
	}
	s.members.control = c.Addr()
	if err := s.members.join(s.life); err != nil {
		return err
	}
	s.services.Go(func() error { return s.members.run(s.life) })
	select {
	case <-s.members.gossip.Ready():
	case <-s.life.Done():
	}
	return nil
}

// now is the status of the running job.
func (s *Scheduler) now() crawler.Status {
	status := s.core.Status()
	if lingers := s.lingers.Load(); lingers != nil {
		status.WaitsFor = (*lingers)()
	}
	if s.o.NATS != "" {
		status.QueueReplicas = s.queues.conn.Replicas()
	}
	if s.backups != nil {
		last := s.backups.last.Load()
		status.LastBackup, status.BackupProblem = last.at, last.problem
	}
	return status
}

// work feeds the seeds and fetches until the end.
func (s *Scheduler) work(ctx context.Context) error {
	s.services.Go(func() error { return s.seed(s.life) })
	fetching, stopFetching := context.WithCancel(s.life)
	defer stopFetching()
	fetched := make(chan error, 1)
	if s.o.Cluster != nil {
		fetched <- nil
	} else if err := s.fetchHere(fetching, fetched); err != nil {
		return err
	}
	var limit <-chan time.Time
	if s.o.MaxTime > 0 {
		t := time.NewTimer(s.o.MaxTime)
		defer t.Stop()
		limit = t.C
	}
	if s.stream != nil {
		go s.stream.run() // not among the services: a write that nobody takes cannot be waited for
	}
	full := make(chan struct{}, 1)
	s.services.Go(func() error { return machine.WatchDisk(fetching, s.o.Dir.Path(), s.o.MinFree, full, s.o.Logger) })
	ending := Interrupted
	select {
	case <-s.core.Done():
		var err error
		s.ending, err = s.finish(ctx, fetched)
		return err
	case <-limit:
		ending = Limited
	case <-full:
		ending = Limited
	case <-ctx.Done():
	case <-s.stream.ended(): // nobody takes the rows any more
	case <-s.core.Quiet(): // asked over the control API
	case <-s.life.Done():
		return nil // a service failed; the group has its error
	}
	s.stop(stopFetching, fetched)
	s.ending = ending
	return nil
}

// finish ends a job that is done: the fetchers hear of it and ship what they have, and bodies get their names.
func (s *Scheduler) finish(ctx context.Context, fetched <-chan error) (Ending, error) {
	parked := s.core.Status().Parked > 0
	waiting, over := either(ctx, s.life)
	defer over()
	if s.members != nil {
		s.members.drain(waiting)
	} else {
		s.local.Look()
		waitFor(s.life, stopWait, fetched)
	}
	s.bodies.waitPlaced(waiting, s.core)
	missing, err := s.bodies.missing(s.life)
	switch {
	case err != nil:
		return Running, err
	case ctx.Err() != nil:
		return Interrupted, nil
	case len(missing) > 0: // the job is not done, whatever the ledger says
		s.missing = missing
		return Incomplete, nil
	}
	if err := s.bodies.sweep(); err != nil || !parked {
		return Done, err
	}
	return Limited, nil
}

// stop lets what is under way end, for a few seconds, and settles it.
func (s *Scheduler) stop(stopFetching func(), fetched <-chan error) {
	s.core.Stop()
	stopFetching()
	waitFor(s.life, stopWait, fetched)
	waitFor(s.life, stopWait, s.core.Quiet())
	named, cancel := context.WithTimeout(s.life, stopWait)
	defer cancel()
	s.bodies.waitPlaced(named, s.core)
}

// fetchHere runs the fetcher of this process.
func (s *Scheduler) fetchHere(ctx context.Context, ended chan<- error) error {
	conn, err := s.queues.connect(s.life, cluster.RoleFetcher, LocalFetcher)
	if err != nil {
		return err
	}
	s.local, err = openWorker(workerOptions{
		Name: LocalFetcher, Dir: s.o.Dir, Job: &s.o.Job, Workers: s.o.Workers, BesideLedger: true, Stay: s.o.Core.Stay,
		Conn: conn, Scheduler: conn, Proxy: s.o.Proxy, Logger: s.o.Logger, Hooks: hooksOf(ctx), Kill: s.life,
	})
	if err != nil {
		conn.Close()
		return err
	}
	watching, unwatch := context.WithCancel(s.life)
	s.services.Go(func() error {
		watchCondition(watching, s.local.Fetcher, func(c fetcher.Condition) {
			s.core.SetFetchers([]crawler.FetcherStatus{{Name: LocalFetcher, Slots: c.Slots, Silent: c.Silent}})
		})
		return nil
	})
	s.services.Go(func() error {
		defer unwatch()
		err := errors.Join(cleanEnd(s.local.Run(ctx)), s.local.archive.Close())
		conn.Close()
		ended <- err
		return err
	})
	return nil
}
