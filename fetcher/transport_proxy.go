package fetcher

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// A proxy (http, https, socks5, socks5h; https targets by CONNECT) is the operator's setting: its own address is
// reached whatever it is. URLs that spell a private address are refused as without a proxy. What is not
// promised through one, as it cannot be seen from here:
//
//   - that a name does not lead to a private address: the proxy resolves it;
//   - that a failed name is told as such: the proxy answers with a status, or refuses to connect;
//   - the server's address, which rows and records leave out;
//   - that the proxy sends a request once, and none after the lease has ended: only our side of its connection is
//     tied to the lease.

// viaKey is the key of a proxy's URL in the context of a request, and so in that of the dial for it.
type viaKey struct{}

// viaOf is the proxy that a request goes through, nil for none.
func viaOf(ctx context.Context) *url.URL {
	via, _ := ctx.Value(viaKey{}).(*url.URL)
	return via
}

// via finds the proxy for a URL, nil for none, or the error that the URL may not be asked for through it.
func (t *transport) via(u weburl.URL) (*url.URL, error) {
	if t.proxy == nil {
		return nil, nil
	}
	via, err := t.proxy(requestURL(u))
	if err != nil {
		return nil, &dialError{crawler.ReasonConnect, fmt.Errorf("choose a proxy: %w", err)}
	}
	if via == nil {
		return nil, nil
	}
	return via, t.dialer.guardSpelled(u)
}

// guardSpelled refuses a URL that itself spells an address that is not open.
func (d *dialer) guardSpelled(u weburl.URL) error {
	name := u.Hostname()
	private := weburl.SpelledAddresses(u)
	if strings.HasSuffix(name, ".localhost") { // loopback by RFC 6761 section 6.3
		private = []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Loopback(), u.Port())}
	}
	for _, a := range private {
		if d.guard.Allows(a, true) {
			return nil
		}
	}
	if len(private) > 0 {
		return privateError(name, private[0].Addr())
	}
	return nil
}

// overProxy makes a request one for a proxy. A plain one names its URL whole, byte for byte (RFC 9112 section 3.2.2).
func overProxy(r *http.Request, via *url.URL, u weburl.URL) *http.Request {
	if via == nil {
		return r
	}
	if wantsWhole(via, u) {
		path, _, _ := strings.Cut(u.RequestURI(), "?")
		r.URL.Opaque = "//" + r.URL.Host + path
	}
	return r.WithContext(context.WithValue(r.Context(), viaKey{}, via))
}

// proxyError is a proxy that cannot be reached: this machine has no way out.
type proxyError struct {
	name string
	err  error
}

func (e *proxyError) Error() string { return fmt.Sprintf("proxy %s: %v", e.name, e.err) }
func (e *proxyError) Unwrap() error { return e.err }

// wantsWhole reports whether the request line for a proxy names the URL whole.
func wantsWhole(via *url.URL, u weburl.URL) bool {
	return via != nil && u.Scheme() == "http" && (via.Scheme == "http" || via.Scheme == "https")
}

// openProxy opens a connection to a proxy. The proxy's addresses are not the host's, so they are not kept.
func (d *dialer) openProxy(ctx context.Context, address string) (*leasedConn, error) {
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, &dialError{crawler.ReasonConnect, fmt.Errorf("proxy: %w", err)}
	}
	addrs, err := d.lookup(ctx, name)
	if err == nil {
		var conn *leasedConn
		if conn, err = d.connectAny(ctx, weburl.AddressGuard{All: true}, name, addrs, port, true); err == nil {
			return conn, nil
		}
	}
	if leaseError(err) != nil {
		return nil, err
	}
	return nil, &dialError{crawler.ReasonConnect, &proxyError{name, err}}
}

// tlsFor is the configuration of a handshake with the server, or with an https proxy, which speaks HTTP/1.1.
func (d *dialer) tlsFor(ctx context.Context, address string) *tls.Config {
	config := d.tls.Clone()
	if viaOf(ctx) != nil {
		config.NextProtos = []string{"http/1.1"}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	return config
}

// connected refuses what a proxy answers to CONNECT other than 200, in words for people.
func connected(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &dialError{crawler.ReasonConnect, fmt.Errorf("the proxy refused to connect: %s", oneLine(answer.Status, maxDetail))}
}
