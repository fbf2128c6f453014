package trawl_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl"
	"trawl/cluster/trust"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// clusterWeb is enough work for three fetchers that each host's turns come to several of them.
func clusterWeb() webfarm.Options {
	o := everything()
	o.Hosts, o.PagesPerHost, o.Latency = 12, 50, 3*time.Millisecond
	return o
}

const (
	clusterDelay   = 20 * time.Millisecond
	clusterWorkers = 4 // slots of a fetcher: three have one for each host
)

// clusterJob has short leases, so that what is lost comes back within seconds.
func clusterJob() trawl.Job {
	job := farmJob()
	job.Delay = clusterDelay
	job.Lease, job.Renew, job.Grace = 2*time.Second, 500*time.Millisecond, 500*time.Millisecond
	return job
}

// joinHandler hands on the address at which a scheduler can be joined.
type joinHandler struct {
	slog.Handler
	join chan<- string
}

func (h joinHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "join" && r.Message == "fetchers may join" {
			h.join <- a.Value.String()
		}
		return true
	})
	return h.Handler.Handle(ctx, r)
}

func (h joinHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return joinHandler{h.Handler.WithAttrs(a), h.join}
}

// A scheduler and three fetchers in this process, with real queues and real gossip.
func TestAClusterDoesWhatOneMachineDoes(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, clusterWeb())
	secret, err := trust.ParseSecret(trust.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	dir, job := t.TempDir(), clusterJob()
	join := make(chan string, 1)
	c, err := trawl.New(job, trawl.Options{
		Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds(), nil), Serve: &trawl.Cluster{Bind: "127.0.0.1:0", Secret: secret},
		Logger: slog.New(joinHandler{testLogger(t, slog.LevelInfo).Handler(), join}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	var at string
	select {
	case at = <-join:
	case err := <-ended:
		t.Fatalf("the scheduler ended before it could be joined: %v", err)
	}
	var fetchers sync.WaitGroup
	nodes := make([]*trawl.Fetcher, 3)
	for i := range nodes {
		nodes[i], err = trawl.NewFetcher(trawl.FetcherOptions{
			Dir: filepath.Join(t.TempDir(), "f"), Name: fmt.Sprintf("f%d", i), Cluster: trawl.Cluster{Join: []string{at}, Bind: "127.0.0.1:0", Secret: secret},
			Workers: clusterWorkers, Logger: testLogger(t, slog.LevelWarn),
		})
		if err != nil {
			t.Fatal(err)
		}
		fetchers.Go(func() {
			if err := nodes[i].Run(t.Context()); err != nil {
				t.Errorf("fetcher %d: %v", i, err)
			}
			if err := nodes[i].Close(); err != nil {
				t.Errorf("fetcher %d: %v", i, err)
			}
		})
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	fetchers.Wait()
	if c.Ending() != trawl.Done {
		t.Errorf("the job ended %q", c.Ending())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	rows := kept(t, dir)
	compare(t, "the cluster", facts(rows), expected(f, rows))
	verifyRecords(t, dir, rows)
	breaches(t, f, webfarm.Rules{Delay: clusterDelay})
	shares := make(map[string]int)
	for _, r := range rows {
		shares[r.Fetcher]++
	}
	for i, n := range nodes {
		if n.Pages() == 0 || shares[n.Name()] == 0 {
			t.Errorf("fetcher %d did %d pages and has %d rows: the work was not shared", i, n.Pages(), shares[n.Name()])
		}
	}
}

// crashing is a cluster of processes that are killed.
type crashing struct {
	t      *testing.T
	farm   *webfarm.Farm
	dir    string
	secret string
	bind   string
}

func newCrashing(t *testing.T) *crashing {
	return &crashing{t: t, farm: webfarmtest.Start(t, clusterWeb()), dir: t.TempDir(), secret: trust.NewSecret(), bind: freeBind(t)}
}

func (c *crashing) crawlDir() string { return filepath.Join(c.dir, "crawl") }

func (c *crashing) scheduler(step string, nth int64) *nodeProcess {
	job := clusterJob()
	n := &nodeProgram{
		Name: "scheduler", Job: &job, Dir: c.crawlDir(), Bind: c.bind, Secret: c.secret, Seeds: c.farm.Seeds(),
		Step: step, Nth: nth,
	}
	return n.start(c.t)
}

func (c *crashing) fetcher(number int, step string, nth int64) *nodeProcess {
	name := fmt.Sprintf("f%d", number)
	n := &nodeProgram{
		Name: name, Dir: filepath.Join(c.dir, name), Bind: "127.0.0.1:0", Join: []string{c.bind}, Secret: c.secret,
		Workers: clusterWorkers, Step: step, Nth: nth,
	}
	return n.start(c.t)
}

// killed waits for a node's own end by SIGKILL, and checks that the ledger balances when it was the scheduler.
func (c *crashing) killed(p *nodeProcess, step string) {
	c.t.Helper()
	if _, killed := p.wait(); !killed {
		c.t.Fatalf("%s ended before step %s: nothing was tested", p.name, step)
	}
	if p.name == "scheduler" {
		kept(c.t, c.crawlDir())
	}
}

// holds checks what must be true at the end, whoever was killed. The records of a fetcher that did not come
// back are lost with it, so they are checked only where all are there.
func (c *crashing) holds(schedulerSaid string, all bool) {
	c.t.Helper()
	ending, lapses, _ := strings.Cut(schedulerSaid, ",")
	// What a fetcher that never comes back had stored and not shipped is missing, and that is said; whether there was any is a
	// matter of moments.
	if ending != string(trawl.Done) && (all || ending != string(trawl.Incomplete)) {
		c.t.Errorf("the scheduler said %q, want done", schedulerSaid)
	}
	rows := kept(c.t, c.crawlDir())
	compare(c.t, "the cluster", facts(rows), expected(c.farm, rows))
	if all {
		verifyRecords(c.t, c.crawlDir(), rows)
	}
	// A host whose turn was lost before its robots.txt was reported is asked for it once more, and for pages
	// whose results were lost.
	breaches(c.t, c.farm, webfarm.Rules{Delay: clusterDelay, Repeats: true, RobotsPerHost: 2})
	var lapsed int64
	if _, err := fmt.Sscanf(lapses, " %d turns lapsed", &lapsed); err != nil {
		c.t.Fatal(err)
	}
	if a := c.farm.Audit().Total; a.Robots > int64(a.HostsAsked)+lapsed {
		c.t.Errorf("robots.txt was asked for %d times at %d hosts with %d lost turns", a.Robots, a.HostsAsked, lapsed)
	}
}

func TestAFetcherIsKilledAtEachStep(t *testing.T) {
	for step, nth := range map[string]int64{"take": 3, "grant": 3, "request": 8, "archive": 2, "part1": 2, "last": 2} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			c := newCrashing(t)
			scheduler := c.scheduler("", 0)
			victim := c.fetcher(1, step, nth)
			others := []*nodeProcess{c.fetcher(2, "", 0), c.fetcher(3, "", 0)}
			c.killed(victim, step)
			// It comes back with what it had stored and not shipped.
			again := c.fetcher(1, "", 0)
			others = append(others, again)
			said := scheduler.succeeds()
			if again.logged("another fetcher with this name") {
				t.Error("it gave its name up to the process that was killed")
			}
			for _, f := range others {
				f.succeeds()
			}
			c.holds(said, true)
		})
	}
}

func TestAFetcherIsKilledAndDoesNotComeBack(t *testing.T) {
	t.Parallel()
	c := newCrashing(t)
	scheduler := c.scheduler("", 0)
	victim := c.fetcher(1, "request", 12)
	others := []*nodeProcess{c.fetcher(2, "", 0), c.fetcher(3, "", 0)}
	c.killed(victim, "request")
	others = append(others, c.fetcher(4, "", 0)) // a new one
	said := scheduler.succeeds()
	for _, f := range others {
		f.succeeds()
	}
	c.holds(said, false)
}

// The fetchers hear of it by gossip: it remembers where they are.
func TestTheSchedulerComesBackAtAnotherAddress(t *testing.T) {
	t.Parallel()
	c := newCrashing(t)
	scheduler := c.scheduler("settle", 3)
	var fetchers []*nodeProcess
	for i := range 3 {
		fetchers = append(fetchers, c.fetcher(i+1, "", 0))
	}
	c.killed(scheduler, "settle")
	c.bind = freeBind(t)
	said := c.scheduler("", 0).succeeds()
	for _, f := range fetchers {
		if f.logged("working for") {
			f.succeeds()
		} else {
			f.kill() // it had not met anybody yet, and knows no other address
		}
	}
	c.holds(said, true)
}

func TestTheSchedulerIsKilledAtEachStep(t *testing.T) {
	for step, nth := range map[string]int64{"offer": 3, "grant": 6, "settle": 4, "lapse": 1} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			c := newCrashing(t)
			scheduler := c.scheduler(step, nth)
			var fetchers []*nodeProcess
			for i := range 3 {
				fetchers = append(fetchers, c.fetcher(i+1, "", 0))
			}
			if step == "lapse" { // something must lapse
				c.killed(c.fetcher(4, "request", 2), "request")
			}
			c.killed(scheduler, step)
			scheduler = c.scheduler("", 0)
			if step == "lapse" {
				fetchers = append(fetchers, c.fetcher(4, "", 0))
			}
			said := scheduler.succeeds()
			for _, f := range fetchers {
				f.succeeds()
			}
			c.holds(said, true)
		})
	}
}
