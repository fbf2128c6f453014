package download

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/fetchertest"
)

// noResolver fails what asks for a name.
type noResolver struct{ t testing.TB }

func (r noResolver) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	r.t.Errorf("%s was looked up here", name)
	return nil, fetchertest.ErrTest
}

// throughProxy is a transport that opens no private address, with a proxy on loopback.
func throughProxy(t *testing.T, p *fetchertest.Proxy, set func(*transportOptions)) *transport {
	return testTransport(t, func(o *transportOptions) {
		o.Guard, o.Resolver, o.Agent = weburl.AddressGuard{}, noResolver{t}, "trawl/test"
		o.Proxy = func(*url.URL) (*url.URL, error) { return p.URL, nil }
		if set != nil {
			set(o)
		}
	})
}

func TestPlainRequestsGoThroughAProxyByteForByte(t *testing.T) {
	var got []string
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Host+r.RequestURI)
		io.WriteString(w, "hello")
	})
	p := fetchertest.NewProxy(t, s, false)
	tr := throughProxy(t, p, nil)
	for _, path := range []string{"/a|b^c?x=%zz&y='", "/q?", "//double//slash", "/%41"} {
		x := testExchange(t, "http://name.test"+path)
		ask(t, tr, x)
		wantOutcome(t, x, crawler.Fetched, "")
		if x.result.IP != "" || x.result.Bytes != 5 {
			t.Errorf("result %+v", x.result)
		}
		if head := string(x.requestHead(nil)); strings.Contains(head, "Proxy-") || !strings.HasPrefix(head, "GET "+x.url.RequestURI()+" ") {
			t.Errorf("archived: %q", head)
		}
		if want := "name.test" + x.url.RequestURI(); got[len(got)-1] != want {
			t.Errorf("asked for %s, want %s", got[len(got)-1], want)
		}
	}
	if !strings.HasPrefix(p.Saw(), "GET "+fetchertest.MustURL(t, "http://name.test/a|b^c?x=%zz&y='").String()+" Basic bWU6c2VjcmV0") {
		t.Errorf("the proxy saw %s", p.Saw())
	}
	if a := tr.dialer.Resolved(); a != nil {
		t.Errorf("addresses of the host: %v", a)
	}
}

func TestSecureRequestsGoThroughAProxyByConnect(t *testing.T) {
	for _, secureProxy := range []bool{false, true} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("https proxy %v, h2 %v", secureProxy, h2), func(t *testing.T) {
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
				s.EnableHTTP2 = h2
				s.StartTLS()
				t.Cleanup(s.Close)
				p := fetchertest.NewProxy(t, s, secureProxy)
				tr := throughProxy(t, p, func(o *transportOptions) { o.TLS = trusting(t, s) })
				x := testExchange(t, "https://example.com/a?b") // the name in the certificate
				ask(t, tr, x)
				wantOutcome(t, x, crawler.Fetched, "")
				if want := map[bool]string{false: "http/1.1", true: "h2"}[h2]; x.proto != want || x.result.IP != "" {
					t.Errorf("%s, address %q", x.proto, x.result.IP)
				}
				if p.Saw() != "CONNECT example.com:443 Basic bWU6c2VjcmV0 trawl/test" {
					t.Errorf("the proxy saw %s", p.Saw())
				}
			})
		}
	}
}

// trusting is a TLS configuration that knows the server's certificate.
func trusting(t *testing.T, s *httptest.Server) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func TestAProxyThatDoesNotConnectIsReportedAsSuch(t *testing.T) {
	p := fetchertest.NewProxy(t, nil, false)
	p.Refuse = http.StatusForbidden
	x := testExchange(t, "https://name.test/")
	ask(t, throughProxy(t, p, nil), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonConnect)
	if !strings.Contains(x.result.Detail, "the proxy refused to connect: 403 Forbidden") || strings.Contains(x.result.Detail, "secret") {
		t.Errorf("detail %q", x.result.Detail)
	}
	p.URL.Host = "127.0.0.1:1"
	x = testExchange(t, "http://name.test/")
	ask(t, throughProxy(t, p, nil), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonConnect)
	if !strings.Contains(x.result.Detail, "proxy 127.0.0.1") {
		t.Errorf("detail %q", x.result.Detail)
	}
}

func TestAProxyIsNotAskedForPrivateAddresses(t *testing.T) {
	s := fetchertest.Serve(t, func(http.ResponseWriter, *http.Request) {})
	for target, c := range map[string]struct {
		open string // AllowPrivate; "seed" = spelled by a seed
		want crawler.Reason
	}{
		"http://127.0.0.1/":        {"", crawler.ReasonPrivateAddress},
		"http://10.1.2.3:8080/":    {"", crawler.ReasonPrivateAddress},
		"https://169.254.169.254/": {"", crawler.ReasonPrivateAddress},
		"http://[::1]/":            {"", crawler.ReasonPrivateAddress},
		"http://0x7f.1/":           {"", crawler.ReasonPrivateAddress},
		"http://localhost/":        {"", crawler.ReasonPrivateAddress},
		"http://a.localhost:8080/": {"", crawler.ReasonPrivateAddress},
		"http://10.1.2.3/":         {"10.0.0.0/8", ""},
		"http://localhost:81/":     {"127.0.0.0/8", ""},
		"http://10.1.2.4/":         {"seed", ""},
		"http://93.184.216.34/":    {"", ""},
	} {
		t.Run(target+" "+c.open, func(t *testing.T) {
			p := fetchertest.NewProxy(t, s, false)
			job := crawler.Job{}
			if c.open == "seed" {
				job.SeedPrivate = []string{"10.1.2.4:80"}
			} else if c.open != "" {
				job.AllowPrivate = []string{c.open}
			}
			x := testExchange(t, target)
			ask(t, throughProxy(t, p, func(o *transportOptions) { o.Guard = weburl.NewAddressGuard(job.AllowPrivate, job.SeedPrivate) }), x)
			if x.result.Reason != c.want || (p.Saw() == "") != (c.want != "") {
				t.Errorf("%v %s, the proxy saw %q", x.result.Reason, x.result.Detail, p.Saw())
			}
		})
	}
}

func TestTheProxysAddressIsOpenAsAProxyOnly(t *testing.T) {
	p := fetchertest.NewProxy(t, nil, false)
	x := testExchange(t, "http://"+p.URL.Host+"/")
	tr := throughProxy(t, p, func(o *transportOptions) {
		o.Proxy = func(*url.URL) (*url.URL, error) { return nil, nil } // as for loopback addresses by the environment's rules
	})
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonPrivateAddress)
	x = testExchange(t, "http://name.test/")
	tr = throughProxy(t, p, func(o *transportOptions) {
		o.Proxy = func(*url.URL) (*url.URL, error) { return nil, fetchertest.ErrTest }
	})
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonConnect)
}

func TestRequestsGoThroughSOCKS(t *testing.T) {
	var got string
	s := fetchertest.Serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Host + r.RequestURI })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan string, 1)
	go func() {
		name, err := serveSOCKS(l, s.Listener.Addr().String())
		served <- errors.Join(err, errors.New(name)).Error()
	}()
	via := &url.URL{Scheme: "socks5", Host: l.Addr().String()}
	tr := testTransport(t, func(o *transportOptions) {
		o.Guard, o.Resolver, o.Proxy = weburl.AddressGuard{}, noResolver{t}, func(*url.URL) (*url.URL, error) { return via, nil }
	})
	x := testExchange(t, "http://name.test/a|b")
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Fetched, "")
	tr.close()
	l.Close()
	if name := <-served; name != "name.test" || got != "name.test/a|b" {
		t.Errorf("the proxy was asked for %q, the server for %q", name, got)
	}
}

// serveSOCKS serves one connection (RFC 1928) and tells the name that was asked for.
func serveSOCKS(l net.Listener, to string) (name string, err error) {
	c, err := l.Accept()
	if err != nil {
		return "", err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	head := make([]byte, 3) // version, one method, none
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	c.Write([]byte{5, 0})
	head = make([]byte, 5) // version, connect, 0, name, its length
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	text := make([]byte, int(head[4])+2)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", err
	}
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	server, err := net.Dial("tcp", to)
	if err != nil {
		return "", err
	}
	defer server.Close()
	go io.Copy(c, server)
	io.Copy(server, r)
	return string(text[:head[4]]), nil
}
