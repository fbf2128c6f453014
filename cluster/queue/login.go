package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"trawl/cluster"
	"trawl/cluster/trust"
)

// DefaultPatience is how long a broker that refuses a node which it had let in before is tried again.
const DefaultPatience = time.Minute

// Times of a login with changed keys.
const (
	quietWait  = 2 * time.Second  // for exchanges that are under way
	loginWait  = 5 * time.Second  // for the new connection, before calls go on as after any lost one
	loginAgain = 15 * time.Second // until the current secret is tried again where only another one was accepted
)

// login is how a node that holds keys connects to a broker, at each try by the keys that are in force then: TLS, and
// the role's key of the same secret. When the current secret is refused, the others are tried in turn.
type login struct {
	o    *ConnectOptions
	id   *trust.Identity
	ctx  context.Context // ends with the connection
	stop context.CancelFunc
	done chan struct{} // closed when begin's goroutine has ended; nil before begin

	rushed atomic.Bool // a limit was hit where the connection was to be made anew without loss

	mu      sync.Mutex
	c       *Conn       // nil before begin
	try     int         // the secret of the next try
	used    trust.Proof // of the last try
	pair    nkeys.KeyPair
	public  string
	refused time.Time // of the first refusal since the last success
}

func newLogin(o *ConnectOptions) (*login, error) {
	id, err := o.Keys.Identity(o.Role, o.Name)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	l := &login{o: o, id: id}
	l.used = o.Keys.Proofs()[0]
	if l.pair, l.public, err = l.used.User(o.Role); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l, nil
}

// options are for nats.go. That it gives up after two refusals is switched off: see refuse.
func (l *login) options() []nats.Option {
	return []nats.Option{nats.SetCustomDialer(l), nats.Nkey(l.public, l.sign), nats.IgnoreAuthErrorAbort()}
}

// SkipTLSHandshake tells nats.go that Dial has done it.
func (l *login) SkipTLSHandshake() bool { return true }

// Dial is what nats.go calls for each try, with its own lock held: the role's key can only be changed here, as the
// library has no callback for it (a test under the race detector holds it to that). It returns when the other side
// has greeted: in TLS 1.3 a client learns only from the first word whether its certificate was accepted.
func (l *login) Dial(network, address string) (net.Conn, error) {
	if l.o.Address != nil {
		if now := l.o.Address(); now != "" {
			address = now
		}
	}
	secret, err := l.prepare()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.o.Timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, l.id.Client(secret, func() string { return address }))
	g, err := greeted(ctx, conn)
	if err != nil {
		raw.Close()
		if isTLSRefusal(err) {
			l.refuse(l.sorted(err))
		}
		return nil, err
	}
	return g, nil
}

// prepare chooses the secret of this try.
func (l *login) prepare() (secret int, err error) {
	proofs := l.o.Keys.Proofs()
	l.mu.Lock()
	defer l.mu.Unlock()
	secret = l.try % len(proofs)
	if l.c == nil { // the first connection has the key that its options name
		return 0, nil
	}
	l.used = proofs[secret]
	if l.pair, l.public, err = l.used.User(l.o.Role); err != nil {
		return 0, err
	}
	l.c.nc.Opts.Nkey = l.public // see Dial
	return secret, nil
}

func (l *login) sign(nonce []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pair.Sign(nonce)
}

// greeting is a connection of which the first byte was read already.
type greeting struct {
	net.Conn
	first []byte
}

func greeted(ctx context.Context, conn *tls.Conn) (*greeting, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	g := &greeting{Conn: conn, first: make([]byte, 1)}
	_, err := conn.Read(g.first)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	return g, err
}

func (g *greeting) Read(p []byte) (int, error) {
	if len(g.first) > 0 && len(p) > 0 {
		n := copy(p, g.first)
		g.first = g.first[n:]
		return n, nil
	}
	return g.Conn.Read(p)
}

// begin follows the keys of a connection that was made.
func (l *login) begin(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c, l.done = c, make(chan struct{})
	go func() {
		defer close(l.done)
		l.follow()
	}()
}

// end is called when the connection was closed, by one caller after the other.
func (l *login) end() {
	l.stop()
	<-l.done
}

// follow logs in anew when what the connection was made with is not what is in force any more.
func (l *login) follow() {
	for {
		changed := l.o.Keys.Changed()
		var again <-chan time.Time
		if !l.current() {
			l.renew()
		}
		if !l.current() {
			again = time.After(loginAgain)
		}
		select {
		case <-changed:
		case <-again:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *login) current() bool {
	current := l.o.Keys.Proofs()[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used.Equal(current)
}

// renew makes the connection anew with the current keys. Exchanges under way end before, and requests for tasks are
// called off in a way that no task is lost with them; calls that come meanwhile wait.
func (l *login) renew() {
	l.mu.Lock()
	l.try = 0
	c := l.c
	l.mu.Unlock()
	if !c.nc.IsConnected() {
		return // the next try has the current keys
	}
	ended := c.quiet.shut(l.ctx, quietWait)
	defer c.quiet.open()
	drained := c.inbox.drain(l.ctx, quietWait)
	flushed := c.nc.FlushTimeout(closeTimeout) == nil
	if !ended || !drained || !flushed {
		l.rushed.Store(true)
		c.log.Info("the queue is slow, so what is under way is not waited for: some tasks may come again later")
	}
	again, cancel := c.until(l.ctx)
	defer cancel()
	c.log.Info("logging in to the queue with the keys that are in force now")
	if err := c.nc.ForceReconnect(); err != nil {
		return // closed
	}
	t := time.NewTimer(loginWait)
	defer t.Stop()
	select {
	case <-again.Done():
	case <-t.C:
	}
}

// accepted is called when the connection was made again.
func (l *login) accepted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refused.IsZero() && l.try != 0 {
		l.c.log.Warn("the queue takes another secret of this node, not the current one: give the scheduler's secret file the new secret too")
	}
	l.refused = time.Time{}
}

// refuse takes note of a try that was refused. The next one is made with the next secret; when none was accepted for
// as long as the patience lasts, the connection ends.
func (l *login) refuse(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		return // Connect tells it
	}
	l.try++
	if l.refused.IsZero() {
		l.refused = time.Now()
		l.c.log.Warn("the queue refuses this node, which tries again for a while", "error", why, "for", l.o.Patience)
	}
	if time.Since(l.refused) < l.o.Patience || !l.c.end(why) {
		return
	}
	l.c.log.Error("the queue refuses this node now", "error", why)
	go l.c.nc.Close() // not here, where nats.go holds its lock
}

// Refused is done when the queue refuses this node for good, after it had let it in: nothing that the node still holds
// can be delivered. Refusal tells why, nil before.
func (c *Conn) Refused() context.Context { return c.out }

// Refusal is the [cluster.ErrRefused] of [Conn.Refused].
func (c *Conn) Refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.gone, cluster.ErrRefused) {
		return c.gone
	}
	return nil
}

// sorted is an error of a try as callers are told it.
func (l *login) sorted(err error) error {
	return fmt.Errorf("%w: TLS with the queue failed: %s", cluster.ErrRefused, trust.ExplainTLS(err, l.o.Keys.Advice()))
}

// drain ends the subscription for tasks: those that are on their way still come to whoever waits for one, and the
// server gives up the requests that are left. The next request makes a new one. It reports whether all of that was done.
func (b *taskInbox) drain(ctx context.Context, limit time.Duration) bool {
	b.mu.Lock()
	sub := b.sub
	b.sub = nil
	b.mu.Unlock()
	if sub == nil {
		return true
	}
	closed := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(closed) })
	if sub.Drain() != nil {
		return false // closed with its connection
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-closed:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}
