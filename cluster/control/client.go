package control

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"trawl/cluster"
	"trawl/cluster/trust"
	"trawl/crawler"
)

// MaxAnswer is the most bytes that a client reads of an answer.
const MaxAnswer = 16 << 20

// ErrNotRunning: nobody answers at the control address.
var ErrNotRunning = errors.New("no trawl answers")

// errChangedKeys: the connection was made with a certificate that was accepted then and is not any more. A new one may
// be let in.
var errChangedKeys = errors.New("the cluster's keys have changed since this connection was made: try again")

// Client asks a node's control API. It is safe for concurrent use. Every call has a deadline of its
// own besides the context's.
type Client struct {
	target string
	base   string
	http   *http.Client
	link   *http.Transport
}

// NewClient asks at a Unix socket (a path) or at HOST:PORT; there with TLS (from [trust.Keyring.ClientTLS]) unless
// it is nil. Nothing is opened before the first call.
func NewClient(target string, tlsConfig *tls.Config) *Client {
	t := &http.Transport{
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   Timeout,
		ExpectContinueTimeout: Timeout,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       IdleTimeout / 2,
		DisableCompression:    true,
	}
	c := &Client{target: target, link: t, http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch {
	case isSocket(target):
		c.base = "http://" + trust.ServerName
		t.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return net.DialTimeout("unix", target, Timeout)
		}
	case tlsConfig != nil:
		c.base = "https://" + target
		t.DialContext = (&net.Dialer{Timeout: Timeout}).DialContext
	default:
		c.base = "http://" + target
		t.DialContext = (&net.Dialer{Timeout: Timeout}).DialContext
	}
	return c
}

// Follow asks at the HOST:PORT that address returns at each new connection: a scheduler may come back elsewhere.
// tlsConfig is as for [NewClient].
func Follow(address func() string, tlsConfig *tls.Config) *Client {
	c := NewClient("127.0.0.1:0", tlsConfig)
	c.target = "the scheduler"
	dialer := &net.Dialer{Timeout: Timeout}
	c.link.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address())
	}
	return c
}

// ProveWith lets every request bring what proves the secret. It returns the client, and is called before its first use.
func (c *Client) ProveWith(keys *trust.Keyring) *Client {
	c.http.Transport = keys.Bearer(c.http.Transport)
	return c
}

// isSocket distinguishes a path from HOST:PORT.
func isSocket(target string) bool {
	_, _, err := net.SplitHostPort(target)
	return err != nil || strings.ContainsRune(target, '/')
}

// Connect looks whether somebody answers at the control address: [ErrNotRunning] when nobody does.
func (c *Client) Connect(ctx context.Context) error {
	conn, err := c.link.DialContext(ctx, "tcp", c.target)
	if err != nil {
		return c.explain(ctx, err)
	}
	return conn.Close()
}

// Close closes idle connections. The client can still be used.
func (c *Client) Close() { c.link.CloseIdleConnections() }

// Status asks for a snapshot of the job.
func (c *Client) Status(ctx context.Context) (crawler.Status, error) {
	var s crawler.Status
	err := c.call(ctx, Timeout, http.MethodGet, pathStatus, nil, &s)
	return s, err
}

// Stop asks the node to end as after an interrupt. It returns when the node has taken the request, not
// when it has ended.
func (c *Client) Stop(ctx context.Context) error {
	return c.call(ctx, Timeout, http.MethodPost, pathStop, nil, nil)
}

// Size reports how many bytes of a shipped file have arrived.
func (c *Client) Size(ctx context.Context, name string) (int64, error) {
	var s depotSize
	err := c.call(ctx, Timeout, http.MethodGet, pathSize, url.Values{"name": {name}}, &s)
	return s.Size, err
}

// Append ships n bytes of a file from its offset on, which must be [Client.Size]. They are durable
// there when it returns nil; after an error some may have arrived, so ask for the size again. Reading from
// r has ended when it returns.
func (c *Client) Append(ctx context.Context, name string, offset int64, r io.Reader, n int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := fmt.Errorf("no progress for %s", 2*StallTimeout)
	body := &watched{r: r, left: n, timer: time.AfterFunc(2*StallTimeout, func() { cancel(stalled) })}
	defer body.timer.Stop()
	defer body.Close()
	q := url.Values{"name": {name}, "offset": {strconv.FormatInt(offset, 10)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+pathAppend+"?"+q.Encode(), body)
	if err != nil {
		return fmt.Errorf("control at %s: %w", c.target, err)
	}
	req.ContentLength = n
	if n == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Expect", "100-continue") // a refusal comes before the bytes are sent
	return c.do(ctx, req, nil)
}

// Finish says that a shipped file is whole.
func (c *Client) Finish(ctx context.Context, name string, size int64, digest crawler.Digest) error {
	q := url.Values{"name": {name}, "size": {strconv.FormatInt(size, 10)}, "digest": {digest.String()}}
	return c.call(ctx, finishTime(size)+Timeout, http.MethodPost, pathFinish, q, nil)
}

func (c *Client) call(ctx context.Context, limit time.Duration, method, path string, q url.Values, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	u := c.base + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return fmt.Errorf("control at %s: %w", c.target, err)
	}
	err = c.do(ctx, req, into)
	if errors.Is(err, errChangedKeys) {
		c.Close() // the next connection is made with the keys of now
		err = c.do(ctx, req, into)
	}
	return err
}

func (c *Client) do(ctx context.Context, req *http.Request, into any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return c.explain(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp.StatusCode, text)
	}
	if len(text) > MaxAnswer {
		return fmt.Errorf("control at %s: the answer is longer than %d bytes", c.target, MaxAnswer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("control at %s: read the answer: %w", c.target, err)
	}
	return nil
}

func (c *Client) refusal(status int, text []byte) error {
	var f failure
	switch {
	case json.Unmarshal(text, &f) == nil && f.Error != "":
	case bytes.Contains(text, []byte("HTTP request to an HTTPS server")):
		return fmt.Errorf("%w at %s: it asks for the cluster's secret: give it with `secret-file` or TRAWL_SECRET", cluster.ErrRefused, c.target)
	case status == http.StatusNotFound:
		f.Error = "this node does not offer that, or is another version of trawl"
	default:
		f.Error = fmt.Sprintf("answered %d, which no trawl does: check the address", status)
	}
	if status == http.StatusMisdirectedRequest {
		return fmt.Errorf("control at %s: %w", c.target, errChangedKeys)
	}
	if status == http.StatusForbidden {
		return fmt.Errorf("%w at %s: %s", cluster.ErrRefused, c.target, f.Error)
	}
	return fmt.Errorf("control at %s: %s", c.target, f.Error)
}

// explain says what to do about a call that got no answer.
func (c *Client) explain(ctx context.Context, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && ctx.Err() == nil {
		return fmt.Errorf("%w at %s: is the job running there? (%w)", ErrNotRunning, c.target, op.Err)
	}
	var alert tls.AlertError
	_, unknown := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case unknown, errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		return fmt.Errorf("%w at %s: %s", cluster.ErrRefused, c.target, trust.ExplainTLS(err, trust.AdviceCommand))
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w at %s: it has no secret: leave out `secret-file`", cluster.ErrRefused, c.target)
	}
	if ctx.Err() != nil {
		err = cmp.Or(context.Cause(ctx), err)
	} else if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, which repeats the target
	}
	return fmt.Errorf("control at %s: %w", c.target, err)
}

// watched is the body of an upload. Its timer runs out when the other side takes nothing; the caller's
// reader is not touched any more once it is closed.
type watched struct {
	timer *time.Timer

	mu     sync.Mutex
	r      io.Reader
	left   int64
	closed bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return 0, net.ErrClosed
	case w.left <= 0:
		return 0, io.EOF
	}
	n, err := w.r.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	limit := 2 * StallTimeout
	if w.left == 0 {
		limit = 2 * FinishTimeout // now the other side makes it durable
	}
	w.timer.Reset(limit)
	return n, err
}

func (w *watched) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}
