package download

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download/decode"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/download/head"
	"trawl/fetcher/lease"
	"trawl/fetcher/trouble"
)

// Flow control of HTTP/2: what a server may send ahead of our reading, in bytes.
const (
	h2StreamBuffer     = 1 * crawler.MiB
	h2ConnectionBuffer = 3 * crawler.MiB
)

// readBuffers is the memory into which the connections of one host read, in bytes, each at least leastReadBuffer: head and body of
// a usual page come in one read instead of two or three. It bounds what idle connections hold, whatever their number.
const (
	readBuffers     = 32 * crawler.KiB
	leastReadBuffer = 4 * crawler.KiB // the library's own
)

// errRevoked: the request's permit was revoked before it was written.
var errRevoked = errors.New("the host may not be asked yet")

// errClosedIdle: the connection was closed by the server while nobody used it, so the request was no try.
var errClosedIdle = errors.New("the server had closed the idle connection")

// maxClosedIdle is how many requests in a row, without an answer between them, are taken to have met a connection that
// the server had closed; later ones count as tries.
const maxClosedIdle = 8

// transportOptions of the way to one host. Fields without a remark must be set.
type transportOptions struct {
	dial.Options // but for Limit, which is Limits.Connect

	Limits    crawler.FetchLimits // Connect and HeaderBytes are taken from here
	Lanes     int                 // connections at once
	Kit       *bodyKit
	Bandwidth *rate.Limiter                    // of the node, bytes; nil = no limit
	Proxy     func(*url.URL) (*url.URL, error) // the proxy for a URL, nil for none; nil = none at all
	Agent     string                           // User-Agent towards a proxy
}

// transport is the way to one host: the one place that sees an exchange as it is. It sends
// each request once, over connections of its own that are tied to the lease of the turn that has it, streams the body
// under the limits, and fills in the exchange. Safe for concurrent use by lanes. After a turn that ended in order it may
// rest until the next turn of its host renews it; close must be called.
type transport struct {
	inner  *http.Transport
	dialer *dial.Dialer
	kit    *bodyKit
	band   *rate.Limiter
	proxy  func(*url.URL) (*url.URL, error)
	closed atomic.Int32 // requests since the last answer that met a connection closed while it was idle
	broken atomic.Bool  // an exchange was cut by us, or the lease ended
}

func newTransport(o transportOptions) *transport {
	o.Limit = o.Limits.Connect
	d := dial.New(o.Options)
	limit := cmp.Or(o.Limits.HeaderBytes, crawler.MiB)
	tapped := func(open func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := open(ctx, network, address)
			if err != nil || multiplexed(conn) {
				return conn, err
			}
			return head.NewTap(conn, limit), nil
		}
	}
	return &transport{dialer: d, kit: o.Kit, band: o.Bandwidth, proxy: o.Proxy, inner: &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) { return dial.ProxyOf(r.Context()), nil }, TLSClientConfig: d.TLS.Clone(),
		ProxyConnectHeader: http.Header{"User-Agent": {o.Agent}}, OnProxyConnectResponse: connected,
		DialContext: tapped(d.Dial), DialTLSContext: tapped(d.DialTLS), ForceAttemptHTTP2: true,
		ReadBufferSize:     max(leastReadBuffer, readBuffers/max(1, o.Lanes)),
		DisableCompression: true, MaxResponseHeaderBytes: o.Limits.HeaderBytes,
		MaxConnsPerHost: o.Lanes, MaxIdleConnsPerHost: o.Lanes,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: h2StreamBuffer, MaxReceiveBufferPerConnection: h2ConnectionBuffer},
	}}
}

// rest takes the transport from its turn, when no exchange is under way. It returns how many connections it has that the next
// turn of the host may use, 0 when it is to be closed.
func (t *transport) rest() (idle int) {
	if t.dialer.Ended() {
		t.broken.Store(true) // the lease may have ended without a watch that noticed yet
	}
	if t.broken.Load() {
		return 0
	}
	return t.dialer.Rest()
}

// renew gives a transport that rests to a turn.
func (t *transport) renew(l *lease.Lease, addresses []string) {
	t.closed.Store(0)
	t.dialer.Renew(l, addresses)
}

// lapse closes all connections at once: the lease ended.
func (t *transport) lapse() {
	t.broken.Store(true)
	t.dialer.Lapse()
}

// close ends all connections. No exchange may be under way.
func (t *transport) close() {
	t.inner.CloseIdleConnections()
	t.dialer.Close()
}

// carry carries out an exchange that has begun, see its RoundTrip.
func (t *transport) carry(req *http.Request, x *exchange) (*http.Response, error) {
	c := t.newCall(req.Context(), x)
	defer c.end()
	via, err := t.via(x.url)
	if err != nil {
		x.finish()
		return nil, c.failed(err)
	}
	c.proxied = via != nil
	if !wantsWhole(via, x.url) {
		c.inFront = inFront(x.url)
	}
	resp, err := t.inner.RoundTrip(overProxy(c.request(req.Header), via, x.url))
	if err != nil {
		x.finish()
		return nil, c.failed(err)
	}
	t.closed.Store(0)
	x.answered(resp)
	if x.permit != nil {
		x.permit.Heard(&x.result)
	}
	if !x.continues(resp) {
		return nil, c.pass(resp, x.why)
	}
	if !x.wanted() {
		return nil, c.pass(resp, errUnwanted)
	}
	c.read(resp)
	x.finish()
	if why := c.lost(); why != nil && x.cut.reason != "" {
		c.cutOff(why)
	}
	if x.verdict != Counts {
		return nil, x.why
	}
	x.judge()
	return handOver(resp, req, x), nil
}

// call is what one exchange needs while it is under way. Owned by the goroutine of carry, in which net/http
// also calls gotConn.
type call struct {
	t       *transport
	x       *exchange
	parent  context.Context
	ctx     context.Context
	cancel  context.CancelCauseFunc
	clock   *exchangeClock
	wrote   sync.Once
	proxied bool
	inFront string     // of the path in the request line, and not to be sent
	conn    *dial.Conn // nil before there is one
	reused  bool       // it carried a request before
	written int64      // bytes sent on it before this request
	conns   int        // times net/http chose a connection
	revoked bool       // the permit was revoked before a connection was ready
}

func (t *transport) newCall(parent context.Context, x *exchange) *call {
	c := &call{t: t, x: x, parent: parent}
	ctx, cancel := context.WithCancelCause(parent)
	c.cancel = cancel
	c.ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:          c.gotConn,
		WroteHeaderField: x.sent.add,
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil && x.permit != nil && !c.revoked { // revoked: written to a buffer that nobody sends
				c.wrote.Do(x.permit.Wrote)
			}
		},
	})
	c.clock = x.clock
	c.clock.begin(timeLimit{"not done within", x.limits.Total}, cancel)
	c.clock.enter(timeLimit{"no connection within", x.limits.Connect})
	return c
}

func (c *call) end() {
	c.clock.end()
	c.cancel(nil)
}

// request makes the request from the exchange's URL, byte for byte: net/url, and colly before it,
// would rewrite some.
func (c *call) request(header http.Header) *http.Request {
	h := header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set("Accept-Encoding", decode.AcceptEncoding)
	if c.x.identity || c.x.ranged() {
		h.Set("Accept-Encoding", "identity")
	}
	c.x.asksPart = h.Get("Range") != ""
	c.x.askForRest(h)
	c.x.conditional = h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != ""
	u := requestURL(c.x.url)
	r := &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return r.WithContext(c.ctx)
}

// requestURL gives net/http the path as it stands: in Opaque it is sent unchanged. A path that begins with
// two slashes would be taken for a host there, so the host stands in front of it, see inFront.
func requestURL(u weburl.URL) *url.URL {
	path, query, asked := strings.Cut(u.RequestURI(), "?")
	rest := strings.TrimPrefix(u.String(), u.Scheme()+"://")
	out := &url.URL{
		Scheme: u.Scheme(), Host: strings.TrimSuffix(rest, u.RequestURI()),
		Opaque: path, RawQuery: query, ForceQuery: asked && query == "",
	}
	if strings.HasPrefix(path, "//") {
		out.Opaque = "//" + out.Host + path
	}
	return out
}

// inFront is what net/http puts in front of the path in the request line for requestURL, "" for nothing. Over HTTP/2 it
// takes it away itself; over HTTP/1 the connection's tap does.
func inFront(u weburl.URL) string {
	if !strings.HasPrefix(u.RequestURI(), "//") {
		return ""
	}
	return strings.TrimSuffix(u.String(), u.RequestURI())
}

// gotConn is called each time net/http has a connection for the request and is about to send it. The
// second time would be a request that nobody paced: it is cancelled, and its connection refuses to write.
// (HTTP/2 looks at the context before it writes, and its connection has other requests.)
func (c *call) gotConn(info httptrace.GotConnInfo) {
	conn := leasedBelow(info.Conn)
	c.conns++
	if c.conns > 1 {
		c.refuse(conn, info.Conn, errResent)
		return
	}
	if c.x.permit != nil && !c.x.permit.Valid() {
		c.revoked = true
		c.refuse(conn, info.Conn, errRevoked)
		return
	}
	c.x.requests = 1
	c.reused = info.Reused
	if tap := head.TapOf(info.Conn); tap != nil {
		tap.Expect(&c.x.head, c.inFront)
	}
	if conn != nil {
		c.conn, c.written = conn, conn.BytesSent()
		if !c.proxied {
			c.x.result.IP = conn.IP()
		}
	}
	c.clock.enter(timeLimit{"no answer within", c.x.limits.FirstByte})
}

// refuse keeps the request from being written.
func (c *call) refuse(conn *dial.Conn, below net.Conn, why error) {
	c.cancel(why)
	if conn != nil && !multiplexed(below) {
		conn.Refuse()
	}
}

// lost says why the exchange was given up by us: the caller's context, the lease, the permit or the turn ended. nil
// otherwise.
func (c *call) lost() error {
	switch {
	case c.parent.Err() != nil:
		return context.Cause(c.parent)
	case c.conn != nil && c.conn.HasLapsed(), c.t.dialer.Ended():
		return lease.ErrOver
	case c.revoked:
		return errRevoked
	}
	return nil
}

// cutOff notes that we gave the exchange up. What it left behind on the wire is not known: no later turn may go on there.
func (c *call) cutOff(why error) {
	c.t.broken.Store(true)
	c.x.end(CutOff, why)
}

// failed notes why there is no answer.
func (c *call) failed(err error) error {
	if why := cmp.Or(c.lost(), dial.EndOfLease(err)); why != nil {
		c.cutOff(why)
		return why
	}
	if cause := context.Cause(c.ctx); cause != nil {
		err = cause
	}
	if trouble.IsShortage(err) {
		c.x.end(MachineShort, err)
		return err
	}
	c.x.noAnswer(err)
	if c.closedIdle(err) {
		c.x.end(CutOff, errClosedIdle)
		c.t.inner.CloseIdleConnections() // they are as old
	}
	return err
}

// closedIdle reports whether the connection had carried requests before and ended before a byte of this answer came: the
// server had most likely closed it while nobody used it, and never saw the request (RFC 9112 section 9.5).
func (c *call) closedIdle(err error) bool {
	var stream *streamError
	if !c.reused || c.x.result.Reason != crawler.ReasonReset || c.x.head.Came.Load() || asStream(err, &stream) {
		return false
	}
	if c.t.closed.Add(1) > maxClosedIdle {
		return false
	}
	if c.conn != nil && c.conn.BytesSent() == c.written {
		c.x.requests = 0
	}
	return true
}

// read streams the body. A body that we give up is closed unread, which closes its connection.
func (c *call) read(resp *http.Response) {
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	newBodyPass(c.x, c.t.kit, c.wire(resp)).run()
}

// wire makes the body of an answer readable under the limits.
func (c *call) wire(resp *http.Response) *wireBody {
	idle := timeLimit{"no byte for", c.x.limits.Idle}
	c.clock.body(idle)
	toClose := resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	return &wireBody{ctx: c.ctx, r: resp.Body, clock: c.clock, idle: idle, bandwidth: c.t.band, toClose: toClose}
}

// pass ends an exchange whose body nobody wants.
func (c *call) pass(resp *http.Response, why error) error {
	if n := resp.ContentLength; n > 0 && n <= drainLimit {
		io.Copy(io.Discard, c.wire(resp)) // what matters is that the connection can be used again
	}
	resp.Body.Close()
	c.x.finish()
	return why
}

// handOver makes the answer that colly sees: facts and header of the real one without what speaks of the coding, and the text,
// or neither header nor text where nobody reads one.
func handOver(resp *http.Response, req *http.Request, x *exchange) *http.Response {
	out, text := *resp, x.text
	out.Request = req
	out.Status, out.StatusCode = x.status, x.result.Status
	out.Header = nil
	if x.textLimit > 0 {
		out.Header = x.header.Clone()
		out.Header.Del("Content-Encoding")
		out.Header.Del("Content-Length")
	}
	out.TransferEncoding, out.Trailer = nil, nil
	out.Uncompressed = true // or colly would look for gzip by itself
	out.Body, out.ContentLength = http.NoBody, 0
	if len(text) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	return &out
}

// leasedBelow finds the leased connection below what net/http uses, nil when there is none.
func leasedBelow(conn net.Conn) *dial.Conn {
	for { // TLS to a server through TLS to a proxy has two layers, each perhaps with a tap
		conn = head.Below(conn)
		t, ok := conn.(*tls.Conn)
		if !ok {
			break
		}
		conn = t.NetConn()
	}
	c, _ := conn.(*dial.Conn)
	return c
}

// multiplexed reports whether several requests share the connection (HTTP/2).
func multiplexed(conn net.Conn) bool {
	t := head.TLS(conn)
	return t != nil && t.ConnectionState().NegotiatedProtocol == "h2"
}
