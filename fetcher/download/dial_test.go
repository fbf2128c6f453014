package download

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/fetchertest"
)

func tlsServer(c net.Conn, config *tls.Config) net.Conn { return tls.Server(c, config) }

// fakeResolver knows some names and counts what it is asked.
type fakeResolver struct {
	names map[string][]string
	asked atomic.Int64
}

func (r *fakeResolver) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	r.asked.Add(1)
	texts, ok := r.names[name]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, t := range texts {
		addrs = append(addrs, netip.MustParseAddr(t))
	}
	return addrs, nil
}

func TestGuardDecidesAtConnectTime(t *testing.T) {
	var requests atomic.Int64
	s := fetchertest.Serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	spelled := weburl.AddressGuard{Spelled: map[netip.AddrPort]bool{at: true}}
	network := weburl.AddressGuard{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for _, c := range []struct {
		name  string
		guard weburl.AddressGuard
		url   string
		ok    bool
	}{
		{"an address literal is refused", weburl.AddressGuard{}, "http://127.0.0.1" + port, false},
		{"an IPv4 address in IPv6 clothes is refused", weburl.AddressGuard{}, "http://[::ffff:127.0.0.1]" + port, false},
		{"a name that leads to a private address is refused", weburl.AddressGuard{}, "http://inner.test" + port, false},
		{"localhost is refused", weburl.AddressGuard{}, "http://localhost" + port, false},
		{"a literal that a seed spells is open", spelled, "http://127.0.0.1" + port, true},
		{"localhost is open when its address is spelled", spelled, "http://localhost" + port, true},
		{"a name is not open because a seed spells its address", spelled, "http://inner.test" + port, false},
		{"another port of a spelled address is refused", spelled, "http://127.0.0.1:1", false},
		{"a network that the user allows is open to names", network, "http://inner.test" + port, true},
		{"a private address among others is passed over", network, "http://mixed.test" + port, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests.Store(0)
			resolver := &fakeResolver{names: map[string][]string{
				"inner.test": {"127.0.0.1"}, "localhost": {"127.0.0.1"}, "mixed.test": {"10.9.9.9", "127.0.0.1"},
			}}
			tr := testTransport(t, func(o *transportOptions) { o.Guard, o.Resolver = c.guard, resolver })
			x := testExchange(t, c.url)
			ask(t, tr, x)
			if c.ok {
				wantOutcome(t, x, crawler.Fetched, "")
				return
			}
			wantOutcome(t, x, crawler.Failed, crawler.ReasonPrivateAddress)
			if requests.Load() != 0 || x.requests != 0 || !strings.Contains(x.result.Detail, "allow-private") {
				t.Errorf("%d requests, detail %q", requests.Load(), x.result.Detail)
			}
		})
	}
}

func TestAddressesOfTheGrantAreTriedFirstAndReplacedWhenStale(t *testing.T) {
	s := fetchertest.Serve(t, func(http.ResponseWriter, *http.Request) {})
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, c := range []struct {
		name     string
		grant    []string
		asked    int64
		resolved []string
	}{
		{"good ones need no resolver", []string{"127.0.0.1"}, 0, nil},
		{"without any the name is resolved once", nil, 1, []string{"127.0.0.1"}},
		{"stale ones are resolved anew", []string{"127.0.0.9"}, 1, []string{"127.0.0.1"}},
		{"what is no address is passed over", []string{"nonsense"}, 1, []string{"127.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			resolver := &fakeResolver{names: map[string][]string{"site.test": {"127.0.0.1"}}}
			tr := testTransport(t, func(o *transportOptions) {
				o.Resolver, o.Name, o.Addresses = resolver, "site.test", c.grant
			})
			for range 2 {
				x := testExchange(t, "http://site.test"+port)
				ask(t, tr, x)
				wantOutcome(t, x, crawler.Fetched, "")
			}
			if n := resolver.asked.Load(); n != c.asked || !slices.Equal(tr.dialer.Resolved(), c.resolved) {
				t.Errorf("asked %d times, resolved %v", n, tr.dialer.Resolved())
			}
		})
	}
}

func TestDialStopsWithTheTurn(t *testing.T) {
	waiting := make(chan struct{})
	tr := testTransport(t, func(o *transportOptions) { o.Resolver = stuckResolver(waiting) })
	ended := make(chan error, 1)
	go func() {
		_, err := tr.dialer.Dial(context.Background(), "tcp", "stuck.test:80")
		ended <- err
	}()
	<-waiting
	tr.close()
	if err := <-ended; err == nil {
		t.Error("a dial ended well although nothing resolves")
	}
}

type stuckResolver chan struct{}

func (r stuckResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	close(r)
	<-ctx.Done()
	return nil, ctx.Err()
}
