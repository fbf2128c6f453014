package queue

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"trawl/cluster"
	"trawl/cluster/trust"
)

// DefaultConnectTimeout is how long one try to connect may take.
const DefaultConnectTimeout = 5 * time.Second

// Times of a connection.
const (
	apiTimeout     = 5 * time.Second // of a question to the server whose caller set none
	reconnectWait  = 250 * time.Millisecond
	retryWait      = 250 * time.Millisecond // before what failed for a passing reason is tried again
	publishTimeout = 3 * time.Second        // of one try to store a part
	offerTimeout   = 10 * time.Second       // of one task of an offer
	offerWindow    = 256                    // tasks published and not yet stored
	closeTimeout   = time.Second            // to hand over acks that are still in the buffer
)

// ConnectOptions say where the queues are and as whom to connect.
type ConnectOptions struct {
	Broker  *Broker // in this process; else URL
	URL     string  // nats://HOST:PORT, several with commas
	Foreign bool    // URL names a NATS server that is not a [Broker]
	// Address is where the broker listens now, looked up at each try to connect: a scheduler may come back elsewhere.
	// nil or "" = where URL says. Not for a foreign server.
	Address func() string

	// Keys let this node in at a [Broker]: over TLS, with the role's key of the secret that is the current one when
	// [Connect] is called. A node that is to log in with another secret connects again. Not for a foreign server, and
	// not together with TLS and Seed.
	Keys *trust.Keyring
	// Patience is how long a node keeps trying a broker that refuses it after it had let it in; 0 = DefaultPatience.
	Patience time.Duration

	TLS  *tls.Config  // nil = plain text
	Role cluster.Role // RoleScheduler or RoleFetcher
	Seed []byte       // nkey seed of the role ("SU…"); nil = none is asked for
	Name string       // of the member, for the server's log

	Namespace string        // "" = DefaultNamespace
	Timeout   time.Duration // to connect; 0 = DefaultConnectTimeout
	Logger    *slog.Logger  // nil = none

	// What PrepareStreams makes, as the scheduler says.
	AckWait  time.Duration // 0 = DefaultAckWait
	MaxStore int64         // as in BrokerOptions; 0 = the Broker's, or DefaultMaxStore
	Replicas int           // copies that foreign servers keep of each stream; 0 = as many as they allow, maxReplicas at most
}

func (o *ConnectOptions) validate() error {
	switch {
	case o.Broker == nil && o.URL == "":
		return errors.New("queue: neither a broker nor an address")
	case o.Role != cluster.RoleScheduler && o.Role != cluster.RoleFetcher:
		return fmt.Errorf("queue: role %q: use %s or %s", o.Role, cluster.RoleScheduler, cluster.RoleFetcher)
	case o.Timeout < 0 || o.AckWait < 0 || o.MaxStore < 0 || o.Replicas < 0:
		return errors.New("queue: a setting is below zero")
	}
	return nil
}

// Conn is a connection to the queues; a fetcher uses Next, Send, Ask and Notice, a scheduler the rest. It
// finds back by itself after the connection was lost, for as long as it takes, unless it is refused then.
// Calls wait for that as long as their context allows. It is safe for concurrent use.
type Conn struct {
	o     ConnectOptions
	log   *slog.Logger
	names names
	nc    *nats.Conn
	js    jetstream.JetStream
	pulls chan struct{} // a token per request for tasks that is under way
	inbox taskInbox

	reading chan struct{} // one token: held by the call that reads
	reader  *resultReader // owned by the holder of the token; nil when there is none

	mu        sync.Mutex
	made      bool               // Connect has succeeded
	calls     map[*call]struct{} // under way
	kept      int                // replicas of the streams that PrepareStreams made
	gone      error              // why there will be no connection again
	refusedAt time.Time          // of the first refusal since the last success

	reconnected     context.Context // ends at the next reconnect
	markReconnected context.CancelFunc
	refused         context.Context // ends when this node is refused for good
	markRefused     context.CancelFunc
}

// call is a call under way, which a refusal ends.
type call struct {
	subjects []string
	cancel   context.CancelCauseFunc
}

// Connect connects, once: an error is [cluster.ErrRefused] or [ErrUnreachable] (or that of ctx), and trying again
// helps with the second only.
func Connect(ctx context.Context, o ConnectOptions) (*Conn, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Namespace = cmp.Or(o.Namespace, DefaultNamespace)
	o.Timeout = cmp.Or(o.Timeout, DefaultConnectTimeout)
	o.Patience = cmp.Or(o.Patience, DefaultPatience)
	o.AckWait = cmp.Or(o.AckWait, DefaultAckWait)
	if o.Broker != nil {
		o.MaxStore = cmp.Or(o.MaxStore, o.Broker.o.MaxStore)
	}
	o.MaxStore = cmp.Or(o.MaxStore, DefaultMaxStore)
	c := &Conn{
		o: o, log: o.Logger, names: newNames(o.Namespace), calls: make(map[*call]struct{}),
		pulls: make(chan struct{}, PullWindow), reading: make(chan struct{}, 1),
	}
	c.reconnected, c.markReconnected = context.WithCancel(context.Background())
	c.refused, c.markRefused = context.WithCancel(context.Background())
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	if o.Broker != nil {
		select {
		case <-o.Broker.Ready():
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to the queue: %w", context.Cause(ctx))
		}
	}
	if err := c.connect(ctx, opts); err != nil {
		return nil, err
	}
	return c, nil
}

// connect dials while ctx lasts; nats.go knows no contexts here.
func (c *Conn) connect(ctx context.Context, opts []nats.Option) error {
	type dialed struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan dialed, 1)
	go func() {
		nc, err := nats.Connect(c.o.URL, opts...)
		done <- dialed{nc, err}
	}()
	var d dialed
	select {
	case d = <-done:
	case <-ctx.Done():
		go func() { // bounded by Timeout
			if d := <-done; d.nc != nil {
				d.nc.Close()
			}
		}()
		return fmt.Errorf("connect to the queue: %w", context.Cause(ctx))
	}
	if d.err != nil {
		return fmt.Errorf("connect to the queue: %w", c.sort(d.err))
	}
	js, err := jetstream.New(d.nc, jetstream.WithPublishAsyncMaxPending(offerWindow),
		jetstream.WithPublishAsyncTimeout(offerTimeout), jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		d.nc.Close()
		return fmt.Errorf("connect to the queue: %w", err)
	}
	c.mu.Lock()
	c.nc, c.js, c.made = d.nc, js, true
	c.mu.Unlock()
	return nil
}

func (c *Conn) options() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(c.o.Name), nats.CustomInboxPrefix(c.names.inbox(c.o.Role)), nats.Timeout(c.o.Timeout),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.PingInterval(livenessInterval), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.onError(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.onDisconnect(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { c.onReconnect() }),
		nats.ClosedHandler(func(nc *nats.Conn) { c.onClosed(nc.LastError()) }),
	}
	if c.o.Broker != nil || c.o.Foreign {
		c.o.Keys = nil
	}
	if !c.o.Keys.IsZero() {
		seed, err := c.o.Keys.QueueSeed(c.o.Role)
		if err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
		c.o.Seed = seed
		opts = append(opts, nats.IgnoreAuthErrorAbort()) // that nats.go gives up after two refusals: see refuse
	}
	if c.o.Address != nil || !c.o.Keys.IsZero() {
		opts = append(opts, nats.SetCustomDialer(dialer{c}))
	}
	if c.o.Broker != nil {
		opts = append(opts, nats.InProcessServer(c.o.Broker))
	} else if c.o.TLS != nil {
		opts = append(opts, nats.Secure(c.o.TLS))
		if !c.o.Foreign {
			opts = append(opts, nats.TLSHandshakeFirst())
		}
	}
	if c.o.Broker != nil && c.o.Role == cluster.RoleScheduler && c.o.Seed == nil {
		c.o.Seed = c.o.Broker.scheduler
	}
	if c.o.Seed != nil {
		key, err := nkeys.FromSeed(c.o.Seed)
		if err != nil {
			return nil, fmt.Errorf("queue: seed of the role: %w", err)
		}
		public, err := key.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("queue: seed of the role: %w", err)
		}
		opts = append(opts, nats.Nkey(public, key.Sign))
	}
	return opts, nil
}

// sort distinguishes a refusal from a server that cannot be reached.
func (c *Conn) sort(err error) error {
	var op *net.OpError
	var timeout net.Error
	switch {
	case isAuthError(err):
		return fmt.Errorf("%w: the queue does not know this node's key: is the secret the same? After a change of the secret, start this node again", cluster.ErrRefused)
	case c.o.Broker != nil && (errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.EOF)):
		return fmt.Errorf("%w: the queue in this process does not know this role's key", cluster.ErrRefused)
	case isTLSRefusal(err):
		return fmt.Errorf("%w: TLS with the queue failed: %s", cluster.ErrRefused, trust.ExplainTLS(err, c.o.Keys.Advice()))
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, io.EOF), errors.As(err, &op),
		errors.As(err, &timeout) && timeout.Timeout(), c.o.TLS == nil:
		return fmt.Errorf("%w: %v", ErrUnreachable, err)
	}
	return fmt.Errorf("%w: %v", cluster.ErrRefused, err)
}

func isAuthError(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
}

// isTLSRefusal: one side did not accept the other's certificate, or one of them speaks no TLS.
func isTLSRefusal(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		op     *net.OpError
		ca     x509.UnknownAuthorityError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &ca) ||
		errors.As(err, &op) && op.Op == "remote error"
}

// call registers a call that uses the subjects (or what begins with them) and ends its context when they
// are refused or the connection is gone. done is called when the call returns.
func (c *Conn) call(ctx context.Context, subjects ...string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	k := &call{subjects: subjects, cancel: cancel}
	c.mu.Lock()
	c.calls[k] = struct{}{}
	if c.gone != nil {
		cancel(c.gone)
	}
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		delete(c.calls, k)
		c.mu.Unlock()
		cancel(nil)
	}
}

// until ends with ctx or at the next reconnect: what was asked of a server is forgotten by then.
func (c *Conn) until(ctx context.Context) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	reconnected := c.reconnected
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(reconnected, cancel)
	return ctx, func() { stop(); cancel() }
}

// pause waits a little before what failed is tried again; a reconnect ends it.
func (c *Conn) pause(ctx context.Context) {
	ctx, cancel := c.until(ctx)
	defer cancel()
	t := time.NewTimer(retryWait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// connected waits for the connection to be there, so that what is sent does not lie in a buffer meanwhile
// and arrive late, and then twice.
func (c *Conn) connected(ctx context.Context) {
	for !c.nc.IsConnected() && ctx.Err() == nil {
		c.pause(ctx)
	}
}

func (c *Conn) onError(err error) {
	if !c.o.Keys.IsZero() && isAuthError(err) {
		c.refuse(c.sort(err))
		return
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.log.Warn("queue connection", "error", err)
		return
	}
	why := fmt.Errorf("%w: a %s may not do that on the queue (%v)", cluster.ErrRefused, c.o.Role, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := false
	for k := range c.calls {
		for _, s := range k.subjects {
			if strings.Contains(err.Error(), `"`+s) {
				known = true
				k.cancel(why)
			}
		}
	}
	if !known {
		c.log.Warn("queue connection", "error", why)
	}
}

func (c *Conn) onDisconnect(err error) {
	if err != nil { // nil when closed on this side
		c.log.Warn("the connection to the queue is lost and will be tried again", "error", err)
	}
}

func (c *Conn) onReconnect() {
	c.log.Info("the queue is connected again")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusedAt = time.Time{}
	c.markReconnected()
	c.reconnected, c.markReconnected = context.WithCancel(context.Background())
}

// onClosed ends every call: a server that came back refused this node, or the connection was closed here.
func (c *Conn) onClosed(err error) {
	why := ErrClosed
	if isAuthError(err) {
		why = c.sort(err)
	}
	if c.end(why) && errors.Is(why, cluster.ErrRefused) {
		c.log.Error("the queue refuses this node now", "error", why)
	}
}

// end ends every call, now and later, and reports whether it is the first to do so.
func (c *Conn) end(why error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return false
	}
	c.gone = why
	c.markReconnected()
	if errors.Is(why, cluster.ErrRefused) {
		c.markRefused()
	}
	for k := range c.calls {
		k.cancel(why)
	}
	return true
}

// Close ends the connection and every call. Acks that were just given are still handed over where the
// server takes them within a second. It may be called more than once.
func (c *Conn) Close() {
	if c.nc.IsConnected() {
		_ = c.nc.FlushTimeout(closeTimeout) // an ack may be lost
	}
	c.end(ErrClosed)
	c.reading <- struct{}{} // the call that reads gives it back now
	c.dropReader()
	<-c.reading
	c.nc.Close()
}
