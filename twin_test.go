package trawl_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"trawl"
	"trawl/cluster/trust"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// staying is a cluster in this process whose fetchers stay, as most of its schedulers do.
type staying struct {
	t      *testing.T
	job    trawl.Job
	secret trust.Secret
	lines  *lines
}

func newStaying(t *testing.T) *staying {
	secret, err := trust.ParseSecret(trust.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	job := clusterJob()
	job.Delay = 0
	return &staying{t: t, job: job, secret: secret, lines: &lines{}}
}

// lines keeps what was logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func (l *lines) have(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.text, ""), text)
}

// count is how many lines have the text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(strings.Join(l.text, ""), text)
}

// queue is that of the scheduler whose gossip is at an address.
func (l *lines) queue(at string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range slices.Backward(l.text) {
		if _, rest, ok := strings.Cut(line, " join="+at+" queue="); ok {
			q, _, _ := strings.Cut(rest, " ")
			return q
		}
	}
	return ""
}

func (s *staying) logger() *slog.Logger {
	return slog.New(slog.NewMultiHandler(testLogger(s.t, slog.LevelInfo).Handler(), slog.NewTextHandler(s.lines, nil)))
}

// running is a scheduler or a fetcher that runs.
type running struct {
	crawl   *trawl.Crawl
	fetcher *trawl.Fetcher
	at      string // of a scheduler's gossip
	stop    context.CancelFunc
	ended   chan error
}

// end stops the node and gives back how it ended.
func (r *running) end() error {
	r.stop()
	err := <-r.ended
	r.ended <- err
	return err
}

// scheduler stays after its job is done.
func (s *staying) scheduler(o trawl.Options) *running {
	s.t.Helper()
	o.Stay = true
	return s.ending(o)
}

// ending is a scheduler that ends with its job, unless the options say that it stays.
func (s *staying) ending(o trawl.Options) *running {
	s.t.Helper()
	join := make(chan string, 1)
	if o.Serve == nil {
		o.Serve = &trawl.Cluster{}
	}
	o.Serve.Secret = s.secret
	o.Logger = slog.New(joinHandler{s.logger().Handler(), join})
	if o.Serve.Bind == "" {
		o.Serve.Bind = "127.0.0.1:0"
	}
	c, err := trawl.New(s.job, o)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &running{crawl: c, ended: make(chan error, 1)}
	r.run(s.t, func(ctx context.Context) error { return errors.Join(c.Run(ctx), c.Close()) })
	select {
	case r.at = <-join:
	case err := <-r.ended:
		s.t.Fatalf("the scheduler ended before it could be joined: %v", err)
	}
	return r
}

// done waits for the end of a scheduler's job.
func (r *running) done() trawl.Ending {
	err := <-r.ended
	if r.ended <- err; err != nil {
		return trawl.Ending(err.Error())
	}
	return r.crawl.Ending()
}

func (s *staying) fetcher(name, dir string, join ...string) *running {
	s.t.Helper()
	f, err := trawl.NewFetcher(trawl.FetcherOptions{
		Dir: dir, Name: name, Cluster: trawl.Cluster{Join: join, Bind: "127.0.0.1:0", Secret: s.secret}, Workers: clusterWorkers, Stay: true, Logger: s.logger(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	r := &running{fetcher: f, ended: make(chan error, 1)}
	r.run(s.t, func(ctx context.Context) error { return errors.Join(f.Run(ctx), f.Close()) })
	return r
}

func (r *running) run(t *testing.T, run func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r.stop = stop
	go func() { r.ended <- run(ctx) }()
	t.Cleanup(func() { _ = r.end() })
}

// copyDir copies a directory as cp -r does, but for what is no file.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		rest, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rest), 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rest), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// The original goes on, its copy is refused, and no fetcher ever works for the copy.
func TestASchedulerOfACopiedDirectoryIsRefused(t *testing.T) {
	for name, met := range map[string]struct {
		members bool // the copy knows the fetcher from the file of members
		join    bool // it was told where the original is
	}{
		"which knows the fetchers of its original":  {members: true},
		"which was told whom to join":               {join: true},
		"which a fetcher joins beside its original": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 5})
			s, dir := newStaying(t), t.TempDir()
			bind := freeBind(t)
			first := s.scheduler(trawl.Options{Dir: dir, Serve: &trawl.Cluster{Bind: bind}, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
			worker := s.fetcher("f", filepath.Join(t.TempDir(), "f"), first.at)
			until(t, func() bool { st := first.crawl.Status(); return st.Fetched > 0 && st.Waiting+st.Leased == 0 })
			until(t, func() bool { _, err := os.Stat(filepath.Join(dir, "members")); return err == nil })
			if err := first.end(); err != nil {
				t.Fatal(err)
			}
			twin := copyDir(t, dir)
			again := s.scheduler(trawl.Options{Dir: dir, Serve: &trawl.Cluster{Bind: bind}}) // at the same place, where its predecessor may still be thought to be
			until(t, func() bool { return len(again.crawl.Status().Fetchers) == 1 })

			o := trawl.Options{Dir: twin}
			if !met.members {
				if err := os.Remove(filepath.Join(twin, "members")); err != nil {
					t.Fatal(err)
				}
			}
			if met.join {
				o.Serve = &trawl.Cluster{Join: []string{again.at}}
			}
			second := s.scheduler(o)
			if !met.members && !met.join {
				s.fetcher("g", filepath.Join(t.TempDir(), "g"), second.at, again.at)
			}
			var err error
			until(t, func() bool {
				select {
				case err = <-second.ended:
					second.ended <- err
					return true
				default:
					return false
				}
			})
			if !errors.Is(err, trawl.ErrRefused) || !strings.Contains(err.Error(), again.at) || !strings.Contains(err.Error(), twin) {
				t.Errorf("the copy ended with %v, want a refusal that names both", err)
			}
			select {
			case err := <-again.ended:
				t.Fatalf("the original ended too: %v", err)
			default:
			}
			if met.members || met.join { // it was refused before it told where its queue is
				q := s.lines.queue(second.at)
				if q == "" || s.lines.have("queue="+q+"\n") || s.lines.have("scheduler="+q) {
					t.Errorf("a fetcher left its scheduler for one that works on a copy, whose queue is at %q", q)
				}
			}
			for _, r := range []*running{worker, again} {
				if err := r.end(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The same name given twice, or a copied directory: the second one goes on under another name, and keeps it.
func TestASecondFetcherOfANameTakesAnother(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 4, PagesPerHost: 5})
	s, dir := newStaying(t), t.TempDir()
	scheduler := s.scheduler(trawl.Options{Dir: dir}) // its seeds come when the copy is made: one with files would ship those of the original
	at := filepath.Join(t.TempDir(), "first")
	first := s.fetcher("same", at, scheduler.at)
	until(t, func() bool { return first.fetcher.Status().State == "running" })
	second := s.fetcher("same", filepath.Join(t.TempDir(), "second"), scheduler.at)
	until(t, func() bool { return second.fetcher.Status().State == "running" })
	third := s.fetcher("", copyDir(t, at), scheduler.at)
	until(t, func() bool { return third.fetcher.Status().State == "running" })
	for i, want := range []string{"same", "same-2", "same-3"} {
		if got := []*running{first, second, third}[i].fetcher.Name(); got != want {
			t.Errorf("fetcher %d is called %s, want %s", i+1, got, want)
		}
	}
	if !s.lines.have("another fetcher with this name is at work") {
		t.Error("nothing was said")
	}
	job, err := trawl.OpenDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	if _, err := job.Add(t.Context(), strings.NewReader(strings.Join(f.Seeds(), "\n"))); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { st := scheduler.crawl.Status(); return st.Fetched > 0 && st.Waiting+st.Leased == 0 })
	for _, r := range []*running{first, second, third, scheduler} {
		if err := r.end(); err != nil {
			t.Error(err)
		}
	}
	rows := kept(t, dir)
	compare(t, "the cluster", facts(rows), expected(f, rows))
	verifyRecords(t, dir, rows)
}
