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
	"trawl/cluster/door"
)

// Limits of the queue's port.
const (
	// MaxStrangers is how many connections to the queue may be there whose TLS handshake is not done; when
	// one more comes, the oldest is cut, of the address that has the most.
	MaxStrangers = 1024
	// MaxGuests is how many members may be connected to the queue.
	MaxGuests = 4096
	// HandshakeTimeout is how long a handshake may take.
	HandshakeTimeout = 10 * time.Second
	// queueWrite is how long a member may take for [relayBuffer] bytes, or it is cut. The server behind gives a
	// slow member up by its own, shorter time.
	queueWrite  = 15 * time.Second
	relayBuffer = 32 << 10
)

// front is the queue's port for other machines. Strangers meet Go's TLS and nothing else: the server behind, which
// is reached in process, hears only from connections whose certificate was verified.
type front struct {
	listener net.Listener
	conf     *tls.Config
	behind   func() (net.Conn, error)
	inbox    string // what names of fetchers' inboxes begin with; "" lets everything through
	door     *door.Door
	refused  *door.Tally
	log      *slog.Logger
	guests   atomic.Int64
}

func listenFront(listen string, conf *tls.Config, behind func() (net.Conn, error), log *slog.Logger) (*front, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	return &front{
		listener: l, conf: conf, behind: behind, log: log,
		door:    door.New(MaxStrangers, 0, door.NewTally(log, "queue: too many connections that prove nothing, the oldest of those that have the most is cut")),
		refused: door.NewTally(log, "queue: refused a connection"),
	}, nil
}

// run serves until ctx ends; then it cuts every connection and waits for their goroutines.
func (f *front) run(ctx context.Context) {
	defer f.refused.Flush()
	defer f.door.Flush()
	stop := context.AfterFunc(ctx, func() { f.listener.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := f.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			f.log.Warn("queue: a connection could not be accepted", "error", err) // out of files, say
			cluster.Pause(ctx, retryWait)
		default:
			e := f.door.Enter(conn)
			wg.Go(func() { f.serve(ctx, e) })
		}
	}
}

// serve lets one connection in and carries bytes until either side ends.
func (f *front) serve(ctx context.Context, e *door.Entrant) {
	defer e.Close()
	defer context.AfterFunc(ctx, func() { e.Close() })()
	conn := tls.Server(e, f.conf)
	if err := f.admit(ctx, conn); err != nil {
		if ctx.Err() == nil {
			f.refused.Hit(slog.String("from", e.RemoteAddr().String()), slog.String("why", err.Error()))
		}
		return
	}
	if !e.Pass(&f.guests, MaxGuests) {
		f.log.Warn("queue: too many members are connected", "limit", MaxGuests)
		return
	}
	behind, err := f.behind()
	if err != nil {
		return // the server is ending
	}
	defer behind.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer behind.Close()
		if f.inbox == "" {
			_, _ = io.Copy(behind, conn) // ends with either
		} else if err := newGuard(conn, f.inbox).carry(behind); err != nil {
			f.refused.Hit(slog.String("from", e.RemoteAddr().String()), slog.String("why", err.Error()))
		}
	})
	f.answer(e, conn, behind)
	conn.Close() // with a goodbye, so that the last line of the server is heard
	wg.Wait()
}

func (f *front) admit(ctx context.Context, conn *tls.Conn) error {
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
func (f *front) answer(e *door.Entrant, conn, behind net.Conn) {
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
