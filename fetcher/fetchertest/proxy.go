package fetchertest

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Proxy is an HTTP proxy that leads every name to one server.
type Proxy struct {
	URL *url.URL

	mu     sync.Mutex
	to     string // host:port of the server
	Refuse int    // status for CONNECT, 0 = 200
	heads  []string
}

func NewProxy(t *testing.T, to *httptest.Server, secure bool) *Proxy {
	p := &Proxy{}
	if to != nil {
		p.to = to.Listener.Addr().String()
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	var err error
	if p.URL, err = url.Parse(s.URL); err != nil {
		t.Fatal(err)
	}
	p.URL.User = url.UserPassword("me", "secret")
	return p
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	to, refuse := p.to, p.Refuse
	p.heads = append(p.heads, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization")+" "+r.UserAgent())
	p.mu.Unlock()
	if r.Method == http.MethodConnect && refuse != 0 {
		http.Error(w, "no", refuse)
		return
	}
	c, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer c.Close()
	client, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if r.Method == http.MethodConnect {
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(c, buffered)
		io.Copy(client, c)
		return
	}
	path := r.RequestURI[strings.Index(r.RequestURI[8:], "/")+8:]
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, r.Host)
	io.Copy(client, c)
}

func (p *Proxy) Saw() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.heads, ", ")
}

func CertificatePEM(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}
