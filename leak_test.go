package trawl_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl"
	"trawl/cluster/clustertest"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
	"trawl/storage/crawldir"
)

// openFiles are what the descriptors of this process lead to, connections too; the process's own and what opens while it is looked are
// among them.
func openFiles(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not say which files are open: ", err)
	}
	var open []string
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil {
			open = append(open, to)
		}
	}
	slices.Sort(open)
	return open
}

// nothingStays fails the test when a goroutine, a file or a connection outlives it.
func nothingStays(t *testing.T) {
	t.Helper()
	before := openFiles(t)
	t.Cleanup(func() { // after that of goroutines, which may hold connections for a moment
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for deadline := time.Now().Add(5 * time.Second); ; <-look.C {
			more := openFiles(t)
			for _, f := range before {
				if i := slices.Index(more, f); i >= 0 {
					more = slices.Delete(more, i, i+1)
				}
			}
			if len(more) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("still open:\n%s", strings.Join(more, "\n"))
				return
			}
		}
	})
	clustertest.NoLeaks(t)
}

// blocked puts something in the way of what a node is to open: a file where a directory should be, or the other way round.
func blocked(t *testing.T, dir string, names ...string) {
	t.Helper()
	d, err := crawldir.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			err = errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600))
		case strings.HasSuffix(name, "bodies"), strings.HasSuffix(name, "partial"):
			err = os.WriteFile(path, nil, 0o600)
		default:
			err = os.MkdirAll(filepath.Join(path, "in the way"), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// takenPort is a port of loopback, behind free ones where others are asked for, at which somebody listens.
func takenPort(t *testing.T, behind int) (before string, at string) {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if port := l.Addr().(*net.TCPAddr).Port; port > behind {
			return fmt.Sprintf("127.0.0.1:%d", port-behind), l.Addr().String()
		}
	}
}

func TestARunClosesWhatItOpenedWhereverItFails(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 3})
	serve := func(o *trawl.Options) { o.Serve, o.Stay = &trawl.Cluster{Bind: "127.0.0.1:0"}, true }
	for _, c := range []struct {
		what    string
		blocked []string
		set     func(t *testing.T, job *trawl.Job, o *trawl.Options)
		good    bool
	}{
		{what: "nothing fails", good: true},
		{what: "nothing fails, with files", good: true, set: func(_ *testing.T, job *trawl.Job, _ *trawl.Options) { job.Archive = "files" }},
		{what: "the log", blocked: []string{"trawl.log"}},
		{what: "the ledger", blocked: []string{"ledger"}},
		{what: "another job", set: func(t *testing.T, job *trawl.Job, o *trawl.Options) {
			crawl(t, t.Context(), trawl.NewJob(trawl.KindDownload), *o)
		}},
		{what: "the queue", set: func(_ *testing.T, _ *trawl.Job, o *trawl.Options) { o.NATS = "nats://127.0.0.1:1" }},
		{what: "the files' names", blocked: []string{"files"}},
		{what: "job.yaml", blocked: []string{"job.yaml"}},
		{what: "backups", set: func(_ *testing.T, _ *trawl.Job, o *trawl.Options) {
			o.Backups = trawl.Backups{Every: time.Second, To: filepath.Join(o.Dir, "version", "backups")}
		}},
		{what: "the control socket", blocked: []string{"control.sock"}},
		{what: "the archive", blocked: []string{"archive"}},
		{what: "the archive of files", blocked: []string{"incoming/bodies"}, set: func(_ *testing.T, job *trawl.Job, _ *trawl.Options) { job.Archive = "files" }},
		{what: "the fetcher", blocked: []string{"incoming/partial"}, set: func(_ *testing.T, job *trawl.Job, _ *trawl.Options) { job.Archive = "files" }},
		{what: "an export", set: func(t *testing.T, _ *trawl.Job, o *trawl.Options) {
			o.Exports = []string{filepath.Join(t.TempDir(), "x.csv")}
			if err := os.Mkdir(o.Exports[0], 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{what: "the intake of files", blocked: []string{"incoming/bodies"}, set: func(_ *testing.T, _ *trawl.Job, o *trawl.Options) { serve(o) }},
		{what: "the queue's port", set: func(t *testing.T, _ *trawl.Job, o *trawl.Options) { serve(o); o.Serve.Bind, _ = takenPort(t, 1) }},
		{what: "the control port", set: func(t *testing.T, _ *trawl.Job, o *trawl.Options) { serve(o); _, o.Serve.Control = takenPort(t, 0) }},
		{what: "the gossip's port", set: func(t *testing.T, _ *trawl.Job, o *trawl.Options) { serve(o); _, o.Serve.Bind = takenPort(t, 0) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			job, o := farmJob(), trawl.Options{Dir: t.TempDir(), Seeds: trawl.ReadSeeds(f.Seeds(), nil), Logger: testLogger(t, slog.LevelError)}
			if c.set != nil {
				c.set(t, &job, &o)
			}
			blocked(t, o.Dir, c.blocked...)
			nothingStays(t)
			run, err := trawl.New(job, o)
			if err == nil {
				err = errors.Join(run.Run(t.Context()), run.Close())
			}
			if (err == nil) != c.good {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// failure hears of the log line of a fetcher node that could not work for its scheduler.
type failure struct {
	slog.Handler
	failed context.CancelFunc
}

func (h failure) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "lost the scheduler") {
		h.failed()
	}
	return h.Handler.Handle(ctx, r)
}

func TestAFetcherNodeClosesWhatItOpenedWhereverItFails(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 3})
	for _, c := range []struct {
		what    string
		blocked []string
		archive string
		set     func(t *testing.T, o *trawl.FetcherOptions)
	}{
		{what: "nothing fails"},
		{what: "its name", blocked: []string{"name"}},
		{what: "its control socket", blocked: []string{"control.sock"}},
		{what: "its control port", set: func(t *testing.T, o *trawl.FetcherOptions) { _, o.Cluster.Control = takenPort(t, 0) }},
		{what: "its gossip's port", set: func(t *testing.T, o *trawl.FetcherOptions) { _, o.Cluster.Bind = takenPort(t, 0) }},
		{what: "its archive", blocked: []string{"archive"}},
		{what: "its fetcher", blocked: []string{"incoming/partial"}, archive: "files"},
		{what: "its outbox", blocked: []string{"incoming/bodies"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			job, join := farmJob(), make(chan string, 1)
			if c.archive != "" {
				job.Archive = "files"
			}
			o := trawl.FetcherOptions{Dir: t.TempDir(), Cluster: trawl.Cluster{Bind: "127.0.0.1:0"}, Workers: 2, Logger: slog.New(failure{testLogger(t, slog.LevelWarn).Handler(), cancel})}
			if c.set != nil {
				c.set(t, &o)
			}
			blocked(t, o.Dir, c.blocked...)
			nothingStays(t)
			run, err := trawl.New(job, trawl.Options{
				Dir: t.TempDir(), Serve: &trawl.Cluster{Bind: "127.0.0.1:0"}, Seeds: trawl.ReadSeeds(f.Seeds(), nil), Logger: slog.New(joinHandler{testLogger(t, slog.LevelInfo).Handler(), join}),
			})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- run.Run(ctx) }()
			o.Cluster.Join = []string{<-join}
			n, err := trawl.NewFetcher(o)
			if err == nil {
				err = errors.Join(n.Run(ctx), n.Close())
			}
			if good := c.what == "nothing fails"; good != (err == nil && ctx.Err() == nil) {
				t.Errorf("the fetcher ended with %v", err)
			}
			if err != nil {
				cancel()
			}
			if err := errors.Join(<-ended, run.Close()); err != nil {
				t.Errorf("the scheduler ended with %v", err)
			}
		})
	}
}
