package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// relay stands before a member's gossip, hands everything on, and keeps what came.
type relay struct {
	addr, to string

	mu      sync.Mutex
	packets [][]byte
	streams [][]byte // what the side that connected said
}

// most is how many packets are kept.
const most = 5000

func newRelay(ctx context.Context, to string) (*relay, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		u, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			l.Close()
			continue // taken by somebody else
		}
		r := &relay{addr: l.Addr().String(), to: to}
		context.AfterFunc(ctx, func() { l.Close(); u.Close() })
		go r.carryPackets(u)
		go r.carryStreams(ctx, l)
		return r, nil
	}
}

func (r *relay) carryPackets(u net.PacketConn) {
	back := make(map[string]net.Conn)
	buf := make([]byte, 64<<10)
	for {
		n, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		r.keepPacket(buf[:n])
		c := back[from.String()]
		if c == nil {
			if c, err = net.Dial("udp", r.to); err != nil {
				continue
			}
			back[from.String()] = c
			go func() {
				buf := make([]byte, 64<<10)
				for {
					n, err := c.Read(buf)
					if err != nil {
						if _, ok := err.(net.Error); ok && n == 0 && !isClosed(err) {
							continue // nobody listens there at the moment
						}
						return
					}
					_, _ = u.WriteTo(buf[:n], from)
				}
			}()
		}
		_, _ = c.Write(buf[:n])
	}
}

func isClosed(err error) bool { return err == io.EOF || err.Error() == net.ErrClosed.Error() }

func (r *relay) keepPacket(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.packets) < most {
		r.packets = append(r.packets, append([]byte(nil), b...))
	}
}

func (r *relay) carryStreams(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			to, err := net.DialTimeout("tcp", r.to, dialTimeout)
			if err != nil {
				return
			}
			defer to.Close()
			defer context.AfterFunc(ctx, func() { c.Close(); to.Close() })()
			kept := new(record)
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = io.Copy(io.MultiWriter(to, kept), c); closeWrite(to) })
			_, _ = io.Copy(c, to)
			closeWrite(c)
			wg.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.streams = append(r.streams, kept.bytes)
		}()
	}
}

func closeWrite(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}

// kept is what was recorded so far.
func (r *relay) kept() (packets, streams [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.packets...), append([][]byte(nil), r.streams...)
}

// record keeps what is written.
type record struct{ bytes []byte }

func (r *record) Write(p []byte) (int, error) {
	r.bytes = append(r.bytes, p...)
	return len(p), nil
}

// dialFrom connects from an address of this machine, "" for any.
func dialFrom(network, from, to string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if from != "" {
		ip := net.ParseIP(from)
		if network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: ip}
		} else {
			d.LocalAddr = &net.TCPAddr{IP: ip}
		}
	}
	return d.Dial(network, to)
}

// heard reads what a node answers, until it hangs up or the time is over.
func heard(c net.Conn, limit time.Duration) []byte {
	_ = c.SetReadDeadline(time.Now().Add(limit))
	b, _ := io.ReadAll(io.LimitReader(c, 1<<20)) // a reset is an answer too
	return b
}
