package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trawl/cluster/listen"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
)

// Limits of the control API.
const (
	// MaxConnections is how many connections are served at once on the socket; more wait.
	MaxConnections = 256
	// MaxMembers is how many connections to the address may be there that have asked something; more are
	// asked to come again.
	MaxMembers = 2048
	// MaxUnauthenticated is how many connections to the address may be there that have not asked anything
	// yet; when one more comes, the oldest is cut, of the address that has the most.
	MaxUnauthenticated = 1024
	// MaxHeader is the most bytes of a request's header.
	MaxHeader = 16 << 10
	// Timeout bounds the header of a request, its answer, and a connection's first handshake.
	Timeout = 10 * time.Second
	// IdleTimeout is how long a connection may wait between two requests.
	IdleTimeout = time.Minute
	// StallTimeout is how long an upload may take for [StallBytes]; slower ones are cut. What arrived
	// stays, and the next upload continues from there.
	StallTimeout = 30 * time.Second
	StallBytes   = 64 << 10
	// FinishTimeout is for finishing a file of no bytes; [FinishRate] bytes a second come to it.
	FinishTimeout = time.Minute
	FinishRate    = 20 << 20
	// MaxShipmentName is the most bytes of a shipped file's name.
	MaxShipmentName = 4096
)

// DepotReceiver takes in files that fetchers ship. Implementations are safe for concurrent use, for one
// file as well: two uploads of one file at once may both fail, and must not mix.
type DepotReceiver interface {
	// Size reports how many bytes of the file have arrived, 0 when it is unknown.
	Size(ctx context.Context, name string) (int64, error)
	// Append adds n bytes at the offset, which must be Size. They are durable when it returns nil. When
	// the reader fails, what came before may stay, and is counted by Size.
	Append(ctx context.Context, name string, offset int64, r io.Reader, n int64) error
	// Finish says that the file is whole: its size and digest (of the file's bytes) are compared, and it
	// gets its final name. Calling it again is harmless.
	Finish(ctx context.Context, name string, size int64, digest crawler.Digest) error
}

// Options says where the control API listens and what it serves. At least one of Socket and Listen
// must be set. What is nil is not served.
type Options struct {
	Socket   string         // path of a Unix socket, for this machine and user alone
	Listen   string         // HOST:PORT
	TLS      *tls.Config    // from [trust.Keyring.ServerTLS]; nil: Listen must be on loopback
	Keys     *trust.Keyring // that TLS is from; with an own PKI requests must prove the secret too. nil = they need not
	Status   func() crawler.Status
	Stop     func() // asks the node to end as after an interrupt; returns at once; may be called again
	Depot    DepotReceiver
	Steering Steering
	// Explain explains a URL; called from many goroutines at once.
	Explain func(context.Context, weburl.URL) (explain.Explanation, error)
	// Backup writes a copy of the ledger; called from many goroutines at once.
	Backup func(context.Context, io.Writer) error
	Logger *slog.Logger
}

func (o *Options) validate() error {
	var errs []error
	if o.Socket == "" && o.Listen == "" {
		errs = append(errs, errors.New("control: neither a socket nor an address to listen on"))
	}
	if o.Listen != "" {
		b, err := listen.ParseBind(o.Listen)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("control: %w", err))
		case o.TLS == nil && !b.Loopback():
			errs = append(errs, fmt.Errorf("control on %s: %w", b, trust.ErrNeedSecret))
		}
		o.Listen = b.String()
	}
	if o.TLS != nil && (o.TLS.ClientAuth != tls.RequireAndVerifyClientCert || o.TLS.ClientCAs == nil) {
		errs = append(errs, errors.New("control: TLS that lets in clients without a certificate"))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// Server is the control API of a node, over HTTP: status, the stories of URLs, exports, backups, stop, changes of the job, more
// seeds, and the intake of shipped files.
type Server struct {
	opts    Options
	refused *listen.Tally
	limiter *listen.Limiter
	members atomic.Int64 // connections that passed the limiter and are open
	started atomic.Bool
	ready   chan struct{}

	mu   sync.Mutex
	addr string
}

// New checks the options. Nothing is opened before Run.
func New(opts Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Server{
		opts:    opts,
		refused: listen.NewTally(opts.Logger, "control: refused a connection"),
		limiter: listen.NewLimiter(MaxUnauthenticated, 0, listen.NewTally(opts.Logger, "control: too many connections that ask nothing, the oldest of those that have the most is cut")),
		ready:   make(chan struct{}),
	}, nil
}

// Run serves until the context ends; then it lets short requests end, cuts uploads, removes the socket,
// and returns nil. It can be called once.
func (c *Server) Run(ctx context.Context) error {
	if c.started.Swap(true) {
		return errors.New("control: Run was called before")
	}
	var listeners []net.Listener
	closeAll := func() {
		for _, l := range listeners {
			l.Close()
		}
	}
	if c.opts.Socket != "" {
		l, err := listenSocket(c.opts.Socket)
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		listeners = append(listeners, l)
	}
	if c.opts.Listen != "" {
		l, err := net.Listen("tcp", c.opts.Listen)
		if err != nil {
			closeAll()
			return fmt.Errorf("control: %w", err)
		}
		c.mu.Lock()
		c.addr = l.Addr().String()
		c.mu.Unlock()
		if c.opts.TLS != nil {
			// No HTTP/2, as no protocols are named: one connection, one upload, and deadlines move with it.
			l = tls.NewListener(&limitedListener{l, c.limiter}, c.opts.TLS)
		} else {
			l = &limitedListener{l, c.limiter}
		}
		listeners = append(listeners, l)
	}
	close(c.ready)
	defer c.refused.Flush()
	defer c.limiter.Flush()
	return c.serve(ctx, listeners)
}

func (c *Server) serve(ctx context.Context, listeners []net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: Timeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ErrorLog:          log.New(serverLog{c}, "", 0),
	}
	errs := make(chan error, len(listeners))
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() { errs <- s.Serve(l) })
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-errs:
		failed = fmt.Errorf("control: %w", failed)
	}
	cancel()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), Timeout)
	defer stop()
	if s.Shutdown(grace) != nil {
		s.Close()
	}
	wg.Wait()
	return failed
}

// Ready is closed when the API can be reached.
func (c *Server) Ready() <-chan struct{} { return c.ready }

// Addr is the HOST:PORT that is listened on, "" before Ready or without one.
func (c *Server) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// Refusals counts connections that failed before their first request, and requests that were turned away:
// no certificate of this cluster, or sent by a browser.
func (c *Server) Refusals() int64 { return c.refused.Count() + c.limiter.Evicted() }

// serverLog takes the lines of net/http: mostly handshakes that failed.
type serverLog struct{ c *Server }

func (l serverLog) Write(p []byte) (int, error) {
	line := strings.TrimSpace(string(p))
	if strings.Contains(line, "TLS handshake error") {
		l.c.refused.Hit(slog.String("why", line))
	} else {
		l.c.opts.Logger.Warn("control", "text", line)
	}
	return len(p), nil
}
