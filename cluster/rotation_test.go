package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl/crawler"
)

// steps are what the nodes of a cluster hold in the course of a rotation.
var steps = [][]Secret{{ourSecret}, {ourSecret, theirSecret}, {theirSecret, ourSecret}, {theirSecret}}

// rotating is a cluster whose nodes have keyrings of their own.
type rotating struct {
	rings   []*Keyring // of the scheduler, then of the fetchers
	nodes   []*node
	broker  *Broker
	s       *Conn
	f       []*Conn
	control *api
	clients []*ControlClient
}

const rotatingFetchers = 3

func startRotating(t *testing.T) *rotating {
	r := &rotating{}
	for range 1 + rotatingFetchers {
		r.rings = append(r.rings, ringOf(ourSecret))
	}
	r.broker, _ = startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: r.rings[0]})
	r.s = connect(t, ConnectOptions{Broker: r.broker, Role: RoleScheduler, AckWait: time.Hour}) // a lost task stays lost
	must(t, r.s.PrepareStreams(t.Context(), 0))
	conf, err := r.rings[0].ServerTLS(RoleScheduler, "s")
	must(t, err)
	r.control = startControl(t, ControlOptions{Listen: "127.0.0.1:0", TLS: conf})
	log := slog.New(slog.DiscardHandler)
	r.nodes = append(r.nodes, startNode(t, MembersOptions{Name: "n0", Keys: r.rings[0], Meta: Meta{Role: RoleScheduler}, Logger: log}))
	for i := 1; i <= rotatingFetchers; i++ {
		r.nodes = append(r.nodes, startNode(t, MembersOptions{
			Name: fmt.Sprint("n", i), Keys: r.rings[i], Join: []string{r.nodes[0].Addr().String()}, Logger: log,
		}))
		r.f = append(r.f, connect(t, ConnectOptions{URL: "nats://" + r.broker.Addr(), Role: RoleFetcher, Keys: r.rings[i], Name: fmt.Sprint("n", i)}))
		conf, err := r.rings[i].ClientTLS(RoleFetcher, "f", r.control.Addr)
		must(t, err)
		r.clients = append(r.clients, clientTo(t, r.control.Addr(), conf))
	}
	return r
}

func (r *rotating) together() bool {
	for _, n := range r.nodes {
		if !n.sees("n0", "n1", "n2", "n3") {
			return false
		}
	}
	return true
}

// traffic is work that goes on while keys change.
type traffic struct {
	mu      sync.Mutex
	offered int
	taken   map[crawler.Host]int
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
			if err := r.s.Offer(ctx, []crawler.Task{queueTask(t, n)}); err != nil {
				w.note(fmt.Errorf("offer: %w", err))
			}
			w.mu.Lock()
			w.offered = n
			w.mu.Unlock()
			for w.count() < n-100 && ctx.Err() == nil {
				Pause(ctx, time.Millisecond)
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
	ending, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for !w.complete() && ending.Err() == nil {
		Pause(ending, 10*time.Millisecond)
	}
	stop()
	wg.Wait()
}

func (w *traffic) fetch(ctx context.Context, f *Conn, c *ControlClient) {
	d, err := f.Next(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.note(fmt.Errorf("next: %w", err))
		return
	}
	w.mu.Lock()
	w.taken[d.Task.Host]++
	n := len(w.taken)
	w.mu.Unlock()
	if _, err := f.Ask(ctx, crawler.Ask{Turn: d.Task.Turn, Holder: crawler.HolderID{1}, Host: d.Task.Host}); err != nil && ctx.Err() == nil {
		w.note(fmt.Errorf("ask: %w", err))
	}
	d.Ack()
	if err := f.Send(ctx, queuePart(1)); err != nil && ctx.Err() == nil {
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
	ctx, cancel := context.WithTimeout(t.Context(), 8*patience)
	defer cancel()
	serveAsks(t, ctx, r.s, askerFunc(func(_ context.Context, ask crawler.Ask) (crawler.Answer, error) {
		return crawler.Answer{Verdict: crawler.Granted, Lease: time.Minute}, nil
	}))
	within(t, "everybody knows everybody", r.together)
	var left sync.Map // who was missed by somebody, for a moment even
	watching, unwatch := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	for i, n := range r.nodes {
		watchers.Go(func() {
			for watching.Err() == nil {
				changed := n.Changed()
				if !n.sees("n0", "n1", "n2", "n3") {
					left.Store(i, true)
				}
				select {
				case <-changed:
				case <-watching.Done():
				}
			}
		})
	}

	w := traffic{taken: make(map[crawler.Host]int)}
	more, enough := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.run(t, r, ctx, more) }()
	for i, secrets := range steps[1:] {
		for j, ring := range r.rings {
			ring = r.rings[(i+j)%len(r.rings)] // not always the scheduler first
			before := w.count()
			must(t, ring.Set(secrets...))
			eventually(t, ctx, "the work goes on", func() bool { return w.count() > before+50 })
		}
		eventually(t, ctx, "everybody knows everybody", r.together)
		eventually(t, ctx, "everybody has logged in with the current secret", func() bool {
			for _, f := range r.f {
				if !f.login.current() || !f.nc.IsConnected() {
					return false
				}
			}
			return true
		})
	}
	enough()
	<-done
	unwatch()
	watchers.Wait()

	for _, err := range w.failed {
		t.Error(err)
	}
	refusedEverywhere(t, r, ringOf(ourSecret))
	for _, f := range r.f {
		w.starved = w.starved || f.login.rushed.Load()
	}
	if t.Logf("%d tasks", w.offered); w.starved {
		t.Log("this machine is too busy to say more: limits of time were hit")
		return
	}
	if len(w.taken) != w.offered {
		t.Errorf("%d tasks of %d came", len(w.taken), w.offered)
	}
	for host, n := range w.taken {
		if n != 1 {
			t.Errorf("the task of %s came %d times", host, n)
		}
	}
	left.Range(func(i, _ any) bool { t.Errorf("member %d missed somebody", i); return true })
	if n := r.s.nc.Reconnects; n != 0 {
		t.Errorf("the scheduler's own connection was made anew %d times", n)
	}
	for i, f := range r.f {
		if n := f.nc.Reconnects; n != 1 {
			t.Errorf("fetcher %d logged in %d times more, once is enough", i+1, n)
		}
	}
}

// refusedEverywhere holds that these keys open nothing any more.
func refusedEverywhere(t *testing.T, r *rotating, keys *Keyring) {
	t.Helper()
	if c, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + r.broker.Addr(), Role: RoleFetcher, Keys: keys}); !errors.Is(err, ErrRefused) {
		t.Errorf("the queue: %v", err)
		if err == nil {
			c.Close()
		}
	}
	conf, err := keys.ClientTLS(RoleFetcher, "late", nil)
	must(t, err)
	if _, err := clientTo(t, r.control.Addr(), conf).Status(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("the control API: %v", err)
	}
	for _, n := range r.nodes {
		m, err := NewMembers(quick(MembersOptions{Keys: keys, Join: []string{n.Addr().String()}}))
		must(t, err)
		if err := m.Run(t.Context()); !errors.Is(err, ErrRefused) {
			t.Errorf("the gossip of %s: %v", n.Name(), err)
		}
	}
}

// understand reports which steps of a rotation understand each other: those one apart.
func understand(i, j int) bool { return i-j <= 1 && j-i <= 1 }

func TestNodesOneStepApartUnderstandEachOther(t *testing.T) {
	for i, there := range steps {
		for j, here := range steps {
			t.Run(fmt.Sprintf("a server at step %d, a client at step %d", i, j), func(t *testing.T) {
				server, err := ringOf(there...).ServerTLS(RoleScheduler, "s")
				must(t, err)
				client, err := ringOf(here...).ClientTLS(RoleFetcher, "f", nil)
				must(t, err)
				serverErr, clientErr := shake(t, server, client)
				if ok := serverErr == nil && clientErr == nil; ok != understand(i, j) {
					t.Errorf("TLS: %v; %v", serverErr, clientErr)
				}
			})
		}
	}
}

func TestTheGossipUnderstandsOneStepAndNotTwo(t *testing.T) {
	for i, there := range steps {
		s := startNode(t, MembersOptions{Keys: ringOf(there...), Meta: Meta{Role: RoleScheduler}, Logger: slog.New(slog.DiscardHandler)})
		for j, here := range steps {
			ctx, cancel := context.WithCancel(t.Context())
			o := quick(MembersOptions{Keys: ringOf(here...), Join: []string{s.Addr().String()}, Logger: slog.New(slog.DiscardHandler)})
			m, err := NewMembers(o)
			must(t, err)
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			if understand(i, j) {
				within(t, fmt.Sprintf("step %d joins step %d", j, i), func() bool { return len(m.List()) > 1 })
				cancel()
				must(t, <-done)
			} else if err := <-done; !errors.Is(err, ErrRefused) {
				t.Errorf("step %d joins step %d: %v", j, i, err)
			}
			cancel()
		}
	}
}

// A node that was changed too early: its new secret is not known yet, and it goes on with the old one.
func TestAQueueThatDoesNotKnowTheNewSecretYetIsLoggedInToWithTheOldOne(t *testing.T) {
	there, here := ringOf(ourSecret), ringOf(ourSecret)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := connect(t, ConnectOptions{Broker: b, Role: RoleScheduler})
	must(t, s.PrepareStreams(t.Context(), 0))
	f := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here})
	must(t, here.Set(theirSecret, ourSecret))
	within(t, "it has tried the new one and is back with the old one", func() bool {
		f.login.mu.Lock()
		defer f.login.mu.Unlock()
		return f.login.try == 1 && f.login.refused.IsZero() && f.nc.IsConnected()
	})
	must(t, f.Send(t.Context(), queuePart(1)))
	must(t, there.Set(theirSecret, ourSecret))
	f.login.renew() // what the clock would do a little later
	within(t, "the new one is taken", f.login.current)
	must(t, f.Send(t.Context(), queuePart(2)))
	must(t, there.Set(theirSecret))
	must(t, f.Send(t.Context(), queuePart(3)))
}

// Nobody who was left behind stays in, nor comes back.
func TestWhoKeepsTheOldSecretIsCutAndRefused(t *testing.T) {
	there, here := ringOf(steps[1]...), ringOf(ourSecret)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := connect(t, ConnectOptions{Broker: b, Role: RoleScheduler})
	must(t, s.PrepareStreams(t.Context(), 0))
	stays := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: ringOf(theirSecret, ourSecret)})
	late := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here, Patience: time.Second})
	must(t, late.Send(t.Context(), queuePart(1)))
	must(t, there.Set(theirSecret))
	waiting := make(chan error, 1)
	go func() { _, err := late.Next(t.Context()); waiting <- err }()
	select {
	case err := <-waiting:
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%v", err)
		}
		t.Log(err)
	case <-time.After(patience):
		t.Fatal("it waits for ever")
	}
	<-late.Refused().Done()
	if err := late.Refusal(); !errors.Is(err, ErrRefused) || stays.Refusal() != nil {
		t.Errorf("the one that was left behind: %v; the other: %v", err, stays.Refusal())
	}
	must(t, stays.Send(t.Context(), queuePart(2)))
	if stays.nc.Reconnects != 0 || s.nc.Reconnects != 0 {
		t.Error("a connection whose key stayed was cut")
	}
}

// A connection to the control API that was made with the old secret does not outlive it.
func TestAnOpenControlConnectionEndsWithItsSecret(t *testing.T) {
	there, here := ringOf(steps[1]...), ringOf(ourSecret)
	conf, err := there.ServerTLS(RoleScheduler, "s")
	must(t, err)
	a := startControl(t, ControlOptions{Listen: "127.0.0.1:0", TLS: conf})
	mine, err := here.ClientTLS(RoleFetcher, "f", a.Addr)
	must(t, err)
	c, other := clientTo(t, a.Addr(), mine), clientTo(t, a.Addr(), mine)
	for _, one := range []*ControlClient{c, other} {
		_, err = one.Status(t.Context())
		must(t, err)
	}
	must(t, there.Set(theirSecret))
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("with the old secret: %v", err)
	}
	must(t, here.Set(theirSecret))
	if _, err := other.Status(t.Context()); err != nil {
		t.Errorf("with the new one, on a connection from before: %v", err)
	}
}

func TestTheGossipsKeysFollow(t *testing.T) {
	keys := ringOf(ourSecret)
	m, err := NewMembers(quick(MembersOptions{Keys: keys}))
	must(t, err)
	third := Secret("a third horse battery staple")
	reading, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // as the library does for each packet; the race detector looks on
		for reading.Err() == nil {
			for _, k := range m.ring.GetKeys() {
				_ = k[0]
			}
		}
	})
	for range 50 {
		for _, secrets := range [][]Secret{
			{ourSecret, theirSecret}, {theirSecret, ourSecret}, {theirSecret}, {third, ourSecret, theirSecret},
			{ourSecret, theirSecret}, {theirSecret, third}, {ourSecret},
		} {
			must(t, keys.Set(secrets...))
			must(t, m.takeKeys())
			want, err := keys.GossipKeys()
			must(t, err)
			have := m.ring.GetKeys()
			if len(have) != len(want) || string(have[0]) != string(want[0]) {
				t.Fatalf("%d keys for %d secrets, or another one is current", len(have), len(want))
			}
			for _, k := range want {
				if !among(have, k) {
					t.Fatal("a key is missing")
				}
			}
		}
	}
	stop()
	wg.Wait()
}
