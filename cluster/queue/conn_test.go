package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/queue/wire"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
)

// roleKey is the seed and the public key of a role.
func roleKey(tb testing.TB, s trust.Secret, role cluster.Role) (seed []byte, public string) {
	tb.Helper()
	key, err := s.UserKey(role)
	clustertest.Must(tb, err)
	seed, err = key.Seed()
	clustertest.Must(tb, err)
	public, err = key.PublicKey()
	clustertest.Must(tb, err)
	return seed, public
}

func testSecret(tb testing.TB, text string) trust.Secret {
	tb.Helper()
	s, err := trust.ParseSecret(text)
	clustertest.Must(tb, err)
	return s
}

// startBroker runs a broker; stop ends it and waits for it.
func startBroker(tb testing.TB, o BrokerOptions) (b *Broker, stop func()) {
	tb.Helper()
	if o.StoreDir == "" {
		o.StoreDir = tb.TempDir()
	}
	if o.MaxStore == 0 {
		o.MaxStore = 256 << 20
	}
	o.Logger = clustertest.Log(tb)
	b, err := NewBroker(o)
	clustertest.Must(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("broker: %v", err)
		}
	})
	tb.Cleanup(stop)
	select {
	case <-b.Ready():
	case err := <-done:
		done <- nil
		tb.Fatalf("broker: %v", err)
	}
	return b, stop
}

func newConn(tb testing.TB, o ConnectOptions) *Conn {
	tb.Helper()
	o.Logger = clustertest.Log(tb)
	if o.MaxStore == 0 {
		o.MaxStore = 256 << 20
	}
	c, err := Connect(tb.Context(), o)
	clustertest.Must(tb, err)
	tb.Cleanup(c.Close)
	return c
}

func TestJetStreamKeepsTheContractInProcess(t *testing.T) {
	runContract(t, false, func(t *testing.T, ackWait time.Duration) queueEnds {
		b, _ := startBroker(t, BrokerOptions{})
		s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler, AckWait: ackWait})
		f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
		return queueEnds{s: s, f: [2]fetcherEnd{f, newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})}}
	})
}

func TestJetStreamKeepsTheContractOverTLSWithKeys(t *testing.T) {
	runContract(t, false, func(t *testing.T, ackWait time.Duration) queueEnds {
		q := newSecured(t, "")
		return queueEnds{
			s: q.connect(t, cluster.RoleScheduler, ackWait),
			f: [2]fetcherEnd{q.connect(t, cluster.RoleFetcher, 0), q.connect(t, cluster.RoleFetcher, 0)},
		}
	})
}

// secured is a broker with TLS and keys from one secret.
type secured struct {
	secret trust.Secret
	dir    string
	addr   string
	b      *Broker
	stop   func()
}

func newSecured(tb testing.TB, dir string) *secured {
	q := &secured{secret: testSecret(tb, "a secret that is long enough"), dir: dir, addr: "127.0.0.1:0"}
	if dir == "" {
		q.dir = tb.TempDir()
	}
	q.start(tb)
	return q
}

func (q *secured) start(tb testing.TB) {
	tb.Helper()
	_, scheduler := roleKey(tb, q.secret, cluster.RoleScheduler)
	q.b, q.stop = startBroker(tb, BrokerOptions{StoreDir: q.dir, Listen: q.addr, Keys: trusttest.Ring(q.secret), outside: scheduler})
	q.addr = q.b.Addr()
}

func (q *secured) options(tb testing.TB, secret trust.Secret, role cluster.Role) ConnectOptions {
	tb.Helper()
	conf, err := trusttest.Ring(secret).ClientTLS(role, "node", nil)
	clustertest.Must(tb, err)
	seed, _ := roleKey(tb, secret, role)
	return ConnectOptions{URL: "nats://" + q.addr, TLS: conf, Role: role, Seed: seed, Logger: clustertest.Log(tb)}
}

func (q *secured) connect(tb testing.TB, role cluster.Role, ackWait time.Duration) *Conn {
	tb.Helper()
	o := q.options(tb, q.secret, role)
	o.AckWait = ackWait
	return newConn(tb, o)
}

func TestAFetcherMayDoNoMoreThanItsWork(t *testing.T) {
	q := newSecured(t, "")
	s := q.connect(t, cluster.RoleScheduler, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	offer(t, ctx, s, 1, 1)
	for name, try := range map[string]func(f *Conn) error{
		"offer a task":    func(f *Conn) error { return f.Offer(ctx, []crawler.Task{clustertest.Task(t, 9)}) },
		"read results":    func(f *Conn) error { _, err := f.Read(ctx, 0, 1); return err },
		"make streams":    func(f *Conn) error { return f.PrepareStreams(ctx, 0) },
		"look at the log": func(f *Conn) error { _, err := f.Last(ctx); return err },
		"purge results":   func(f *Conn) error { return f.Purge(ctx, 1) },
		"answer asks":     func(f *Conn) error { return f.ServeAsks(ctx, askerFunc(nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := q.connect(t, cluster.RoleFetcher, 0)
			began := time.Now()
			if err := try(f); !errors.Is(err, cluster.ErrRefused) {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > AskTimeout {
				t.Errorf("the refusal came after %v", took)
			}
			clustertest.Must(t, f.Send(ctx, clustertest.Part(1))) // its own work still continues
		})
	}
	n, ack := next(t, ctx, q.connect(t, cluster.RoleFetcher, 0))
	if ack(); n != 1 {
		t.Errorf("task %d came", n)
	}
}

// TestWhatAFetcherMayNotTouch speaks the protocol below [Conn], as a fetcher that was taken over would.
func TestWhatAFetcherMayNotTouch(t *testing.T) {
	q := newSecured(t, "")
	clustertest.Must(t, q.connect(t, cluster.RoleScheduler, 0).PrepareStreams(t.Context(), 0))
	for name, try := range map[string]func(nc *nats.Conn) error{
		"hear the asks of others":     func(nc *nats.Conn) error { _, err := nc.SubscribeSync("trawl.ask"); return err },
		"hear the answers of others":  func(nc *nats.Conn) error { _, err := nc.SubscribeSync("_INBOX.trawl.scheduler.>"); return err },
		"hear everything":             func(nc *nats.Conn) error { _, err := nc.SubscribeSync(">"); return err },
		"hear the parts of others":    func(nc *nats.Conn) error { _, err := nc.SubscribeSync("trawl.result"); return err },
		"answer in a scheduler's way": func(nc *nats.Conn) error { return nc.Publish("_INBOX.trawl.fetcher.x", nil) },
		"read a part by its number":   func(nc *nats.Conn) error { return nc.Publish("$JS.API.STREAM.MSG.GET.trawl_results", nil) },
		"delete the queue":            func(nc *nats.Conn) error { return nc.Publish("$JS.API.STREAM.DELETE.trawl_tasks", nil) },
		"delete the consumer":         func(nc *nats.Conn) error { return nc.Publish("$JS.API.CONSUMER.DELETE.trawl_tasks.fetchers", nil) },
		"make a consumer":             func(nc *nats.Conn) error { return nc.Publish("$JS.API.CONSUMER.CREATE.trawl_results", nil) },
		"look around":                 func(nc *nats.Conn) error { return nc.Publish("$JS.API.INFO", nil) },
		"ask the server":              func(nc *nats.Conn) error { return nc.Publish("$SYS.REQ.SERVER.PING", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			c := q.connect(t, cluster.RoleFetcher, 0)
			refused := make(chan error, 1)
			c.nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				select {
				case refused <- err:
				default:
				}
			})
			clustertest.Must(t, try(c.nc))
			clustertest.Must(t, c.nc.Flush())
			select {
			case err := <-refused:
				if !errors.Is(err, nats.ErrPermissionViolation) {
					t.Error(err)
				}
			case <-time.After(5 * time.Second):
				t.Error("it was let through")
			}
		})
	}
}

func TestConnectingTellsRefusedFromNotReachable(t *testing.T) {
	q := newSecured(t, "")
	other := testSecret(t, "another secret, long enough too")
	seed, _ := roleKey(t, other, cluster.RoleFetcher)
	plain := q.options(t, q.secret, cluster.RoleFetcher)
	plain.TLS, plain.Timeout = nil, 500*time.Millisecond
	keyless := q.options(t, q.secret, cluster.RoleFetcher)
	keyless.Seed = nil
	wrongKey := q.options(t, q.secret, cluster.RoleFetcher)
	wrongKey.Seed = seed
	noCert := q.options(t, q.secret, cluster.RoleFetcher)
	noCert.TLS = &tls.Config{InsecureSkipVerify: true}
	nobody := q.options(t, q.secret, cluster.RoleFetcher)
	nobody.URL = "nats://" + freeAddress(t)

	for name, c := range map[string]struct {
		o    ConnectOptions
		want error
	}{
		"another secret":                        {q.options(t, other, cluster.RoleFetcher), cluster.ErrRefused},
		"the right certificate, another key":    {wrongKey, cluster.ErrRefused},
		"the right certificate, no key":         {keyless, cluster.ErrRefused},
		"no certificate":                        {noCert, cluster.ErrRefused},
		"no TLS, to where TLS is spoken":        {plain, ErrUnreachable},
		"an address where nobody listens":       {nobody, ErrUnreachable},
		"an address where nobody says anything": {ConnectOptions{URL: "nats://" + silent(t), Role: cluster.RoleFetcher, Timeout: 500 * time.Millisecond}, ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := Connect(t.Context(), c.o)
			if err == nil {
				conn.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}

// freeAddress is one where nobody listens, as far as can be told.
func freeAddress(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	clustertest.Must(tb, err)
	defer l.Close()
	return l.Addr().String()
}

// silent is the address of a listener that says nothing.
func silent(tb testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	clustertest.Must(tb, err)
	tb.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestQueuesOutliveTheBroker(t *testing.T) {
	q := newSecured(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, f := q.connect(t, cluster.RoleScheduler, 0), q.connect(t, cluster.RoleFetcher, 0)
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	offer(t, ctx, s, 1, 2)
	n, ack := next(t, ctx, f)
	ack()
	for i := 1; i <= 3; i++ {
		clustertest.Must(t, f.Send(ctx, clustertest.Part(i)))
	}
	_, last := readAll(t, ctx, s, 0, 3, 10)

	q.stop()
	sent, read := make(chan error, 1), make(chan error, 1)
	go func() { sent <- f.Send(ctx, clustertest.Part(4)) }() // while nobody is there
	go func() {
		parts, err := s.Read(ctx, last, 10)
		if err == nil && (len(parts) == 0 || parts[0].Part.Number != 4) {
			err = fmt.Errorf("read %+v", parts)
		}
		read <- err
	}()
	if _, err := f.Ask(ctx, crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: "a.example"}); err == nil {
		t.Error("a broker that is gone answers")
	}
	q.start(t)
	clustertest.Must(t, <-sent)
	clustertest.Must(t, <-read)

	if numbers, _ := readAll(t, ctx, s, 0, 4, 10); fmt.Sprint(numbers[:4]) != "[1 2 3 4]" {
		t.Errorf("the log is %v", numbers)
	}
	offer(t, ctx, s, 3, 3)
	got := map[int]bool{n: true}
	for range 2 {
		n, ack := next(t, ctx, f)
		ack()
		if got[n] {
			t.Errorf("task %d came after its ack", n)
		}
		got[n] = true
	}
	serveAsks(t, ctx, s, askerFunc(nil))
	clustertest.Eventually(t, ctx, "a notice", func() bool { _, err := f.Notice(ctx); return err == nil })
}

func TestABrokerThatComesBackWithAnotherSecretRefuses(t *testing.T) {
	b, stop := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: trusttest.Ring(trusttest.OurSecret)})
	f := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: trusttest.Ring(trusttest.OurSecret), Patience: time.Second})
	waiting := make(chan error, 1)
	go func() {
		_, err := f.Next(t.Context())
		waiting <- err
	}()
	addr := b.Addr()
	stop()
	startBroker(t, BrokerOptions{Listen: addr, Keys: trusttest.Ring(trusttest.TheirSecret)})
	select {
	case err := <-waiting:
		if !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for ever")
	}
	if err := f.Send(t.Context(), clustertest.Part(1)); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestTurnsAreSharedEvenly(t *testing.T) {
	const fetchers, slots, turns = 3, 200, 96
	b, _ := startBroker(t, BrokerOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	var wg sync.WaitGroup
	taken := make(chan int, turns)
	wait, stop := context.WithCancel(ctx)
	for i := range fetchers {
		f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
		for range slots {
			wg.Go(func() {
				for {
					d, err := f.Next(wait)
					if err != nil {
						return
					}
					d.Ack()
					taken <- i
				}
			})
		}
		// Whoever has asked first must not get everything: its callers all wait before the next one comes.
		clustertest.Eventually(t, ctx, "a full window", func() bool { return len(f.pulls) == PullWindow })
	}
	count := make([]int, fetchers)
	for n := 1; n <= turns; n++ {
		offer(t, ctx, s, n, n)
		count[<-taken]++
	}
	stop()
	wg.Wait()
	for i, n := range count {
		if n < turns/fetchers-PullWindow || n > turns/fetchers+PullWindow {
			t.Errorf("fetcher %d got %d of %d turns: %v", i, n, turns, count)
		}
	}
	t.Log(count)
}

func TestWhatCannotBeReadIsPassedOver(t *testing.T) {
	b, _ := startBroker(t, BrokerOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	for _, subject := range []string{s.names.result, s.names.task} {
		if _, err := s.js.Publish(ctx, subject, []byte("nonsense")); err != nil {
			t.Fatal(err)
		}
	}
	clustertest.Must(t, f.Send(ctx, clustertest.Part(1)))
	parts, err := s.Read(ctx, 0, 10)
	clustertest.Must(t, err)
	if parts[0].Err == nil || parts[0].Position != 1 {
		t.Errorf("nonsense is read as %+v", parts[0])
	}
	readAll(t, ctx, s, 1, 1, 1)
	offer(t, ctx, s, 1, 1)
	next(t, ctx, f)
	clustertest.Eventually(t, ctx, "only the turn is queued, and nonsense is not any more", func() bool { // the word that it is dropped has no answer
		info, err := s.js.Stream(ctx, s.names.tasks)
		return err == nil && info.CachedInfo().State.Msgs == 1
	})
}

func TestAFullQueueTakesMoreWhenSomethingWasTakenOut(t *testing.T) {
	const store = 16 << 20
	b, _ := startBroker(t, BrokerOptions{MaxStore: store})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler, MaxStore: store})
	f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
	clustertest.Must(t, s.PrepareStreams(ctx, 0))

	large := clustertest.Task(t, 1)
	large.URLs[0].Name = strings.Repeat("x", 200<<10)
	var err error
	for range 20 {
		if err = s.Offer(ctx, []crawler.Task{large}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("4 MB of tasks in a queue of 2: %v", err)
	}
	d, err := f.Next(ctx)
	clustertest.Must(t, err)
	d.Ack()
	clustertest.Eventually(t, ctx, "room for a task", func() bool { return s.Offer(ctx, []crawler.Task{large}) == nil })

	part := clustertest.Part(1)
	part.State.Robots = []crawler.RobotsFile{{Scheme: "http", Body: make([]byte, 500<<10)}}
	data, err := wire.EncodePart(part)
	clustertest.Must(t, err)
	n := 0
	for ; n < 20 && f.store(ctx, data) == nil; n++ {
	}
	if n < 10 || n == 20 {
		t.Fatalf("a log of 8 MB took %d parts of 500 KB", n)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- f.Send(ctx, part) }()
	_, err = s.Read(ctx, 0, 1)
	clustertest.Must(t, err)
	clustertest.Must(t, s.Purge(ctx, 2))
	clustertest.Must(t, <-waiting)
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	t.Run("a crawl's life", func(t *testing.T) {
		q := newSecured(t, dir)
		s, f := q.connect(t, cluster.RoleScheduler, 0), q.connect(t, cluster.RoleFetcher, 0)
		clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
		serveAsks(t, t.Context(), s, askerFunc(nil))
		offer(t, t.Context(), s, 1, 1)
		next(t, t.Context(), f)
		clustertest.Must(t, f.Send(t.Context(), clustertest.Part(1)))
		readAll(t, t.Context(), s, 0, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error, 1)
		go func() { _, err := f.Next(ctx); waiting <- err }()
		clustertest.Eventually(t, t.Context(), "a request", func() bool { return len(f.pulls) == 1 })
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		f.Close()
		if _, err := f.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	})
	goleak.VerifyNone(t, before)
}
