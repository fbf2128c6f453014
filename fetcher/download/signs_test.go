package download

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/lease"
	"trawl/fetcher/trouble"
)

func TestSignsOfLifeAreNotedWhereTheyCome(t *testing.T) {
	heard := func(t *testing.T, url string, set func(*transportOptions)) bool {
		var came atomic.Bool
		tr := testTransport(t, func(o *transportOptions) {
			o.Heard = func() { came.Store(true) }
			o.Limits.Connect = 200 * time.Millisecond
			set(o)
		})
		ask(t, tr, testExchange(t, url))
		return came.Load()
	}
	none := func(*transportOptions) {}
	answering := fetchertest.ServeRaw(t, fetchertest.AnswerRaw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	if !heard(t, answering.URL, none) {
		t.Error("an answer is none")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + l.Addr().String() + "/"
	l.Close()
	if !heard(t, refusing, none) {
		t.Error("a refusal is none")
	}
	fails := func(e *net.DNSError) func(*transportOptions) {
		return func(o *transportOptions) {
			o.Resolver = resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) { return nil, e })
		}
	}
	if !heard(t, "http://gone.test/", fails(&net.DNSError{Err: "no such host", IsNotFound: true})) {
		t.Error("a name that does not exist is none")
	}
	if heard(t, "http://gone.test/", fails(&net.DNSError{Err: "i/o timeout", IsTimeout: true})) {
		t.Error("a resolver that does not answer is one")
	}
	if heard(t, answering.URL, func(o *transportOptions) { o.Lease = lease.New(time.Now(), 0) }) {
		t.Error("an exchange that was never begun is one")
	}
}

type resolverFunc func(ctx context.Context, network, name string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	return f(ctx, network, name)
}

func TestWithoutFilesAnExchangeHasNoResult(t *testing.T) {
	server := fetchertest.ServeRaw(t, fetchertest.AnswerRaw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	gone := resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true} // what some say without files
	})
	for name, url := range map[string]string{"a connection": server.URL, "a name": "http://gone.test/"} {
		tr, x := testTransport(t, func(o *transportOptions) { o.Resolver = gone }), testExchange(t, url)
		fetchertest.WithoutFiles(t, func() { ask(t, tr, x) })
		if x.verdict != MachineShort || !trouble.IsShortage(x.why) {
			t.Errorf("%s: %v %s (%s), verdict %v, %v", name, x.result.Outcome, x.result.Reason, x.result.Detail, x.verdict, x.why)
		}
	}
	x := testExchange(t, "http://gone.test/")
	ask(t, testTransport(t, func(o *transportOptions) { o.Resolver = gone }), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonDNS)
}
