package cluster_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/cluster/listen"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
)

// run runs what has to be stopped by its context, until the test ends.
func run(t *testing.T, what string, ready <-chan struct{}, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(clustertest.Patience):
			t.Errorf("%s does not end", what)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatalf("%s: %v", what, err)
	}
}

func startBroker(t *testing.T, keys *trust.Keyring) *queue.Broker {
	t.Helper()
	b, err := queue.NewBroker(queue.BrokerOptions{
		Listen: "127.0.0.1:0", Keys: keys, StoreDir: t.TempDir(), MaxStore: 256 << 20, Logger: clustertest.Log(t),
	})
	clustertest.Must(t, err)
	run(t, "broker", b.Ready(), b.Run)
	return b
}

// connectedAgain is what a connection to the queue logs when it was lost and made again.
const connectedAgain = "the queue is connected again"

// queueEnd is a connection to the queue with a count of what it says.
type queueEnd struct {
	*queue.Conn
	*saying
}

// saying counts lines of a log by their text.
type saying struct {
	slog.Handler
	mu   sync.Mutex
	said map[string]int
}

func (s *saying) Enabled(context.Context, slog.Level) bool { return true }

func (s *saying) Handle(ctx context.Context, r slog.Record) error {
	s.mu.Lock()
	s.said[r.Message]++
	s.mu.Unlock()
	if !s.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

func (s *saying) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[text]
}

func connect(t *testing.T, o queue.ConnectOptions) *queueEnd {
	t.Helper()
	s := &saying{Handler: clustertest.Log(t).Handler(), said: make(map[string]int)}
	o.Logger = slog.New(s)
	c, err := queue.Connect(t.Context(), o)
	clustertest.Must(t, err)
	t.Cleanup(c.Close)
	return &queueEnd{c, s}
}

func startControl(t *testing.T, conf *tls.Config) *control.Server {
	t.Helper()
	c, err := control.New(control.Options{
		Listen: "127.0.0.1:0", TLS: conf, Logger: clustertest.Log(t),
		Status: func() crawler.Status { return crawler.Status{Job: "j", State: "running"} },
	})
	clustertest.Must(t, err)
	run(t, "control", c.Ready(), c.Run)
	return c
}

func clientTo(t *testing.T, target string, conf *tls.Config) *control.Client {
	c := control.NewClient(target, conf)
	t.Cleanup(c.Close)
	return c
}

// quick makes a gossip fast enough for a test, on this machine alone.
func quick(o gossip.Options) gossip.Options {
	o.Bind = listen.Bind{Host: "127.0.0.1"}
	o.Rejoin = 300 * time.Millisecond
	o.Announce = 20 * time.Millisecond
	o.ProbeInterval = 200 * time.Millisecond
	o.GossipInterval = 20 * time.Millisecond
	if o.Meta.Role == "" {
		o.Meta.Role = cluster.RoleFetcher
	}
	return o
}

func startNode(t *testing.T, o gossip.Options) *gossip.Members {
	t.Helper()
	m, err := gossip.New(quick(o))
	clustertest.Must(t, err)
	run(t, "member", m.Ready(), m.Run)
	return m
}

func sees(m *gossip.Members, names ...string) bool {
	var got []string
	for _, other := range m.List() {
		got = append(got, other.Name)
	}
	return slices.Equal(got, names)
}

// granting answers asks with a function, and notices with a job.
type granting func(ctx context.Context, ask crawler.Ask) (crawler.Answer, error)

func (f granting) Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
	return f(ctx, ask)
}

func (f granting) Notice(context.Context) (crawler.JobNotice, error) {
	return crawler.JobNotice{Job: crawler.NewJob(crawler.Crawl), Life: crawler.Life{7}}, nil
}

// serveAsks answers until the test ends.
func serveAsks(t *testing.T, ctx context.Context, s *queueEnd, h queue.Asker) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- s.ServeAsks(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve asks: %v", err)
		}
	})
}
