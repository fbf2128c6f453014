package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// rotating is a cluster whose nodes have keyrings of their own.
type rotating struct {
	rings   []*trust.Keyring // of the scheduler, then of the fetchers
	nodes   []*gossip.Members
	broker  *queue.Broker
	s       *queueEnd
	f       []*drained
	control *control.Server
	clients []*control.Client
}

const rotatingFetchers = 3

func startRotating(t *testing.T) *rotating {
	r := &rotating{}
	for range 1 + rotatingFetchers {
		r.rings = append(r.rings, trusttest.Ring(trusttest.OurSecret))
	}
	r.broker = startBroker(t, r.rings[0])
	r.s = connect(t, queue.ConnectOptions{Broker: r.broker, Role: cluster.RoleScheduler, AckWait: 2 * time.Second})
	clustertest.Must(t, r.s.PrepareStreams(t.Context(), 0))
	conf, err := r.rings[0].ServerTLS(cluster.RoleScheduler, "s")
	clustertest.Must(t, err)
	r.control = startControl(t, conf)
	log := slog.New(slog.DiscardHandler)
	r.nodes = append(r.nodes, startNode(t, gossip.Options{Name: "n0", Keys: r.rings[0], Meta: gossip.Meta{Role: cluster.RoleScheduler}, Logger: log}))
	for i := 1; i <= rotatingFetchers; i++ {
		r.nodes = append(r.nodes, startNode(t, gossip.Options{
			Name: fmt.Sprint("n", i), Keys: r.rings[i], Join: []string{r.nodes[0].Addr().String()}, Logger: log,
		}))
		f := &drained{connect: func() *queueEnd {
			return connect(t, queue.ConnectOptions{URL: "nats://" + r.broker.Addr(), Role: cluster.RoleFetcher, Keys: r.rings[i], Name: fmt.Sprint("n", i)})
		}}
		f.restart()
		r.f = append(r.f, f)
		conf, err := r.rings[i].ClientTLS(cluster.RoleFetcher, "f", r.control.Addr)
		clustertest.Must(t, err)
		r.clients = append(r.clients, clientTo(t, r.control.Addr(), conf))
	}
	return r
}

// drained is a fetcher's connection that is closed when nothing is under way on it, and made again.
type drained struct {
	connect func() *queueEnd

	working sync.RWMutex // held for reading by what is under way
	end     *queueEnd

	mu   sync.Mutex
	more context.Context // ends when the fetcher is to drain
	stop context.CancelFunc
}

// restart takes no more tasks, waits for those that are under way, and connects with the keys as they are now.
func (d *drained) restart() {
	d.mu.Lock()
	if d.stop != nil {
		d.stop()
	}
	d.mu.Unlock()
	d.working.Lock()
	defer d.working.Unlock()
	if d.end != nil {
		d.end.Close()
	}
	d.end = d.connect()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.more, d.stop = context.WithCancel(context.Background())
}

// take waits for a task, unless the fetcher is to drain.
func (d *drained) take(ctx context.Context) (crawler.Delivery, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	more := d.more
	d.mu.Unlock()
	defer context.AfterFunc(more, cancel)()
	task, err := d.end.Next(ctx)
	if err != nil && more.Err() != nil {
		return task, errDraining
	}
	return task, err
}

var errDraining = errors.New("the fetcher is being started again")

func (r *rotating) together() bool {
	for _, n := range r.nodes {
		if !sees(n, "n0", "n1", "n2", "n3") {
			return false
		}
	}
	return true
}

// traffic is work that continues while keys change.
type traffic struct {
	mu      sync.Mutex
	offered int
	taken   map[weburl.Host]int
	parts   int
	failed  []error
	starved bool // this machine is too busy for what has a time limit
}

// note takes an error. One that only says that time has run out tells about the machine.
func (w *traffic) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "no answer within") {
		w.starved = true
		return
	}
	w.failed = append(w.failed, err)
}

func (w *traffic) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.taken) >= w.offered && w.parts >= w.offered
}

func (w *traffic) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts
}

// run offers and fetches until more ends, and then until everything that was offered has come.
func (w *traffic) run(t *testing.T, r *rotating, ctx, more context.Context) {
	var wg sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	wg.Go(func() {
		for n := 1; more.Err() == nil && ctx.Err() == nil; n++ {
			if err := r.s.Offer(ctx, []crawler.Task{clustertest.Task(t, n)}); err != nil {
				w.note(fmt.Errorf("offer: %w", err))
			}
			w.mu.Lock()
			w.offered = n
			w.mu.Unlock()
			for w.count() < n-100 && ctx.Err() == nil {
				cluster.Pause(ctx, time.Millisecond)
			}
		}
	})
	for i, f := range r.f {
		for range 4 {
			wg.Go(func() {
				for working.Err() == nil {
					w.fetch(working, f, r.clients[i])
				}
			})
		}
	}
	<-more.Done()
	ending, cancel := context.WithTimeout(ctx, 2*clustertest.Patience)
	defer cancel()
	for !w.complete() && ending.Err() == nil {
		cluster.Pause(ending, 10*time.Millisecond)
	}
	stop()
	wg.Wait()
}

func (w *traffic) fetch(ctx context.Context, d *drained, c *control.Client) {
	d.working.RLock()
	defer d.working.RUnlock()
	f := d.end
	task, err := d.take(ctx)
	if ctx.Err() != nil || errors.Is(err, errDraining) {
		return
	}
	if err != nil {
		w.note(fmt.Errorf("next: %w", err))
		return
	}
	w.mu.Lock()
	w.taken[task.Task.Host]++
	n := len(w.taken)
	w.mu.Unlock()
	if _, err := f.Ask(ctx, crawler.Ask{Turn: task.Task.Turn, Holder: crawler.HolderID{1}, Host: task.Task.Host}); err != nil && ctx.Err() == nil {
		w.note(fmt.Errorf("ask: %w", err))
	}
	task.Ack()
	if err := f.Send(ctx, clustertest.Part(1)); err != nil && ctx.Err() == nil {
		w.note(fmt.Errorf("send: %w", err))
	}
	if n%20 == 0 {
		if _, err := c.Status(ctx); err != nil && ctx.Err() == nil {
			w.note(fmt.Errorf("status: %w", err))
		}
	}
	w.mu.Lock()
	w.parts++
	w.mu.Unlock()
}

func TestARotationUnderTrafficLosesNothingAndNobody(t *testing.T) {
	r := startRotating(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*clustertest.Patience)
	defer cancel()
	serveAsks(t, ctx, r.s, granting(func(_ context.Context, ask crawler.Ask) (crawler.Answer, error) {
		return crawler.Answer{Verdict: crawler.Granted, Lease: time.Minute}, nil
	}))
	clustertest.Within(t, "everybody knows everybody", r.together)
	var left sync.Map // who was missed by somebody, for a moment even
	watching, unwatch := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	for i, n := range r.nodes {
		watchers.Go(func() {
			for watching.Err() == nil {
				changed := n.Changed()
				if !sees(n, "n0", "n1", "n2", "n3") {
					left.Store(i, true)
				}
				select {
				case <-changed:
				case <-watching.Done():
				}
			}
		})
	}

	w := traffic{taken: make(map[weburl.Host]int)}
	more, enough := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.run(t, r, ctx, more) }()
	for i, secrets := range trusttest.Steps()[1:] {
		for j, ring := range r.rings {
			ring = r.rings[(i+j)%len(r.rings)] // not always the scheduler first
			before := w.count()
			clustertest.Must(t, ring.Set(secrets...))
			clustertest.Eventually(t, ctx, "the work continues", func() bool { return w.count() > before+50 })
		}
		clustertest.Eventually(t, ctx, "everybody knows everybody", r.together)
		if i != 1 { // the current secret changes in the second step, and fetchers are started again then
			continue
		}
		for _, f := range r.f {
			before := w.count()
			f.restart()
			clustertest.Eventually(t, ctx, "the work continues", func() bool { return w.count() > before+50 })
		}
	}
	enough()
	<-done
	unwatch()
	watchers.Wait()

	for _, err := range w.failed {
		t.Error(err)
	}
	refusedEverywhere(t, r, trusttest.Ring(trusttest.OurSecret))
	if t.Logf("%d tasks", w.offered); w.starved {
		t.Log("this machine is too busy to say more: limits of time were hit")
		return
	}
	if len(w.taken) != w.offered {
		t.Errorf("%d tasks of %d came", len(w.taken), w.offered)
	}
	repeated := 0
	for _, n := range w.taken {
		repeated += n - 1
	}
	if repeated > rotatingFetchers*queue.PullWindow { // those that were on their way to a connection that was closed
		t.Errorf("%d tasks came more than once", repeated)
	}
	left.Range(func(i, _ any) bool { t.Errorf("member %d missed somebody", i); return true })
	if n := r.s.count(connectedAgain); n != 0 {
		t.Errorf("the scheduler's own connection was made anew %d times", n)
	}
	for i, f := range r.f {
		if n := f.end.count(connectedAgain); n != 0 {
			t.Errorf("the connection of fetcher %d was lost %d times", i+1, n)
		}
	}
}

// refusedEverywhere holds that these keys open nothing any more.
func refusedEverywhere(t *testing.T, r *rotating, keys *trust.Keyring) {
	t.Helper()
	if c, err := queue.Connect(t.Context(), queue.ConnectOptions{URL: "nats://" + r.broker.Addr(), Role: cluster.RoleFetcher, Keys: keys}); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("the queue: %v", err)
		if err == nil {
			c.Close()
		}
	}
	conf, err := keys.ClientTLS(cluster.RoleFetcher, "late", nil)
	clustertest.Must(t, err)
	if _, err := clientTo(t, r.control.Addr(), conf).Status(t.Context()); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("the control API: %v", err)
	}
	for _, n := range r.nodes {
		m, err := gossip.New(quick(gossip.Options{Keys: keys, Join: []string{n.Addr().String()}}))
		clustertest.Must(t, err)
		if err := m.Run(t.Context()); !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("the gossip of %s: %v", n.Name(), err)
		}
	}
}
