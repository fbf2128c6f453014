package download

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/trouble"
)

// Each case is a real failure on loopback.
func TestReasonsOfExchangesWithoutAnAnswer(t *testing.T) {
	hangUp := func(*fetchertest.RawServer, int64, net.Conn) {}
	reset := func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		s.Request(bufio.NewReader(c))
		c.(*net.TCPConn).SetLinger(0)
	}
	silent := func(_ *fetchertest.RawServer, _ int64, c net.Conn) { io.Copy(io.Discard, c) }
	endless := func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		s.Request(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for line := "X-A: " + strings.Repeat("a", 1000) + "\r\n"; ; {
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
		}
	}
	continues := func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		s.Request(bufio.NewReader(c))
		for {
			if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
				return
			}
		}
	}
	at := func(h func(*fetchertest.RawServer, int64, net.Conn)) string { return fetchertest.ServeRaw(t, h).URL }
	secure := func(u string) string { return "https" + strings.TrimPrefix(u, "http") }
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()

	for _, c := range []struct {
		name   string
		url    string
		limit  func(*crawler.FetchLimits)
		reason crawler.Reason
		detail string
	}{
		{"a name that is not known", "http://unknown.test/", nil, crawler.ReasonDNS, "no such host"},
		{"a port where nobody listens", refusedURL(t), nil, crawler.ReasonConnect, "refused"},
		{"a server that hangs up", at(hangUp), nil, crawler.ReasonReset, ""},
		{"a server that resets", at(reset), nil, crawler.ReasonReset, ""},
		{"a head that is cut", at(cutHead), nil, crawler.ReasonReset, ""},
		{"a server that says nothing", at(silent), func(l *crawler.FetchLimits) { l.FirstByte = 50 * time.Millisecond }, crawler.ReasonTimeout, "no answer within 50ms"},
		{"a slow head", at(slowHead), func(l *crawler.FetchLimits) { l.FirstByte = 50 * time.Millisecond }, crawler.ReasonTimeout, "no answer within 50ms"},
		{"all in all too slow", at(silent), func(l *crawler.FetchLimits) { l.Total = 50 * time.Millisecond }, crawler.ReasonTimeout, "not done within 50ms"},
		{"an endless head", at(endless), nil, crawler.ReasonProtocol, "headers exceeded"},
		{"endless interim answers", at(continues), nil, crawler.ReasonProtocol, ""},
		{"something that is not HTTP", at(fetchertest.AnswerRaw("SSH-2.0-OpenSSH_9.9\r\n")), nil, crawler.ReasonProtocol, "malformed"},
		{"a status that is a word", at(fetchertest.AnswerRaw("HTTP/1.1 OK\r\n: x\r\n\r\n")), nil, crawler.ReasonProtocol, "malformed"},
		{"two lengths", at(fetchertest.AnswerRaw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")), nil, crawler.ReasonProtocol, ""},
		{"no TLS where TLS is asked for", secure(fetchertest.Serve(t, http.NotFound).URL), nil, crawler.ReasonTLS, "handshake"},
		{"a server that hangs up in the handshake", secure(at(hangUp)), nil, crawler.ReasonTLS, "handshake"},
		{"a handshake that never ends", secure(at(silent)), func(l *crawler.FetchLimits) { l.Connect = 50 * time.Millisecond }, crawler.ReasonTimeout, "within 50ms"},
		{"a certificate that nobody vouches for", untrusted.URL, nil, crawler.ReasonTLS, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, c.url)
			tr := testTransport(t, func(o *transportOptions) {
				o.Resolver = &fakeResolver{}
				if c.limit != nil {
					c.limit(&o.Limits)
					x.limits = o.Limits
				}
			})
			ask(t, tr, x)
			wantOutcome(t, x, crawler.Failed, c.reason)
			if x.result.Status != 0 || !strings.Contains(x.result.Detail, c.detail) || strings.ContainsAny(x.result.Detail, "\r\n") {
				t.Errorf("status %d, detail %q", x.result.Status, x.result.Detail)
			}
		})
	}
}

// refusedURL names a port that was free a moment ago.
func refusedURL(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/"
}

func cutHead(s *fetchertest.RawServer, _ int64, c net.Conn) {
	s.Request(bufio.NewReader(c))
	io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: x\r\n")
}

func slowHead(s *fetchertest.RawServer, _ int64, c net.Conn) {
	s.Request(bufio.NewReader(c))
	io.WriteString(c, "HTTP/1.1 200 OK\r\n")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(c, "X-A: b\r\n"); err != nil {
			return
		}
		<-tick.C
	}
}

func TestWhatAFaultSaysAboutTheNetwork(t *testing.T) {
	dialing := func(e error) error {
		return dial.NewError(crawler.ReasonConnect, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", e)})
	}
	for _, c := range []struct {
		err  error
		want trouble.Sign
	}{
		{dialing(syscall.ECONNREFUSED), trouble.SignNone},
		{dialing(syscall.ECONNRESET), trouble.SignNone},
		{dialing(syscall.ENETUNREACH), trouble.SignLocal},
		{dialing(syscall.EHOSTUNREACH), trouble.SignLocal},
		{dialing(syscall.ETIMEDOUT), trouble.SignSilence},
		{&limitError{timeLimit{"no connection within", time.Second}}, trouble.SignSilence},
		{dial.NewError(crawler.ReasonDNS, &net.DNSError{Err: "no such host", IsNotFound: true}), trouble.SignNone},
		{dial.NewError(crawler.ReasonDNS, &net.DNSError{Err: "i/o timeout", IsTimeout: true}), trouble.SignSilence},
		{dial.NewError(crawler.ReasonDNS, &net.DNSError{Err: "server misbehaving", IsTemporary: true}), trouble.SignSilence},
		{dial.NewError(crawler.ReasonDNS, &net.DNSError{Err: "read udp 127.0.0.1:53: read: connection refused"}), trouble.SignLocal},
		{dial.NewError(crawler.ReasonDNS, &net.DNSError{Err: "dial udp 9.9.9.9:53: connect: network is unreachable"}), trouble.SignLocal},
		{dial.NewError(crawler.ReasonConnect, &dial.ProxyError{Name: "p", Err: dialing(syscall.ECONNREFUSED)}), trouble.SignLocal},
		{dial.NewError(crawler.ReasonTLS, errors.New("TLS handshake: alert")), trouble.SignNone},
		{errResent, trouble.SignNone},
	} {
		if got := signOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
