package download

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/lease"
)

func testDownloader(t *testing.T, idle int) *Downloader {
	t.Helper()
	d, err := New(Options{
		Archive: &fakeArchive{}, SpoolDir: t.TempDir(), Backlog: new(testBacklog), Idle: idle, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.CloseIdle)
	return d
}

// listened counts what clients send, below TLS.
type listened struct {
	net.Listener
	conns, bytes, ended atomic.Int64
}

func (l *listened) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.conns.Add(1)
	return &listenedConn{Conn: c, to: l}, nil
}

type listenedConn struct {
	net.Conn
	to   *listened
	over atomic.Bool
}

func (c *listenedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.bytes.Add(int64(n))
	return n, err
}

// Close is called when the client has closed: the server has no reason of its own.
func (c *listenedConn) Close() error {
	if c.over.CompareAndSwap(false, true) {
		c.to.ended.Add(1)
	}
	return c.Conn.Close()
}

// turnServer is a server whose host has one turn after the other.
type turnServer struct {
	t       *testing.T
	d       *Downloader
	url     string
	options SiteOptions
	sent    *listened
}

// serveTurns serves over http, https or h2.
func serveTurns(t *testing.T, kind string) *turnServer {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
		io.WriteString(w, r.Proto)
	}))
	w := &turnServer{t: t, d: testDownloader(t, 10), sent: &listened{Listener: s.Listener}}
	s.Listener = w.sent
	s.EnableHTTP2 = kind == "h2"
	if kind == "http" {
		s.Start()
	} else {
		s.StartTLS()
		w.options.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	}
	t.Cleanup(s.Close)
	job := crawler.NewJob(crawler.Crawl)
	w.url = s.URL
	w.options.Job, w.options.Host, w.options.Lanes = &job, fetchertest.MustURL(t, s.URL).Host(), 2
	w.options.Guard = weburl.AddressGuard{All: true}
	return w
}

// open begins a turn.
func (w *turnServer) open() *Site {
	o := w.options
	o.Lease = lease.New(time.Now(), time.Hour)
	return w.d.Site(o)
}

// page asks for a page in a turn.
func (w *turnServer) page(s *Site) *exchange {
	w.t.Helper()
	x := testExchange(w.t, w.url)
	ask(w.t, s.transport, x)
	return x
}

// turn is a whole turn with one page, which ends in order.
func (w *turnServer) turn() *Site {
	w.t.Helper()
	s := w.open()
	wantOutcome(w.t, w.page(s), crawler.Fetched, "")
	s.Rest(0)
	s.Close(true)
	return s
}

// want compares the connections that there were, and waits until so many of them ended.
func (w *turnServer) want(conns, ended int64) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for w.sent.ended.Load() < ended && ctx.Err() == nil {
		<-look.C
	}
	if c, e := w.sent.conns.Load(), w.sent.ended.Load(); c != conns || e != ended {
		w.t.Errorf("%d connections, %d ended; want %d and %d", c, e, conns, ended)
	}
}

// keepsNothing fails when a connection is kept: it would end as well, later.
func (w *turnServer) keepsNothing() {
	w.t.Helper()
	w.d.keeper.mu.Lock()
	defer w.d.keeper.mu.Unlock()
	if n := w.d.keeper.idle; n != 0 {
		w.t.Errorf("%d connections are kept", n)
	}
}

func TestAnIdleConnectionServesTheNextTurnOfItsHost(t *testing.T) {
	for _, kind := range []string{"http", "https", "h2"} {
		t.Run(kind, func(t *testing.T) {
			w := serveTurns(t, kind)
			for range 3 {
				w.turn()
			}
			w.want(1, 0)
			w.d.CloseIdle()
			w.want(1, 1)
			w.turn()
			w.want(2, 1)
		})
	}
}

func TestNothingIsWrittenBetweenTwoTurns(t *testing.T) {
	for _, kind := range []string{"http", "https", "h2"} {
		for how, do := range map[string]func(*turnServer, *Site){
			"a request":     func(w *turnServer, s *Site) { w.page(s) },
			"a new request": func(w *turnServer, s *Site) { s.transport.inner.CloseIdleConnections(); w.page(s) },
			"the closing":   func(w *turnServer, s *Site) { w.d.CloseIdle() },
			"a lapse":       func(w *turnServer, s *Site) { s.Lapse() },
		} {
			t.Run(kind+", "+how, func(t *testing.T) {
				w := serveTurns(t, kind)
				w.turn()
				s := w.turn() // whose answer says that the server read what HTTP/2 wrote in the first one, too
				sent := w.sent.bytes.Load()
				do(w, s)
				w.want(1, 1)
				if more := w.sent.bytes.Load() - sent; more != 0 {
					t.Errorf("%d bytes more", more)
				}
				if w.turn(); w.sent.conns.Load() != 2 {
					t.Errorf("%d connections, want a second one", w.sent.conns.Load())
				}
			})
		}
	}
}

// HTTP/2 answers a ping by itself. Between two turns that ends the connection, and the next turn opens another.
func TestAPingBetweenTwoTurnsIsNotAnswered(t *testing.T) {
	plain := httptest.NewTLSServer(nil) // for its certificate
	defer plain.Close()
	config := plain.TLS.Clone()
	config.NextProtos = []string{"h2"}
	frames, ping := make(chan http2.FrameType, 100), make(chan struct{})
	s := fetchertest.ServeRaw(t, func(_ *fetchertest.RawServer, _ int64, c net.Conn) {
		defer close(frames)
		f := answerStream(tlsServer(c, config))
		<-ping
		f.WritePing(false, [8]byte{1})
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			frames <- frame.Header().Type
		}
	})
	w := serveTurns(t, "http") // for its options
	w.url, w.options.Host = "https://"+s.Addr+"/", fetchertest.MustURL(t, "https://"+s.Addr+"/").Host()
	w.options.TLS = plain.Client().Transport.(*http.Transport).TLSClientConfig
	w.turn()
	close(ping)
	for frame := range frames {
		if frame == http2.FramePing {
			t.Error("the ping was answered")
		}
	}
}

// answerStream answers the first request on a connection of HTTP/2 with an empty page.
func answerStream(c net.Conn) *http2.Framer {
	io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
	f := http2.NewFramer(c, c)
	f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return f
		}
		if h, ok := frame.(*http2.HeadersFrame); ok {
			f.WriteHeaders(http2.HeadersFrameParam{
				StreamID: h.StreamID, EndHeaders: true, EndStream: true, BlockFragment: []byte{0x88}, // :status 200
			})
			return f
		}
	}
}

func TestATurnThatDidNotEndInOrderLeavesNoConnection(t *testing.T) {
	for name, end := range map[string]func(*turnServer, *Site){
		"its last part was not stored": func(_ *turnServer, s *Site) { s.Rest(0); s.Close(false) },
		"the right lapsed":             func(_ *turnServer, s *Site) { s.Lapse(); s.Rest(0); s.Close(true) },
		"the right lapsed at the end":  func(_ *turnServer, s *Site) { s.Rest(0); s.Lapse(); s.Close(true) },
		"the right ended unnoticed":    func(_ *turnServer, s *Site) { s.lease().End(); s.Rest(0); s.Close(true) },
		"the host is asked much later": func(_ *turnServer, s *Site) { s.Rest(keptFor); s.Close(true) },
		"lanes never rested":           func(_ *turnServer, s *Site) { s.Close(true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := serveTurns(t, "https")
			s := w.open()
			wantOutcome(t, w.page(s), crawler.Fetched, "")
			end(w, s)
			w.keepsNothing()
			w.want(1, 1)
			w.turn()
			w.want(2, 1)
		})
	}
}

// The connection of an exchange that was cut is closed by net/http; the others go with it.
func TestACutExchangeClosesTheOthersToo(t *testing.T) {
	w := serveTurns(t, "http")
	s := w.open()
	ctx, cut := context.WithCancel(t.Context())
	slow := testExchange(t, w.url+"/slow")
	slow.permit = &testPermit{onHeard: func(crawler.Result) {
		wantOutcome(t, w.page(s), crawler.Fetched, "")
		cut()
	}}
	askWith(t, ctx, s.transport, slow, nil)
	if slow.verdict != CutOff {
		t.Errorf("verdict %v", slow.verdict)
	}
	s.Rest(0)
	s.Close(true)
	w.keepsNothing()
	w.want(2, 2)
}

func TestOnlyATurnOnTheSameTermsTakesAConnection(t *testing.T) {
	lower := func(change func(*crawler.FetchLimits)) func(*SiteOptions) {
		return func(o *SiteOptions) {
			job := *o.Job
			change(&job.Fetch)
			o.Job = &job
		}
	}
	for name, c := range map[string]struct {
		change func(*SiteOptions)
		shared bool
	}{
		"the same, read anew":      {func(o *SiteOptions) { o.Guard = weburl.NewAddressGuard([]string{"127.0.0.0/8"}, nil) }, true},
		"a limit of no connection": {lower(func(l *crawler.FetchLimits) { l.MaxBody /= 2 }), true},
		"all addresses are open":   {func(o *SiteOptions) { o.Guard = weburl.NewAddressGuard([]string{"127.0.0.0/8", "all"}, nil) }, false},
		"another network is open":  {func(o *SiteOptions) { o.Guard = weburl.NewAddressGuard([]string{"127.0.0.0/16"}, nil) }, false},
		"a seed spells an address": {func(o *SiteOptions) {
			o.Guard = weburl.NewAddressGuard([]string{"127.0.0.0/8"}, []string{"10.0.0.1:80"})
		}, false},
		"other certificates":   {func(o *SiteOptions) { o.TLS = o.TLS.Clone() }, false},
		"more lanes":           {func(o *SiteOptions) { o.Lanes++ }, false},
		"less time to connect": {lower(func(l *crawler.FetchLimits) { l.Connect /= 2 }), false},
		"shorter heads":        {lower(func(l *crawler.FetchLimits) { l.HeaderBytes /= 2 }), false},
		"another User-Agent":   {func(o *SiteOptions) { job := *o.Job; job.UserAgent = "other"; o.Job = &job }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := serveTurns(t, "https")
			w.options.Guard = weburl.NewAddressGuard([]string{"127.0.0.0/8"}, nil)
			w.turn()
			c.change(&w.options)
			w.turn()
			if c.shared {
				w.want(1, 0)
			} else {
				w.want(2, 1)
			}
		})
	}
}

// The guard judges an address when a connection is opened: no later turn goes on where its own guard would not let it.
func TestAGuardThatChangedLeavesNoWayToThePrivateAddress(t *testing.T) {
	w := serveTurns(t, "http")
	w.options.Guard = weburl.AddressGuard{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	w.turn()
	w.options.Guard = weburl.AddressGuard{}
	s := w.open()
	wantOutcome(t, w.page(s), crawler.Failed, crawler.ReasonPrivateAddress)
	s.Close(true)
	w.want(1, 1)
}

func TestATurnThatTakesAConnectionBeginsWithItsOwnAddresses(t *testing.T) {
	w := serveTurns(t, "http")
	host := fetchertest.MustURL(t, w.url)
	resolver := &fakeResolver{names: map[string][]string{"site.test": {"127.0.0.1"}}}
	w.url = fmt.Sprintf("http://site.test:%d/", host.Port())
	w.options.Host = fetchertest.MustURL(t, w.url).Host()
	s := w.open()
	s.transport.dialer.Resolver = resolver
	wantOutcome(t, w.page(s), crawler.Fetched, "")
	s.Rest(0)
	next := w.open()
	if a := s.Learned(); len(a) != 1 || a[0] != "127.0.0.1" {
		t.Errorf("the first turn learned %v", a)
	}
	if a := next.Learned(); a != nil {
		t.Errorf("the next turn learned %v without a question", a)
	}
	s.Close(true)
	wantOutcome(t, w.page(next), crawler.Fetched, "")
	next.Close(true)
	w.want(1, 1)
}

// lease is the right of the turn that has the site.
func (s *Site) lease() *lease.Lease { return s.transport.dialer.Lease }

// rests makes a transport that rests with so many connections, and functions that say whether they are open.
func rests(t *testing.T, d *Downloader, host weburl.Host, conns int) (e *resting, open func() int) {
	t.Helper()
	tr := newTransport(transportOptions{
		Options: dial.Options{Lease: lease.New(time.Now(), time.Hour), TLS: &tls.Config{}}, Limits: testLimits(), Lanes: conns, Kit: d.kit,
	})
	var ended atomic.Int64
	for range conns {
		ours, theirs := net.Pipe()
		if _, err := tr.dialer.Adopt(ours); err != nil {
			t.Fatal(err)
		}
		go func() {
			io.Copy(io.Discard, theirs)
			ended.Add(1)
			theirs.Close()
		}()
	}
	e = &resting{host: host, over: tr, idle: tr.rest()}
	if e.idle != conns {
		t.Errorf("%d connections are idle, want %d", e.idle, conns)
	}
	return e, func() int { synctest.Wait(); return conns - int(ended.Load()) }
}

func TestIdleConnectionsAreBoundedInNumberAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDownloader(t, 5)
		k := d.keeper
		a, openA := rests(t, d, "a.test", 2)
		b, openB := rests(t, d, "b.test", 2)
		c, openC := rests(t, d, "c.test", 3)
		many, openMany := rests(t, d, "many.test", 6)
		want := func(as, bs, cs, ms int) {
			t.Helper()
			if a, b, c, m := openA(), openB(), openC(), openMany(); a != as || b != bs || c != cs || m != ms {
				t.Errorf("open: %d, %d, %d, %d; want %d, %d, %d, %d", a, b, c, m, as, bs, cs, ms)
			}
		}
		k.put(a)
		pass(time.Second)
		k.put(b)
		k.put(many) // more than are kept at all
		want(2, 2, 3, 0)
		k.put(c) // the oldest makes room
		want(0, 2, 3, 0)
		if !k.crowded {
			t.Error("the limit left no mark")
		}
		pass(keptFor - time.Nanosecond)
		want(0, 2, 3, 0)
		if k.take("b.test", terms{}) != b.over { // its time is over no more
			t.Error("what is kept was not handed over")
		}
		if k.take("b.test", terms{}) != nil || k.take("a.test", terms{}) != nil {
			t.Error("what is not kept was handed over")
		}
		pass(time.Second)
		want(0, 2, 0, 0)
		b.over.close()
		if k.idle != 0 || len(k.hosts) != 0 || k.order.Len() != 0 {
			t.Errorf("%d connections are counted, of %d hosts", k.idle, len(k.hosts))
		}
	})
}

func TestTheSameHostIsKeptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDownloader(t, 5)
		older, openOlder := rests(t, d, "a.test", 2)
		newer, openNewer := rests(t, d, "a.test", 3)
		d.keeper.put(older)
		d.keeper.put(newer)
		d.keeper.drop(older) // it is not there any more
		if openOlder() != 0 || openNewer() != 3 || d.keeper.idle != 3 {
			t.Errorf("%d and %d open, %d counted", openOlder(), openNewer(), d.keeper.idle)
		}
	})
}

func pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}
