package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/lease"
	"trawl/fetcher/trouble"
)

const (
	// unackedLimit is how long sent bytes may stay unacknowledged. It is shorter than the grace after a
	// lease, so that no request is repeated by the kernel when the host may be somebody else's.
	unackedLimit = 4 * time.Second
	// maxTries is the most addresses of a name that are tried.
	maxTries = 6
)

// Resolver finds the addresses of a name; *net.Resolver is one. Safe for concurrent use.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
}

// Error is a connection that could not be opened, with the reason for it.
type Error struct {
	Reason crawler.Reason
	err    error
}

func NewError(reason crawler.Reason, err error) *Error { return &Error{reason, err} }

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Options of a dialer. Fields without a remark must be set.
type Options struct {
	Lease     *lease.Lease // the first turn's, see Renew
	Guard     weburl.AddressGuard
	Limit     time.Duration    // to connect and shake hands, FetchLimits.Connect; 0 = none
	Name      string           // whose addresses Addresses are: the host's name without port
	Addresses []string         // known of the host; resolved again when none of them answers
	Resolver  Resolver         // nil = net.DefaultResolver
	TLS       *tls.Config      // copied; nil = the system's roots
	Heard     func()           // called when something comes from outside; nil = nobody hears
	Now       func() time.Time // clock that the lease is compared with; nil = time.Now
}

// Dialer opens the connections to one host: it resolves the host's name once, lets the guard check each
// address when it is connected to, and ties every connection to the lease of the turn that has the dialer. Between two
// turns (Rest, Renew) nobody has it: what is open stays, and nothing can be written. Safe for concurrent use.
type Dialer struct {
	Options

	right atomic.Pointer[right] // of the turn that has the dialer; nil between two

	mu     sync.Mutex
	known  []netip.Addr // given, or resolved
	name   string       // whose addresses known are
	fresh  bool         // known was resolved here
	conns  map[*Conn]struct{}
	closed bool
}

// right is what a turn lends to the dialer: as long as it lasts, connections may be opened and written on.
type right struct {
	lease *lease.Lease
	over  context.Context // ends with the turn, and with it the dials that nobody waits for
	stop  context.CancelFunc
}

func newRight(l *lease.Lease) *right {
	over, stop := context.WithCancel(context.Background())
	return &right{lease: l, over: over, stop: stop}
}

// New makes a dialer; it must be closed.
func New(o Options) *Dialer {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.TLS = o.TLS.Clone(); o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.TLS.NextProtos = []string{"h2", "http/1.1"}
	if o.Heard == nil {
		o.Heard = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Dialer{Options: o, name: o.Name, known: parseAddresses(o.Addresses), conns: make(map[*Conn]struct{})}
	d.right.Store(newRight(o.Lease))
	return d
}

func parseAddresses(texts []string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		if a, err := netip.ParseAddr(t); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// Ended reports whether nothing may be sent: the lease is over, no turn has the dialer, or it is closed.
func (d *Dialer) Ended() bool {
	r := d.right.Load()
	return d.over(r) || r.over.Err() != nil
}

func (d *Dialer) leaseOver() bool { return d.over(d.right.Load()) }

// over reports whether a right has ended; nil is none.
func (d *Dialer) over(r *right) bool { return r == nil || r.lease.Over(d.Now()) }

// Rest takes the dialer from its turn: until Renew no connection is opened, and one that something is to be written on closes
// instead. Dials that nobody waits for end. It returns how many connections are open.
func (d *Dialer) Rest() (open int) {
	if r := d.right.Swap(nil); r != nil {
		r.stop()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// Renew gives a dialer that rests to the next turn of its host. But for what is open it is as new: the addresses are those
// that the turn knows.
func (d *Dialer) Renew(l *lease.Lease, addresses []string) {
	d.mu.Lock()
	d.name, d.known, d.fresh = d.Name, parseAddresses(addresses), false
	d.mu.Unlock()
	d.right.Store(newRight(l))
}

// Lapse closes every connection at once: the lease ended. When it is extended, new connections may be opened.
func (d *Dialer) Lapse() {
	for _, c := range d.take(false) {
		c.lapse()
	}
}

// Close ends all connections, and dials that nobody waits for.
func (d *Dialer) Close() {
	if r := d.right.Load(); r != nil {
		r.stop()
	}
	for _, c := range d.take(true) {
		c.Close()
	}
}

// Dial opens a plain connection for net/http.
func (d *Dialer) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel, err := d.limited(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	conn, err := d.open(ctx, address)
	if err != nil {
		return nil, err // not a nil *Conn in an interface
	}
	return conn, nil
}

// DialTLS opens a connection and shakes hands, both within the limit.
func (d *Dialer) DialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel, err := d.limited(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	conn, err := d.open(ctx, address)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, d.tlsFor(ctx, address))
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		if ctx.Err() != nil || TimedOut(err) {
			return nil, NewError(crawler.ReasonTimeout, fmt.Errorf("no TLS handshake within %v: %w", d.Limit, err))
		}
		return nil, NewError(crawler.ReasonTLS, fmt.Errorf("TLS handshake: %w", err))
	}
	return t, nil
}

// limited adds the limit and the end of the turn to the context of a dial.
func (d *Dialer) limited(ctx context.Context) (context.Context, context.CancelFunc, error) {
	r := d.right.Load()
	if r == nil {
		return nil, nil, lease.ErrOver
	}
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(r.over, cancel)
	if d.Limit <= 0 {
		return ctx, func() { detach(); cancel() }, nil
	}
	timed, done := context.WithTimeout(ctx, d.Limit)
	return timed, func() { detach(); done(); cancel() }, nil
}

func splitAddress(address string) (name string, port uint16, err error) {
	name, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := net.LookupPort("tcp", text)
	return name, uint16(n), err
}

// open opens a connection to the host, or to the proxy that the context names.
func (d *Dialer) open(ctx context.Context, address string) (*Conn, error) {
	if ProxyOf(ctx) != nil {
		return d.openProxy(ctx, address)
	}
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, NewError(crawler.ReasonConnect, err)
	}
	if literal, err := netip.ParseAddr(name); err == nil {
		return d.connectAny(ctx, d.Guard, name, []netip.Addr{literal.Unmap()}, port, true)
	}
	addrs, fresh, err := d.addresses(ctx, name)
	if err != nil {
		return nil, err
	}
	conn, err := d.connectAny(ctx, d.Guard, name, addrs, port, name == "localhost")
	if err == nil || fresh || ctx.Err() != nil {
		return conn, err
	}
	// The addresses were given and none of them answers: they may be out of date.
	if addrs, err = d.resolve(ctx, name); err != nil {
		return nil, err
	}
	return d.connectAny(ctx, d.Guard, name, addrs, port, name == "localhost")
}

// addresses are those known of the name; fresh: they were resolved here.
func (d *Dialer) addresses(ctx context.Context, name string) (addrs []netip.Addr, fresh bool, err error) {
	d.mu.Lock()
	if d.name == name && len(d.known) > 0 {
		defer d.mu.Unlock()
		return d.known, d.fresh, nil
	}
	d.mu.Unlock()
	addrs, err = d.resolve(ctx, name)
	return addrs, true, err
}

// lookup finds the addresses of a name, or reads it as one.
func (d *Dialer) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{literal.Unmap()}, nil
	}
	addrs, err := d.Resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if short := outOfFiles(); short != nil {
			err = short // a resolver that could not open a thing may say that the name does not exist
		}
	}
	if err == nil && len(addrs) == 0 {
		err = errors.New("the name has no address")
	}
	if err != nil {
		if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
			d.Heard()
		}
		return nil, NewError(crawler.ReasonDNS, err)
	}
	own := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		own[i] = a.Unmap()
	}
	return own, nil
}

// resolve looks the host's name up, and keeps its addresses.
func (d *Dialer) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	own, err := d.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.name, d.known, d.fresh = name, own, true
	return own, nil
}

// Resolved lists the addresses that were found here, nil when none were asked for.
func (d *Dialer) Resolved() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fresh {
		return nil
	}
	out := make([]string, len(d.known))
	for i, a := range d.known {
		out[i] = a.String()
	}
	return out
}

// connectAny tries the addresses that the guard allows, see race.
func (d *Dialer) connectAny(ctx context.Context, guard weburl.AddressGuard, name string, addrs []netip.Addr, port uint16, spelled bool) (*Conn, error) {
	open := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		return !guard.Allows(netip.AddrPortFrom(a, port), spelled)
	})
	if len(open) == 0 {
		return nil, privateError(name, addrs[0])
	}
	open = alternate(open)
	open = open[:min(len(open), maxTries)]
	conn, at, failed := race(ctx, open, func(ctx context.Context, a netip.Addr) (*Conn, error) {
		return d.connect(ctx, guard, netip.AddrPortFrom(a, port), spelled)
	})
	if failed == nil {
		d.prefer(name, at)
		return conn, nil
	}
	var typed *Error
	switch {
	case errors.As(failed, &typed) || errors.Is(failed, lease.ErrOver):
		return nil, failed
	case ctx.Err() != nil || TimedOut(failed):
		return nil, NewError(crawler.ReasonTimeout, fmt.Errorf("no connection within %v: %w", d.Limit, failed))
	}
	return nil, NewError(crawler.ReasonConnect, failed)
}

func privateError(name string, a netip.Addr) error {
	return NewError(crawler.ReasonPrivateAddress, fmt.Errorf("%s is at the private address %v, which allow-private would open", name, a))
}

// connect opens one connection. The guard decides again in Control, on the address the kernel is given.
func (d *Dialer) connect(ctx context.Context, guard weburl.AddressGuard, to netip.AddrPort, spelled bool) (*Conn, error) {
	if d.leaseOver() {
		return nil, lease.ErrOver
	}
	nd := net.Dialer{KeepAlive: -1, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !guard.Allows(at, spelled) {
			return privateError(to.Addr().String(), at.Addr())
		}
		return nil
	}}
	conn, err := nd.DialContext(ctx, "tcp", to.String())
	if ProxyOf(ctx) == nil && (err == nil || lifeIn(err)) { // of a proxy only what it sends counts
		d.Heard()
	}
	if err != nil {
		if to.Addr().Is6() && errors.Is(err, syscall.EADDRNOTAVAIL) {
			err = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH} // the machine has no address of that kind
		}
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := limitUnacked(tcp, unackedLimit); err != nil {
			conn.Close()
			return nil, fmt.Errorf("limit unacknowledged data: %w", err)
		}
	}
	return d.Adopt(conn)
}

// Adopt ties a connection to the lease, or closes it when the dialer or the lease is over.
func (d *Dialer) Adopt(conn net.Conn) (*Conn, error) {
	c := &Conn{Conn: conn, dialer: d, ip: peerOf(conn)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.leaseOver() {
		c.reset()
		return nil, lease.ErrOver
	}
	d.conns[c] = struct{}{}
	return c, nil
}

func (d *Dialer) forget(c *Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// take hands over all open connections; with final none can be opened any more.
func (d *Dialer) take(final bool) []*Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = d.closed || final
	all := make([]*Conn, 0, len(d.conns))
	for c := range d.conns {
		all = append(all, c)
	}
	return all
}

// NoWayOut reports whether the machine could not even send.
func NoWayOut(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EPERM, syscall.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lifeIn reports whether the error of a dial is itself something that came from outside.
func lifeIn(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}

// outOfFiles is the error with which this process can open nothing at the moment, nil when it can.
func outOfFiles() error {
	f, err := os.Open(os.DevNull)
	if err == nil {
		return f.Close()
	}
	if trouble.IsShortage(err) {
		return fmt.Errorf("look up a name: %w", err)
	}
	return nil
}

func TimedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout() || errors.Is(err, syscall.ETIMEDOUT) ||
		errors.Is(err, context.DeadlineExceeded)
}
