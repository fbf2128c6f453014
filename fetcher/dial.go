package fetcher

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

const (
	// unackedLimit is how long sent bytes may stay unacknowledged. It is shorter than the grace after a
	// lease, so that no request is repeated by the kernel when the host may be somebody else's.
	unackedLimit = 4 * time.Second
	// maxTries is the most addresses of a name that are tried.
	maxTries = 6
)

// resolver finds the addresses of a name; *net.Resolver is one. Safe for concurrent use.
type resolver interface {
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
}

// dialError is a connection that could not be opened, with the reason for it.
type dialError struct {
	reason crawler.Reason
	err    error
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialer opens the connections of one turn: it resolves the host's name once, lets the guard check each
// address when it is connected to, and ties every connection to the lease. Safe for concurrent use.
type dialer struct {
	resolver resolver
	guard    weburl.AddressGuard
	lease    Lease
	limit    time.Duration // to connect and shake hands, FetchLimits.Connect; 0 = none
	head     int64         // bytes of an answer's header, FetchLimits.HeaderBytes
	tls      *tls.Config
	now      func() time.Time
	over     context.Context // ends with the turn
	heard    func()          // called when something comes from outside

	mu     sync.Mutex
	known  []netip.Addr // handed in with the grant, or resolved
	name   string       // whose addresses known are
	fresh  bool         // known was resolved in this turn
	conns  map[*leasedConn]struct{}
	closed bool
}

// dial opens a plain connection for net/http.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := d.limited(ctx)
	defer cancel()
	conn, err := d.open(ctx, address)
	if err != nil {
		return nil, err
	}
	return newHeadTap(conn, d.head), nil
}

// dialTLS opens a connection and shakes hands, both within the limit.
func (d *dialer) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := d.limited(ctx)
	defer cancel()
	conn, err := d.open(ctx, address)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, d.tlsFor(ctx, address))
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		if ctx.Err() != nil || timedOut(err) {
			return nil, &dialError{crawler.ReasonTimeout, fmt.Errorf("no TLS handshake within %v: %w", d.limit, err)}
		}
		return nil, &dialError{crawler.ReasonTLS, fmt.Errorf("TLS handshake: %w", err)}
	}
	if t.ConnectionState().NegotiatedProtocol == "h2" {
		return t, nil
	}
	return newHeadTap(t, d.head), nil
}

// limited adds the limit and the end of the turn to the context of a dial.
func (d *dialer) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(d.over, cancel)
	if d.limit <= 0 {
		return ctx, func() { detach(); cancel() }
	}
	timed, done := context.WithTimeout(ctx, d.limit)
	return timed, func() { detach(); done(); cancel() }
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
func (d *dialer) open(ctx context.Context, address string) (*leasedConn, error) {
	if viaOf(ctx) != nil {
		return d.openProxy(ctx, address)
	}
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, &dialError{crawler.ReasonConnect, err}
	}
	if literal, err := netip.ParseAddr(name); err == nil {
		return d.connectAny(ctx, d.guard, name, []netip.Addr{literal.Unmap()}, port, true)
	}
	addrs, fresh, err := d.addresses(ctx, name)
	if err != nil {
		return nil, err
	}
	conn, err := d.connectAny(ctx, d.guard, name, addrs, port, name == "localhost")
	if err == nil || fresh || ctx.Err() != nil {
		return conn, err
	}
	// The addresses came with the grant and none of them answers: they may be out of date.
	if addrs, err = d.resolve(ctx, name); err != nil {
		return nil, err
	}
	return d.connectAny(ctx, d.guard, name, addrs, port, name == "localhost")
}

// addresses are those known of the name; fresh tells that they were resolved in this turn.
func (d *dialer) addresses(ctx context.Context, name string) (addrs []netip.Addr, fresh bool, err error) {
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
func (d *dialer) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{literal.Unmap()}, nil
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", name)
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
			d.heard()
		}
		return nil, &dialError{crawler.ReasonDNS, err}
	}
	own := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		own[i] = a.Unmap()
	}
	return own, nil
}

// resolve looks the host's name up, and keeps its addresses for the turn.
func (d *dialer) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	own, err := d.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.name, d.known, d.fresh = name, own, true
	return own, nil
}

// resolved lists the addresses found in this turn, nil when none were asked for.
func (d *dialer) resolved() []string {
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
func (d *dialer) connectAny(ctx context.Context, guard weburl.AddressGuard, name string, addrs []netip.Addr, port uint16, spelled bool) (*leasedConn, error) {
	open := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		return !guard.Allows(netip.AddrPortFrom(a, port), spelled)
	})
	if len(open) == 0 {
		return nil, privateError(name, addrs[0])
	}
	open = alternate(open)
	open = open[:min(len(open), maxTries)]
	conn, at, failed := race(ctx, open, func(ctx context.Context, a netip.Addr) (*leasedConn, error) {
		return d.connect(ctx, guard, netip.AddrPortFrom(a, port), spelled)
	})
	if failed == nil {
		d.prefer(name, at)
		return conn, nil
	}
	var typed *dialError
	switch {
	case errors.As(failed, &typed) || errors.Is(failed, errLeaseOver):
		return nil, failed
	case ctx.Err() != nil || timedOut(failed):
		return nil, &dialError{crawler.ReasonTimeout, fmt.Errorf("no connection within %v: %w", d.limit, failed)}
	}
	return nil, &dialError{crawler.ReasonConnect, failed}
}

func privateError(name string, a netip.Addr) error {
	return &dialError{crawler.ReasonPrivateAddress,
		fmt.Errorf("%s is at the private address %v, which allow-private would open", name, a)}
}

// connect opens one connection. The guard decides again in Control, on the address the kernel is given.
func (d *dialer) connect(ctx context.Context, guard weburl.AddressGuard, to netip.AddrPort, spelled bool) (*leasedConn, error) {
	if d.lease.Over(d.now()) {
		return nil, errLeaseOver
	}
	nd := net.Dialer{KeepAlive: -1, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !guard.Allows(at, spelled) {
			return privateError(to.Addr().String(), at.Addr())
		}
		return nil
	}}
	conn, err := nd.DialContext(ctx, "tcp", to.String())
	if viaOf(ctx) == nil && (err == nil || lifeIn(err)) { // of a proxy only what it sends counts
		d.heard()
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
	return d.adopt(conn)
}

// adopt ties a connection to the lease, or closes it when the turn or its right is over.
func (d *dialer) adopt(conn net.Conn) (*leasedConn, error) {
	c := &leasedConn{Conn: conn, dialer: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.lease.Over(d.now()) {
		c.reset()
		return nil, errLeaseOver
	}
	d.conns[c] = struct{}{}
	return c, nil
}

func (d *dialer) forget(c *leasedConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// take hands over all open connections; with final none can be opened any more.
func (d *dialer) take(final bool) []*leasedConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = d.closed || final
	all := make([]*leasedConn, 0, len(d.conns))
	for c := range d.conns {
		all = append(all, c)
	}
	return all
}
