package queue

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"trawl/cluster"
	"trawl/cluster/listen"
)

// Limits of the queue's port.
const (
	// MaxUnauthenticated is how many connections to the queue may be there whose TLS handshake is not done; when
	// one more comes, the oldest is cut, of the address that has the most.
	MaxUnauthenticated = 1024
	// MaxMembers is how many members may be connected to the queue.
	MaxMembers = 4096
	// HandshakeTimeout is how long a handshake may take.
	HandshakeTimeout = 10 * time.Second
	// queueWrite is how long a member may take for [relayBuffer] bytes, or it is cut. The server behind gives a
	// slow member up by its own, shorter time.
	queueWrite  = 15 * time.Second
	relayBuffer = 32 << 10
)

// relay is the queue's port for other machines. A client without the secret meets Go's TLS and nothing else: the server behind, which
// is reached in process, hears only from connections whose certificate was verified.
type relay struct {
	listener net.Listener
	conf     *tls.Config
	behind   func() (net.Conn, error)
	inbox    string // what names of fetchers' inboxes begin with; "" lets everything through
	limiter  *listen.Limiter
	refused  *listen.Tally
	log      *slog.Logger
	members  atomic.Int64
}

func listenRelay(at string, conf *tls.Config, behind func() (net.Conn, error), log *slog.Logger) (*relay, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	return &relay{
		listener: l, conf: conf, behind: behind, log: log,
		limiter: listen.NewLimiter(MaxUnauthenticated, 0, listen.NewTally(log, "queue: too many connections that prove nothing, the oldest of those that have the most is cut")),
		refused: listen.NewTally(log, "queue: refused a connection"),
	}, nil
}

// run serves until ctx ends; then it cuts every connection and waits for their goroutines.
func (r *relay) run(ctx context.Context) {
	defer r.refused.Flush()
	defer r.limiter.Flush()
	stop := context.AfterFunc(ctx, func() { r.listener.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := r.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			r.log.Warn("queue: a connection could not be accepted", "error", err) // out of files, say
			cluster.Pause(ctx, retryWait)
		default:
			e := r.limiter.Add(conn)
			wg.Go(func() { r.serve(ctx, e) })
		}
	}
}

// serve lets one connection in and carries bytes until either side ends.
func (r *relay) serve(ctx context.Context, e *listen.Conn) {
	defer e.Close()
	defer context.AfterFunc(ctx, func() { e.Close() })()
	conn := tls.Server(e, r.conf)
	if err := r.admit(ctx, conn); err != nil {
		if ctx.Err() == nil {
			r.refused.Hit(slog.String("from", e.RemoteAddr().String()), slog.String("why", err.Error()))
		}
		return
	}
	if !e.Authenticated(&r.members, MaxMembers) {
		r.log.Warn("queue: too many members are connected", "limit", MaxMembers)
		return
	}
	behind, err := r.behind()
	if err != nil {
		return // the server is ending
	}
	defer behind.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer behind.Close()
		if r.inbox == "" {
			_, _ = io.Copy(behind, conn) // ends with either
		} else if err := newFilter(conn, r.inbox).carry(behind); err != nil {
			r.refused.Hit(slog.String("from", e.RemoteAddr().String()), slog.String("why", err.Error()))
		}
	})
	r.answer(e, conn, behind)
	conn.Close() // with a goodbye, so that the last line of the server is heard
	wg.Wait()
}

func (r *relay) admit(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, HandshakeTimeout, fmt.Errorf("no handshake within %s", HandshakeTimeout))
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	if len(conn.ConnectionState().VerifiedChains) == 0 {
		return errors.New("no certificate of this cluster was shown")
	}
	return nil
}

// answer copies to the member until either side ends.
func (r *relay) answer(e *listen.Conn, conn, behind net.Conn) {
	buf := make([]byte, relayBuffer)
	for {
		n, err := behind.Read(buf)
		if n > 0 {
			_ = e.SetWriteDeadline(time.Now().Add(queueWrite)) // fails on a closed one only
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
