package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"trawl/cluster/listen"
)

// Limits of what others may make the gossip do before they have proved that they hold the secret.
const (
	// MaxStreams is how many gossip connections are served at once. They are short; when one more comes, the
	// oldest is cut, of the address that has the most.
	MaxStreams = 512
	// MaxStreamBytes is the most that is read from one: enough for 1,500 members that announce all they can.
	MaxStreamBytes = 1 << 20
	// MaxStreamsBytes is the most that is kept of all of them together; then the largest is cut.
	MaxStreamsBytes = 32 << 20
	// bindTries is how often a free port is looked for that is free for TCP and UDP alike.
	bindTries = 10
)

// transport is the library's own, with bounds on what comes in and an end to what goes out.
type transport struct {
	*memberlist.NetTransport
	ctx     context.Context // of Run: ends connections that others keep us waiting on
	streams chan net.Conn
	limiter *listen.Limiter
	cut     func() bool
	done    chan struct{}
	pumped  chan struct{}
	once    sync.Once
	err     error
}

// newTransport listens, and starts the goroutines that accept; Shutdown ends them.
func newTransport(ctx context.Context, ip netip.Addr, port int, logger *log.Logger, full *listen.Tally, cut func() bool) (*transport, error) {
	conf := &memberlist.NetTransportConfig{BindAddrs: []string{ip.String()}, BindPort: port, Logger: logger}
	tries := 1
	if port == 0 {
		tries = bindTries
	}
	var nt *memberlist.NetTransport
	var err error
	for range tries {
		if nt, err = memberlist.NewNetTransport(conf); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen for members on %s: %w", net.JoinHostPort(ip.String(), fmt.Sprint(port)), err)
	}
	t := &transport{
		NetTransport: nt,
		ctx:          ctx,
		streams:      make(chan net.Conn),
		limiter:      listen.NewLimiter(MaxStreams, MaxStreamsBytes, full),
		cut:          cut,
		done:         make(chan struct{}),
		pumped:       make(chan struct{}),
	}
	go t.pump()
	return t, nil
}

// pump hands streams on.
func (t *transport) pump() {
	defer close(t.pumped)
	for {
		select {
		case conn := <-t.NetTransport.StreamCh():
			t.hand(conn)
		case <-t.done:
			return
		}
	}
}

func (t *transport) hand(conn net.Conn) {
	if t.cut() {
		conn.Close()
		return
	}
	s := &stream{Conn: t.limiter.Add(conn), left: MaxStreamBytes}
	select {
	case t.streams <- s:
	case <-t.ctx.Done():
		s.Close()
	}
}

// StreamCh hands out what came in.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown closes the listeners and waits for the goroutines. It may be called again.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		t.err = t.NetTransport.Shutdown()
		close(t.done)
		<-t.pumped
	})
	return t.err
}

var errCut = errors.New("the network is cut")

// WriteToAddress sends a packet.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if t.cut() {
		return time.Now(), nil
	}
	return t.NetTransport.WriteToAddress(b, a)
}

// DialAddressTimeout connects to a member. The connection ends with the context of Run, so that stopping
// never waits for somebody else.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if t.cut() {
		return nil, errCut
	}
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(t.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(t.ctx, func() { conn.Close() })
	return &stream{Conn: conn, left: MaxStreamBytes, release: func() { stop() }}, nil
}

// stream is a connection that is read up to a limit and gives something back when it is closed.
type stream struct {
	net.Conn
	left    int    // owned by the one reader
	release func() // may be called again; nil for nothing
}

var errStreamLimit = fmt.Errorf("more than %d bytes in one gossip connection", MaxStreamBytes)

func (s *stream) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errStreamLimit
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	if n == 0 && err == nil && len(p) > 0 {
		return 0, io.ErrNoProgress
	}
	return n, err
}

func (s *stream) Close() error {
	if s.release != nil {
		defer s.release()
	}
	return s.Conn.Close()
}
