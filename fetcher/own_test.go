package fetcher

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"trawl/crawler"
)

// withoutFiles lets this process open nothing while do runs.
func withoutFiles(t *testing.T, do func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Skip("no limit of open files here:", err)
	}
	none := before
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Skip("the limit of open files cannot be set here:", err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

func TestWithoutFilesAnExchangeHasNoResult(t *testing.T) {
	server := serveRaw(t, answerRaw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	gone := resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true} // what some say without files
	})
	for name, url := range map[string]string{"a connection": server.url, "a name": "http://gone.test/"} {
		tr, x := testTransport(t, func(o *transportOptions) { o.Resolver = gone }), testExchange(t, url)
		withoutFiles(t, func() { ask(t, tr, x) })
		if x.verdict != machineShort || !ownTrouble(x.why) {
			t.Errorf("%s: %v %s (%s), verdict %v, %v", name, x.result.Outcome, x.result.Reason, x.result.Detail, x.verdict, x.why)
		}
	}
	x := testExchange(t, "http://gone.test/")
	ask(t, testTransport(t, func(o *transportOptions) { o.Resolver = gone }), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonDNS)
}

func TestWithoutFilesTheBeginningOfABodyIsKept(t *testing.T) {
	const url = "http://a.test/big"
	ps := testPartials(t, t.TempDir())
	keepBody(t, ps, url, make([]byte, 1000), 5000)
	p := ps.lend(mustURL(t, url))
	withoutFiles(t, func() {
		if short := p.load(t.Context(), make([]byte, 100)); !errors.Is(short, syscall.EMFILE) {
			t.Errorf("load: %v", short)
		}
	})
	p.release(true)
	if n := foundBytes(t, ps, url); n != 1000 {
		t.Errorf("%d bytes are left", n)
	}
}
