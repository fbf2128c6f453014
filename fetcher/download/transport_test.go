package download

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocolly/colly/v2"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"trawl/crawler"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/lease"
)

func TestExchangeFillsInTheFacts(t *testing.T) {
	var got http.Header
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		io.WriteString(w, "<title> A  page </title><a href=/next>x</a>")
	})
	tr := testTransport(t, nil)
	x := testExchange(t, s.URL+"/page?q=1")
	x.textLimit = 1000
	var wrote atomic.Int64
	x.permit = &testPermit{onWrote: func() { wrote.Add(1) }}
	body := askWith(t, t.Context(), tr, x, http.Header{"User-Agent": {"trawl/1"}})

	wantOutcome(t, x, crawler.Fetched, "")
	r := x.result
	if r.Status != 200 || r.ContentType != "text/html; charset=utf-8" || r.ETag != `"v1"` || r.LastModified != "Mon, 02 Jan 2006 15:04:05 GMT" ||
		r.IP != "127.0.0.1" || r.Title != "A page" || r.Links != 1 || r.Bytes != 43 || r.Truncated || r.URL != x.url || r.FetchedAt.IsZero() {
		t.Errorf("facts: %+v", r)
	}
	if want := (crawler.Link{URL: fetchertest.MustURL(t, s.URL+"/next"), Kind: crawler.LinkPage}); !slices.Equal(x.found, []crawler.Link{want}) {
		t.Errorf("links: %v", x.found)
	}
	if got.Get("Accept-Encoding") != "gzip, deflate, br, zstd" || got.Get("User-Agent") != "trawl/1" {
		t.Errorf("header as the server saw it: %v", got)
	}
	if !strings.HasPrefix(body, "<title>") || wrote.Load() != 1 || x.requests != 1 {
		t.Errorf("body %q, wrote called %d times, %d requests", body, wrote.Load(), x.requests)
	}
}

func TestRequestGoesOutAsTheURLStands(t *testing.T) {
	for _, uri := range []string{"/a|b", "/100%", "/a%2fb", "//two//slashes", "/q?", "/q?a=|&b=%zz", "/%7Euser/", "/a;b=c"} {
		t.Run(uri, func(t *testing.T) {
			line := make(chan string, 1)
			s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c net.Conn) {
				head := s.Request(bufio.NewReader(c))
				line <- strings.SplitN(head, "\r\n", 2)[0]
				io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			})
			x := testExchange(t, "http://"+s.Addr+uri)
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Fetched, "")
			if got, want := <-line, "GET "+x.url.RequestURI()+" HTTP/1.1"; got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
}

func TestExchangeIsForOneRequest(t *testing.T) {
	var requests atomic.Int64
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	x := testExchange(t, s.URL+"/")
	x.over = testTransport(t, nil)
	x.textLimit = 1 // so that it is given a Location
	defer x.release()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if _, err := (&http.Client{Transport: x}).Do(req); !errors.Is(err, errUsed) {
		t.Error("a client that follows redirects got an answer")
	}
	if requests.Load() != 1 {
		t.Errorf("the server saw %d requests, want 1", requests.Load())
	}
	wantOutcome(t, x, crawler.Redirected, "")
}

// The server answers one request, reads the next one, and hangs up without an answer, as one does whose
// patience with a kept connection ends at that moment. net/http would ask again by itself.
func TestRequestOnAConnectionThatIsClosedIsNotSentAgain(t *testing.T) {
	s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, n int64, c net.Conn) {
		r := bufio.NewReader(c)
		for i := 0; s.Request(r) != ""; i++ {
			if n == 1 && i == 1 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := testTransport(t, nil)
	first, second, third := testExchange(t, s.URL), testExchange(t, s.URL), testExchange(t, s.URL)
	ask(t, tr, first)
	wantOutcome(t, first, crawler.Fetched, "")
	ask(t, tr, second)
	if second.why != errClosedIdle || second.requests != 1 {
		t.Errorf("verdict: %v, %d requests", second.why, second.requests)
	}
	ask(t, tr, third)
	wantOutcome(t, third, crawler.Fetched, "")
	if n := s.Requests.Load(); n != 3 {
		t.Errorf("the server saw %d requests for 3 exchanges", n)
	}
}

// A server refuses a stream of HTTP/2, which net/http takes as permission to ask again.
func TestRefusedStreamIsNotAskedForAgain(t *testing.T) {
	plain := httptest.NewTLSServer(nil) // for its certificate
	defer plain.Close()
	config := plain.TLS.Clone()
	config.NextProtos = []string{"h2"}
	var requests atomic.Int64
	s := fetchertest.ServeRaw(t, func(_ *fetchertest.RawServer, _ int64, c net.Conn) {
		refuseStreams(tlsServer(c, config), &requests)
	})
	tr := testTransport(t, func(o *transportOptions) {
		o.TLS = plain.Client().Transport.(*http.Transport).TLSClientConfig
	})
	x := testExchange(t, "https://"+s.Addr+"/")
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonReset)
	if requests.Load() != 1 {
		t.Errorf("the server saw %d requests, want 1", requests.Load())
	}
}

func refuseStreams(c net.Conn, requests *atomic.Int64) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			requests.Add(1)
			f.WriteRSTStream(h.StreamID, http2.ErrCodeRefusedStream)
		}
	}
}

func TestExchangeOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	tr := testTransport(t, func(o *transportOptions) {
		o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	})
	x := testExchange(t, s.URL+"/a?b")
	x.textLimit = 100
	body := askWith(t, t.Context(), tr, x, http.Header{"User-Agent": {"trawl/1"}, "Authorization": {"Basic secret"}})
	wantOutcome(t, x, crawler.Fetched, "")
	if body != "HTTP/2.0" || x.proto != "h2" || x.result.IP != "127.0.0.1" {
		t.Errorf("body %q, protocol %q, ip %q", body, x.proto, x.result.IP)
	}
	head := string(x.requestHead(nil))
	if !strings.HasPrefix(head, "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:") || !strings.Contains(head, "User-Agent: trawl/1\r\n") || strings.Contains(head, "secret") {
		t.Errorf("request head: %q", head)
	}
}

func TestEndOfTheLeaseCutsWhatIsUnderWayAndSilencesTheTurn(t *testing.T) {
	var requests atomic.Int64
	started, gone := make(chan struct{}, 1), make(chan struct{}, 1)
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		started <- struct{}{}
		<-r.Context().Done() // the connection was closed
		gone <- struct{}{}
	})
	right := lease.New(time.Now(), time.Hour)
	tr := testTransport(t, func(o *transportOptions) { o.Lease = right })
	var running sync.WaitGroup
	running.Go(func() { right.Watch(t.Context(), time.Now, tr.dialer.Lapse) })
	go func() {
		<-started
		right.End()
	}()
	x := testExchange(t, s.URL+"/slow")
	ask(t, tr, x)
	if x.why != lease.ErrOver {
		t.Errorf("verdict: %v, outcome %v %v", x.why, x.result.Outcome, x.result.Reason)
	}
	<-gone
	running.Wait()

	later := testExchange(t, s.URL+"/later")
	ask(t, tr, later)
	if later.why != lease.ErrOver || later.requests != 0 {
		t.Errorf("after the end: %v, %d requests", later.why, later.requests)
	}
	if requests.Load() != 1 {
		t.Errorf("the server saw %d requests, want 1", requests.Load())
	}
}

// Nobody watches this lease: only the connection itself compares the clock, right before it writes.
func TestKeptConnectionRefusesToWriteAfterTheLease(t *testing.T) {
	s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		for r := bufio.NewReader(c); s.Request(r) != ""; {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	t0 := time.Now()
	right := lease.New(t0, 15*time.Second)
	var ahead atomic.Int64
	now := func() time.Time { return t0.Add(time.Duration(ahead.Load())) }
	tr := testTransport(t, func(o *transportOptions) { o.Lease, o.Now = right, now })
	x := testExchange(t, s.URL)
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Fetched, "")

	ahead.Store(int64(15 * time.Second))
	x = testExchange(t, s.URL)
	ask(t, tr, x)
	if x.why != lease.ErrOver || s.Requests.Load() != 1 {
		t.Errorf("after the end: %v; the server saw %d requests", x.why, s.Requests.Load())
	}

	right.Extend(now(), 15*time.Second)
	x = testExchange(t, s.URL)
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Fetched, "")
}

// The permit is asked for when there is a connection, right before the request is written.
func TestRequestWhosePermitIsRevokedIsNotWritten(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			var requests atomic.Int64
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
			s.EnableHTTP2 = h2
			s.StartTLS()
			t.Cleanup(s.Close)
			tr := testTransport(t, func(o *transportOptions) { o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig })
			held := testExchange(t, s.URL)
			held.permit = &testPermit{onValid: func() bool { return false }, onWrote: func() { t.Error("the request was written") }}
			ask(t, tr, held)
			if held.why != errRevoked || held.requests != 0 {
				t.Errorf("verdict: %v, %d requests", held.why, held.requests)
			}
			heard := make(chan crawler.Result, 1)
			after := testExchange(t, s.URL)
			after.permit = &testPermit{onHeard: func(r crawler.Result) { heard <- r }}
			ask(t, tr, after)
			wantOutcome(t, after, crawler.Fetched, "")
			if r := <-heard; r.Status != 200 || requests.Load() != 1 {
				t.Errorf("heard of status %d; the server saw %d requests", r.Status, requests.Load())
			}
		})
	}
}

func TestCallersEndLeavesNoResult(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancelCause(t.Context())
	x := testExchange(t, s.URL)
	x.permit = &testPermit{onWrote: func() { cancel(fetchertest.ErrTest) }}
	askWith(t, ctx, testTransport(t, nil), x, nil)
	if x.why != fetchertest.ErrTest || x.requests != 1 {
		t.Errorf("verdict: %v, %d requests", x.why, x.requests)
	}
}

func TestConnectionsOfATurnAreKeptAndBounded(t *testing.T) {
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) }))
	closed := make(chan struct{}, 100)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	tr := testTransport(t, nil)
	var lanes sync.WaitGroup
	for lane := range 2 {
		lanes.Go(func() {
			for i := range 20 {
				x := testExchange(t, fmt.Sprintf("%s/%d/%d", s.URL, lane, i))
				ask(t, tr, x)
				wantOutcome(t, x, crawler.Fetched, "")
			}
		})
	}
	lanes.Wait()
	if n := conns.Load(); n > 2 {
		t.Errorf("%d connections for 2 lanes", n)
	}
	tr.close()
	for range conns.Load() { // none stays open
		<-closed
	}
	x := testExchange(t, s.URL)
	ask(t, tr, x)
	if x.why != lease.ErrOver {
		t.Errorf("an exchange after close: %v %v", x.why, x.result)
	}
}

// The cancelling of a request does not keep net/http's writer from writing: only its connection does.
func TestConnectionOfASecondTryRefusesToWrite(t *testing.T) {
	tr := testTransport(t, nil)
	c := tr.newCall(t.Context(), testExchange(t, "http://a.test/"))
	defer c.end()
	var ours [2]*dial.Conn
	var theirs [2]net.Conn
	var err error
	for i := range ours {
		var client net.Conn
		client, theirs[i] = net.Pipe()
		if ours[i], err = tr.dialer.Adopt(client); err != nil {
			t.Fatal(err)
		}
		c.gotConn(httptrace.GotConnInfo{Conn: ours[i]})
	}
	if context.Cause(c.ctx) != errResent {
		t.Errorf("the request goes on: %v", context.Cause(c.ctx))
	}
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(theirs[1])
		got <- b
	}()
	_, err = ours[1].Write([]byte("GET"))
	ours[1].Close()
	if b := <-got; err == nil || len(b) != 0 {
		t.Errorf("the server got %q, error %v", b, err)
	}
	ours[0].Close()
}

// colly would gunzip by content type and by name, if the answer did not say that it is not compressed.
func TestCollyLeavesABodyAsItIs(t *testing.T) {
	want := fetchertest.Gzipped([]byte("an archive"))
	s := serveBody(t, want, "Content-Type", "application/gzip")
	var got []byte
	c := colly.NewCollector()
	c.OnResponse(func(r *colly.Response) { got = r.Body })
	x := testExchange(t, s+"/map.xml.gz")
	x.over = testTransport(t, nil)
	c.WithTransport(x)
	defer x.release()
	x.textLimit, x.robots = 1000, true
	if err := c.Request(http.MethodGet, x.url.String(), nil, nil, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("colly got %q, error %v", got, err)
	}
	wantBody(t, x, want, want, false)
}
