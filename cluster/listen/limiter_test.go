package listen

import (
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
)

// from is a connection that says where it comes from, and remembers that it was closed.
type from struct {
	net.Conn
	addr   string
	bytes  int
	closed bool
}

func (c *from) RemoteAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", c.addr)
	if err != nil {
		panic(err)
	}
	return a
}

func (c *from) Read(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	n := min(len(p), c.bytes)
	c.bytes -= n
	return n, nil
}

func (c *from) Close() error {
	c.closed = true
	return nil
}

func silentLimiter(most, budget int) *Limiter {
	return NewLimiter(most, budget, NewTally(slog.New(slog.DiscardHandler), ""))
}

func TestTheLimiterCutsTheOldestOfTheLargestCrowd(t *testing.T) {
	d := silentLimiter(4, 0)
	var all []*from
	come := func(addr string) *Conn {
		c := &from{addr: addr}
		all = append(all, c)
		return d.Add(c)
	}
	come("10.0.0.1:1")            // 0: alone, and the oldest of all
	come("10.0.0.2:1")            // 1
	come("[2001:db8::1]:1")       // 2
	come("10.0.0.2:2")            // 3
	honest := come("10.0.0.3:1")  // 4
	come("[2001:db8::ffff:2]:44") // 5: of the same network as 2
	come("[2001:db8::3]:1")       // 6: and again
	want := []bool{false, true, true, false, false, true, false}
	for i, c := range all {
		if c.closed != want[i] {
			t.Errorf("%d from %s: closed is %v", i, c.addr, c.closed)
		}
	}
	if n := d.Evicted(); n != 3 {
		t.Errorf("%d cut", n)
	}
	var members atomic.Int64
	for range 2 {
		if !honest.Authenticated(&members, 1) || members.Load() != 1 {
			t.Errorf("it does not pass: %d members", members.Load())
		}
	}
	late := come("10.0.0.4:1")
	if late.Authenticated(&members, 1) {
		t.Error("one guest too many")
	}
	honest.Close()
	honest.Close()
	if members.Load() != 0 {
		t.Errorf("%d members are left", members.Load())
	}
	if !late.Authenticated(&members, 1) {
		t.Error("there is room again")
	}
	late.Close()
	for len(d.queue) > 0 {
		d.queue[0].Close()
	}
	if len(d.from) != 0 || d.held != 0 || members.Load() != 0 {
		t.Errorf("left behind: %v, %d bytes, %d members", d.from, d.held, members.Load())
	}
}

func TestTheLimiterBoundsWhatStrangersBring(t *testing.T) {
	d := silentLimiter(10, 1000)
	big, small := &from{addr: "10.0.0.1:1", bytes: 5000}, &from{addr: "10.0.0.2:1", bytes: 5000}
	b, s := d.Add(big), d.Add(small)
	buf := make([]byte, 300)
	for range 3 {
		if _, err := b.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Read(buf); err != nil || !big.closed || small.closed {
		t.Fatalf("%v; closed: %v and %v", err, big.closed, small.closed)
	}
	var err error
	for range 10 {
		if _, err = s.Read(buf); err != nil {
			break
		}
	}
	if !errors.Is(err, errCrowded) || d.held != 0 {
		t.Errorf("%v, %d bytes", err, d.held)
	}
}
