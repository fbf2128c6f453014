package webfarm_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// everything are options with something of everything that does not take long.
func everything() webfarm.Options {
	return webfarm.Options{
		Hosts: 12, PagesPerHost: 120, Seed: 3, MinBytes: 5000, MaxBytes: 9000, Gzip: 0.5, Chunked: 0.3, HTTPS: 0.2,
		Faults: webfarm.Faults{
			NotFound: 0.05, ServerError: 0.05, Flaky: 0.05, Throttled: 0.05, Reset: 0.03, Truncated: 0.03, Slow: 0.01,
			Redirect: 0.05, RedirectCross: 0.05, RedirectChain: 0.05, RedirectLoop: 0.05, Times: 2, SlowFor: 20 * time.Millisecond,
		},
		Robots: webfarm.RobotsOptions{Disallowed: 0.1},
	}
}

// client is a client that trusts the farm and follows nothing.
func client(t *testing.T, f *webfarm.Farm) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(f.Certificate()) {
		t.Fatal("the certificate is none")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 10}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get asks once.
func get(t *testing.T, c *http.Client, url string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	r, err := c.Do(q)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

// fetch asks for a page until it does not fail at first any more.
func fetch(t *testing.T, c *http.Client, p webfarm.Page) (*http.Response, []byte, error) {
	t.Helper()
	for range p.FailsFirst {
		r, _, err := get(t, c, p.URL)
		if err != nil || r.StatusCode < 500 {
			t.Errorf("%s (%s) does not fail at first: %v", p.URL, p.Kind, err)
		}
	}
	return get(t, c, p.URL)
}

func TestEveryURLIsAnsweredAsExpected(t *testing.T) {
	f := webfarmtest.Start(t, everything())
	c := client(t, f)
	requests := 0
	for p := range f.Expect() {
		r, body, err := fetch(t, c, p)
		requests += 1 + max(p.FailsFirst, 0)
		if p.Kind == webfarm.KindReset {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v, want a reset", p.URL, err)
			}
			requests = max(requests, int(f.Audit().Total.Pages)) // net/http may ask again
			continue
		}
		if cut := p.Kind == webfarm.KindTruncated; cut != errors.Is(err, io.ErrUnexpectedEOF) || err != nil && !cut {
			t.Errorf("%s (%s): %v", p.URL, p.Kind, err)
			continue
		}
		to := ""
		if l, err := r.Location(); err == nil {
			to = l.String()
		}
		if p.Reason == "too_many_redirects" {
			to = "" // it closes a circle, so nothing is expected to be there
		}
		if r.StatusCode != p.Status || to != p.RedirectTo || int64(len(body)) != p.Bytes || sha256.Sum256(body) != p.SHA256 {
			t.Errorf("%s is status %d to %q with %d bytes, want %+v", p.URL, r.StatusCode, to, len(body), p)
		}
		if r.Header.Get("Content-Type") != p.ContentType {
			t.Errorf("%s is %q, want %q", p.URL, r.Header.Get("Content-Type"), p.ContentType)
		}
	}
	a := f.Audit().Total
	if int(a.Unique) != f.Total() || int(a.Pages) != requests || a.Excess != 0 || a.Unknown != 0 {
		t.Errorf("%+v, want %d URLs and %d requests", a, f.Total(), requests)
	}
	if a.Disallowed == 0 || a.BeforeRobots != a.Pages {
		t.Errorf("%d disallowed requests, %d before robots.txt", a.Disallowed, a.BeforeRobots)
	}
}

func TestABodyInGzipIsTheSameKeptOrNot(t *testing.T) {
	const pages, keepSome = 20, 40_000
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: pages, Gzip: 1, KeepCoded: keepSome})
	c := client(t, f)
	for range 2 {
		for u := range f.URLs() {
			p, _ := f.Page(u)
			if r, body, err := get(t, c, u); err != nil || !r.Uncompressed || sha256.Sum256(body) != p.SHA256 {
				t.Errorf("%s: another body (%v)", u, err)
			}
		}
	}
}

func TestValidatorsEncodingsAndMethods(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 20, Gzip: 1})
	c := client(t, f)
	u := f.Seeds()[0]
	p, _ := f.Page(u)
	r, _, err := get(t, c, u)
	if err != nil || r.Header.Get("ETag") == "" || !r.Uncompressed {
		t.Fatalf("%+v %v", r, err)
	}
	for name, value := range map[string]string{"If-None-Match": r.Header.Get("ETag"), "If-Modified-Since": r.Header.Get("Last-Modified")} {
		if r, body, err := get(t, c, u, name, value); err != nil || r.StatusCode != 304 || len(body) > 0 {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	if r, _, err := get(t, c, u, "If-None-Match", `"other"`); err != nil || r.StatusCode != 200 {
		t.Errorf("another tag: %v %v", r, err)
	}
	r, body, err := get(t, c, u, "Accept-Encoding", "br, gzip")
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || r.ContentLength != int64(len(body)) {
		t.Fatalf("%+v %v", r, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body, err = io.ReadAll(z); err != nil || sha256.Sum256(body) != p.SHA256 {
		t.Errorf("the body is another when it is compressed: %v", err)
	}
	if r, _, err := get(t, c, u, "Accept-Encoding", "identity"); err != nil || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := c.Head(u); err != nil || r.StatusCode != 200 || r.ContentLength <= 0 {
		t.Errorf("HEAD: %v %v", r, err)
	}
	if r, _, err := get(t, c, u+"nothing"); err != nil || r.StatusCode != 404 || f.Audit().Total.Unknown != 1 {
		t.Errorf("an unknown page: %v %v", r, err)
	}
	if a := f.Audit().Total; a.Connections != 1 || a.Excess != 3 { // twice with encodings, HEAD
		t.Errorf("%+v, want one connection and 3 requests in excess", a)
	}
}

func TestEveryHostAnswersBothSchemes(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 2})
	c := client(t, f)
	for _, u := range f.Seeds() {
		for _, scheme := range []string{"http", "https"} {
			if r, _, err := get(t, c, scheme+strings.TrimPrefix(u, "http")+"robots.txt"); err != nil || r.StatusCode != 200 {
				t.Errorf("%s %s: %v", scheme, u, err)
			}
		}
	}
	for _, h := range f.Audit().Hosts {
		if h.RobotsByScheme["http"] != 1 || h.RobotsByScheme["https"] != 1 || h.Robots != 2 {
			t.Errorf("%+v", h)
		}
	}
	if b := f.Breaches(webfarm.Rules{}); b != nil {
		t.Errorf("robots.txt of both schemes is a breach: %q", b)
	}
}

func TestModesOfRobots(t *testing.T) {
	for name, c := range map[string]struct {
		o    webfarm.RobotsOptions
		want []string // how each request is answered
	}{
		"the rules":                  {webfarm.RobotsOptions{CrawlDelay: 1500 * time.Millisecond}, []string{"200 Crawl-delay: 1.5", "200 Disallow: /"}},
		"missing":                    {webfarm.RobotsOptions{Missing: 1}, []string{"404", "404"}},
		"an error, then the rules":   {webfarm.RobotsOptions{Error: 1, Times: 2}, []string{"500", "500", "200 Disallow: /"}},
		"no answer, then the rules":  {webfarm.RobotsOptions{Hang: 1, HangFor: time.Millisecond}, []string{"EOF", "200 Disallow: /"}},
		"the rules are on another h": {webfarm.RobotsOptions{Redirect: 1}, []string{"301", "301"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := webfarmtest.Start(t, webfarm.Options{Hosts: 3, PagesPerHost: 2, Robots: c.o})
			cl := client(t, f)
			cl.Transport.(*http.Transport).DisableKeepAlives = true // so that net/http does not ask again
			for _, want := range c.want {
				r, body, err := get(t, cl, f.Seeds()[1]+"robots.txt")
				status, text, _ := strings.Cut(want, " ")
				if status == "EOF" {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%v, want no answer", err)
					}
				} else if err != nil || !strings.HasPrefix(r.Status, status) || !strings.Contains(string(body), text) {
					t.Errorf("%v %q %v, want %q", r, body, err, want)
				}
				if status != "301" {
					continue
				}
				to, err := r.Location()
				if err != nil || strings.HasPrefix(to.String(), f.Seeds()[1]) {
					t.Fatalf("to %v %v, want another host", to, err)
				}
				if r, body, err := get(t, cl, to.String()); err != nil || r.StatusCode != 200 || !strings.Contains(string(body), "of host 1") {
					t.Errorf("%v %q %v, want the rules of host 1", r, body, err)
				}
			}
		})
	}
}

func TestControl(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 5})
	s := httptest.NewServer(f.Control())
	defer s.Close()
	get(t, client(t, f), f.Seeds()[1])
	_, body, err := get(t, s.Client(), s.URL+"/__audit")
	var a webfarm.Audit
	if err != nil || json.Unmarshal(body, &a) != nil || a.Total.Pages != 1 || a.Hosts[1].Pages != 1 || a.Hosts[0].MinGap != -1 {
		t.Errorf("%s %v", body, err)
	}
	if _, body, err := get(t, s.Client(), s.URL+"/__urls"); err != nil || strings.Count(string(body), "\n") != 10 {
		t.Errorf("%q %v", body, err)
	}
	if _, body, err := get(t, s.Client(), s.URL+"/__seeds"); err != nil || !slices.Equal(strings.Fields(string(body)), f.Seeds()) {
		t.Errorf("%q %v", body, err)
	}
	if r, err := s.Client().Post(s.URL+"/__reset", "", nil); err != nil || r.StatusCode != 200 || f.Audit().Total.Requests != 0 {
		t.Errorf("%v %v", r, err)
	}
}

func TestHostsAsPorts(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 3, PagesPerHost: 2, Ports: true})
	for _, u := range f.Seeds() {
		if _, _, err := get(t, client(t, f), u); err != nil || !strings.HasPrefix(u, "http://127.0.0.1:") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestAThousandHosts(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: webfarm.MaxHosts, PagesPerHost: 1})
	seeds := f.Seeds()
	if _, _, err := get(t, client(t, f), seeds[len(seeds)-1]); err != nil || len(seeds) != 1000 {
		t.Errorf("%d hosts, %v", len(seeds), err)
	}
}

func TestBrokenRequestsEndTheConnection(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 2})
	address := f.Audit().Hosts[0].Host
	for name, text := range map[string]string{
		"no request line": "\r\n\r\n", "no path": "GET x HTTP/1.1\r\n\r\n", "no version": "GET /\r\n\r\n",
		"no end": "GET / HTTP/1.1\r\n" + strings.Repeat("x: y\r\n", 10_000), "broken TLS": "\x16\x03\x01\x00\x05hello",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(text))
		if b, err := io.ReadAll(c); strings.HasPrefix(string(b), "HTTP") {
			t.Errorf("%s: %q %v", name, b, err)
		}
		c.Close()
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nhost: "+address+"\r\n\r\n", 20)) // all at once
	in := bufio.NewReader(c)
	for range 20 {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
	}
}
