package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/lease"
)

// viaKey is the key of a proxy's URL in the context of a request, and so in that of the dial for it.
type viaKey struct{}

// WithProxy has a dial go through a proxy.
func WithProxy(ctx context.Context, via *url.URL) context.Context {
	return context.WithValue(ctx, viaKey{}, via)
}

// ProxyOf is the proxy that a request goes through, nil for none.
func ProxyOf(ctx context.Context) *url.URL {
	via, _ := ctx.Value(viaKey{}).(*url.URL)
	return via
}

// CheckSpelled refuses a URL that itself spells an address that is not open.
func (d *Dialer) CheckSpelled(u weburl.URL) error {
	name := u.Hostname()
	private := weburl.SpelledAddresses(u)
	if strings.HasSuffix(name, ".localhost") { // loopback by RFC 6761 section 6.3
		private = []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), u.Port())}
	}
	for _, a := range private {
		if d.Guard.Allows(a, true) {
			return nil
		}
	}
	if len(private) > 0 {
		return privateError(name, private[0].Addr())
	}
	return nil
}

// ProxyError is a proxy that cannot be reached: this machine has no way out.
type ProxyError struct {
	Name string
	Err  error
}

func (e *ProxyError) Error() string { return fmt.Sprintf("proxy %s: %v", e.Name, e.Err) }
func (e *ProxyError) Unwrap() error { return e.Err }

// openProxy opens a connection to a proxy. The proxy's addresses are not the host's, so they are not kept.
func (d *Dialer) openProxy(ctx context.Context, address string) (*Conn, error) {
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, NewError(crawler.ReasonConnect, fmt.Errorf("proxy: %w", err))
	}
	addrs, err := d.lookup(ctx, name)
	if err == nil {
		var conn *Conn
		if conn, err = d.connectAny(ctx, weburl.AddressGuard{All: true}, name, addrs, port, true); err == nil {
			return conn, nil
		}
	}
	if EndOfLease(err) != nil {
		return nil, err
	}
	return nil, NewError(crawler.ReasonConnect, &ProxyError{Name: name, Err: err})
}

// tlsFor is the configuration of a handshake with the server, or with an https proxy, which speaks HTTP/1.1.
func (d *Dialer) tlsFor(ctx context.Context, address string) *tls.Config {
	config := d.TLS.Clone()
	if ProxyOf(ctx) != nil {
		config.NextProtos = []string{"http/1.1"}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	return config
}

func EndOfLease(err error) error {
	if errors.Is(err, lease.ErrOver) {
		return lease.ErrOver
	}
	return nil
}
