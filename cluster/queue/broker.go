package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trawl/cluster"
	"trawl/cluster/listen"
	"trawl/cluster/trust"
)

// Settings of the embedded server.
const (
	// maxPayload is the largest message, in bytes: an answer with two robots.txt files, or a notice with
	// many scope keys. Tasks and parts have smaller limits of their own.
	maxPayload = 8 << 20
	// syncInterval is how often the store is synced: what a power failure may cost. The process may be
	// killed at any time without loss.
	syncInterval = time.Second
	// maxMemory is for streams in memory, of which there are none, and must not be zero.
	maxMemory = 64 << 20
	// startTimeout is how long the server may take to start; 100 GiB of messages fit into it.
	startTimeout = 2 * time.Minute
	// brokerCheck is how often the server is asked whether its store still works.
	brokerCheck = 2 * time.Second
	// livenessInterval: a client that does not answer two pings of this interval is gone, with its
	// requests for tasks.
	livenessInterval = 10 * time.Second
	// queueHello is how long a client may take for its first word after the handshake, and then to log in, in seconds.
	queueHello = 5
)

// BrokerOptions say how the embedded server stores and whom it lets in.
type BrokerOptions struct {
	StoreDir string // the server's own directory; made when it is missing
	Listen   string // HOST:PORT, port 0 for any free one; "" = in process only

	// Keys let fetchers in, over TLS, and are followed while the server runs. The scheduler is in this process and has
	// a key of its own, which nobody else knows. nil = plain text on loopback, where everybody who connects may do
	// everything, which is for one machine.
	Keys *trust.Keyring

	Namespace string       // "" = DefaultNamespace
	MaxStore  int64        // bytes on disk; 0 = DefaultMaxStore
	Logger    *slog.Logger // nil = none

	outside string // tests: the public key of a scheduler in another process
}

func (o *BrokerOptions) validate() error {
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	check(o.StoreDir != "", "queue: no store directory")
	check(o.MaxStore >= 0, "queue: store of %d bytes", o.MaxStore)
	if o.Listen != "" {
		host, _, err := splitListen(o.Listen)
		check(err == nil, "queue: listen on %q: %v", o.Listen, err)
		ip := net.ParseIP(host)
		local := host == "localhost" || ip != nil && ip.IsLoopback()
		check(!o.Keys.IsZero() || local, "queue: listening on %q needs a secret", o.Listen)
	}
	return errors.Join(problems...)
}

// splitListen reads HOST:PORT; port 0 becomes the server's word for any free port.
func splitListen(listen string) (string, int, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, err
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// Broker is the embedded server of the queues. It runs inside the scheduler.
type Broker struct {
	o      BrokerOptions
	log    *slog.Logger
	ready  chan struct{}
	server atomic.Pointer[server.Server] // set before ready is closed
	relay  *relay                        // with keys; set before ready is closed

	refused *listen.Tally // those whom the server itself did not let in or let do something

	tls       *tls.Config // nil without keys; the same at each change of them
	scheduler []byte      // seed of the scheduler's key; nil without keys
}

// NewBroker checks the options. Nothing is opened before Run.
func NewBroker(o BrokerOptions) (*Broker, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.MaxStore == 0 {
		o.MaxStore = DefaultMaxStore
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	b := &Broker{
		o: o, log: o.Logger, ready: make(chan struct{}),
		refused: listen.NewTally(o.Logger, "queue: refused what a member may not do"),
	}
	if !o.Keys.IsZero() {
		if err := b.secure(); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	return b, nil
}

// Ready is closed when clients can connect. It stays open when Run fails before.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Refusals counts connections that were not let in, and what members asked for that they may not.
func (b *Broker) Refusals() int64 {
	n := b.refused.Count()
	if b.server.Load() != nil && b.relay != nil {
		n += b.relay.refused.Count() + b.relay.limiter.Evicted()
	}
	return n
}

// Addr is where the broker listens, with the current port; "" before Ready and in process only.
func (b *Broker) Addr() string {
	if b.server.Load() != nil && b.relay != nil {
		return b.relay.listener.Addr().String()
	}
	if s := b.server.Load(); s != nil && b.o.Listen != "" && s.Addr() != nil {
		return s.Addr().String()
	}
	return ""
}

// InProcessConn connects inside the process; [Connect] uses it.
func (b *Broker) InProcessConn() (net.Conn, error) {
	s := b.server.Load()
	if s == nil {
		return nil, ErrUnreachable
	}
	return s.InProcessConn()
}

// Run serves until ctx ends, and then returns nil; it is called once. It fails when the server cannot
// start, or when its store stops working (a full disk, say).
func (b *Broker) Run(ctx context.Context) error {
	if err := openStore(b.o.StoreDir, b.log); err != nil {
		return fmt.Errorf("queue store: %w", err)
	}
	changed := b.o.Keys.Changed() // before they are first looked at
	if b.tls != nil && b.o.Listen != "" {
		var err error
		if b.relay, err = listenRelay(b.o.Listen, b.tls, b.InProcessConn, b.log); err != nil {
			return fmt.Errorf("start queue: %w", err)
		}
		defer b.relay.listener.Close()
		if names := newNames(b.o.Namespace); b.o.outside == "" {
			b.relay.inbox = names.inbox(cluster.RoleFetcher)
		}
	}
	s, err := b.start()
	if errors.Is(err, errStore) {
		b.log.Warn("the queue's store could not be opened and starts empty", "dir", b.o.StoreDir, "error", err)
		if err := setAside(storePath(b.o.StoreDir)); err != nil {
			return fmt.Errorf("queue store: %w", err)
		}
		s, err = b.start()
	}
	if err != nil {
		return fmt.Errorf("start queue: %w", err)
	}
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
		b.refused.Flush()
	}()
	if err := dropBroken(s, b.o.StoreDir, b.log); err != nil {
		return fmt.Errorf("queue store: %w", err)
	}
	b.server.Store(s)
	if b.relay != nil {
		serving, cut := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() { b.relay.run(serving) })
		defer func() { cut(); wg.Wait() }()
	}
	close(b.ready)

	check := time.NewTicker(brokerCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			changed = b.o.Keys.Changed()
			if err := b.takeKeys(s); err != nil {
				return err
			}
		case <-check.C:
			if !s.JetStreamEnabled() {
				return fmt.Errorf("the queue's store in %s stopped working: is the disk full?", b.o.StoreDir)
			}
		}
	}
}

// errStore: the server cannot work with what is in its store.
var errStore = errors.New("store not usable")

// start starts a server, or says why it does not; [errStore] is one of the reasons.
func (b *Broker) start() (*server.Server, error) {
	o, err := b.serverOptions()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	logger := &brokerLog{log: b.log, refused: b.refused}
	s.SetLoggerV2(logger, false, false, false)
	s.Start()
	err = logger.fatal()
	if err == nil && !s.ReadyForConnections(startTimeout) {
		err = fmt.Errorf("not ready after %v", startTimeout)
	}
	if err == nil && !s.JetStreamEnabled() {
		err = errStore
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return s, nil
}

func (b *Broker) serverOptions() (*server.Options, error) {
	o := &server.Options{
		ServerName: "trawl", NoSigs: true, DontListen: b.o.Listen == "" || b.tls != nil,
		JetStream: true, StoreDir: b.o.StoreDir, SyncInterval: syncInterval,
		JetStreamMaxMemory: maxMemory, JetStreamMaxStore: b.o.MaxStore,
		MaxPayload: maxPayload, PingInterval: livenessInterval, MaxPingsOut: 2,
	}
	if !o.DontListen {
		o.Host, o.Port, _ = splitListen(b.o.Listen) // checked by validate
	}
	if b.tls == nil {
		return o, nil
	}
	// The relay does the handshake, so without the secret nothing is said. The server has to offer TLS because clients
	// that ask for it otherwise hang up at its greeting.
	o.TLSConfig, o.TLSTimeout, o.AuthTimeout = b.tls, queueHello, queueHello
	var err error
	o.Nkeys, err = b.users()
	return o, err
}

// fetcherRights are the least that a fetcher works with: take tasks and ack them, send parts, ask the
// scheduler, and hear the answers.
func fetcherRights(n names) *server.Permissions {
	return &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			n.pull, "$JS.ACK." + n.tasks + "." + n.fetchers + ".>", n.result, n.ask, n.notice,
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{n.inbox(cluster.RoleFetcher) + ".>"}},
	}
}
