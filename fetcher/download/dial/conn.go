package dial

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"trawl/fetcher/lease"
)

// Conn is a connection that sends nothing once the right to ask its host is over, and nothing after
// it was refused. It counts the bytes that it sends.
type Conn struct {
	net.Conn
	dialer  *Dialer
	ip      string       // of the peer
	refused atomic.Bool  // no write may pass any more
	lapsed  atomic.Bool  // closed because the lease ended
	sent    atomic.Int64 // bytes
}

// Read reports what it hears.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 || err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
		c.dialer.Heard()
	}
	return n, err
}

// Write compares the clock with the lease right before it sends, and closes instead when the right is over. Between two turns
// it closes too: an answer that TLS or HTTP/2 would give by itself (a new key, a ping) is no request, but the server may
// wait for it, and nothing of ours may be sent that no turn stands for.
func (c *Conn) Write(p []byte) (int, error) {
	switch r := c.dialer.right.Load(); {
	case r == nil:
		c.part()
		return 0, net.ErrClosed
	case c.dialer.over(r):
		c.lapse()
		return 0, lease.ErrOver
	}
	if c.refused.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// Close closes; after the end of the lease nothing that the kernel still holds is sent. Between two turns it holds nothing:
// every request was answered.
func (c *Conn) Close() error {
	c.dialer.forget(c)
	if r := c.dialer.right.Load(); c.refused.Load() || r != nil && c.dialer.over(r) {
		return c.reset()
	}
	return c.Conn.Close()
}

// part closes between two turns, for good.
func (c *Conn) part() {
	c.refused.Store(true)
	c.dialer.forget(c)
	c.Conn.Close()
}

// Refuse closes the connection at once (linger 0: unsent bytes are dropped) and for good.
func (c *Conn) Refuse() {
	c.refused.Store(true)
	c.dialer.forget(c)
	c.reset()
}

// lapse is refuse at the end of the lease.
func (c *Conn) lapse() {
	c.lapsed.Store(true)
	c.Refuse()
}

func (c *Conn) reset() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // fails only on a closed connection
	}
	return c.Conn.Close()
}

// HasLapsed reports whether the connection was closed because the lease ended.
func (c *Conn) HasLapsed() bool { return c.lapsed.Load() }

// BytesSent is how many bytes it has sent.
func (c *Conn) BytesSent() int64 { return c.sent.Load() }

// IP is the address of the peer, "" when it has none.
func (c *Conn) IP() string { return c.ip }

func peerOf(conn net.Conn) string {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().String()
}
