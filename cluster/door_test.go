package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"
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

func silentDoor(most, budget int) *door {
	return newDoor(most, budget, newTally(slog.New(slog.DiscardHandler), ""))
}

func TestTheDoorCutsTheOldestOfTheLargestCrowd(t *testing.T) {
	d := silentDoor(4, 0)
	var all []*from
	come := func(addr string) *entrant {
		c := &from{addr: addr}
		all = append(all, c)
		return d.enter(c)
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
	if n := d.evicted(); n != 3 {
		t.Errorf("%d cut", n)
	}
	var guests atomic.Int64
	for range 2 {
		if !honest.pass(&guests, 1) || guests.Load() != 1 {
			t.Errorf("it does not pass: %d guests", guests.Load())
		}
	}
	late := come("10.0.0.4:1")
	if late.pass(&guests, 1) {
		t.Error("one guest too many")
	}
	honest.Close()
	honest.Close()
	if guests.Load() != 0 {
		t.Errorf("%d guests are left", guests.Load())
	}
	if !late.pass(&guests, 1) {
		t.Error("there is room again")
	}
	late.Close()
	for len(d.queue) > 0 {
		d.queue[0].Close()
	}
	if len(d.from) != 0 || d.held != 0 || guests.Load() != 0 {
		t.Errorf("left behind: %v, %d bytes, %d guests", d.from, d.held, guests.Load())
	}
}

func TestTheDoorBoundsWhatStrangersBring(t *testing.T) {
	d := silentDoor(10, 1000)
	big, small := &from{addr: "10.0.0.1:1", bytes: 5000}, &from{addr: "10.0.0.2:1", bytes: 5000}
	b, s := d.enter(big), d.enter(small)
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

// crowd opens connections that say nothing, and closes them at the end.
func crowd(t *testing.T, addr string, n int) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestACrowdOfStrangersKeepsNobodyFromTheQueue(t *testing.T) {
	b, _, ring := guarded(t)
	crowd(t, b.Addr(), MaxQueueStrangers+20)
	eventually(t, t.Context(), "the limit leaves its mark", func() bool { return b.front.door.evicted() >= 20 })
	if n := b.front.door.waiting(); n > MaxQueueStrangers {
		t.Errorf("%d strangers", n)
	}
	f := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Keys: ring, Role: RoleFetcher})
	must(t, f.Send(t.Context(), queuePart(2)))
	if b.Refusals() == 0 || b.front.guests.Load() != 1 {
		t.Errorf("%d refusals, %d guests", b.Refusals(), b.front.guests.Load())
	}
	f.Close()
	eventually(t, t.Context(), "the guest is forgotten", func() bool { return b.front.guests.Load() == 0 })
}

func TestACrowdOfStrangersKeepsNobodyFromTheControl(t *testing.T) {
	ring := ringOf(testSecret(t, "a secret that is long enough"))
	server, err := ring.ServerTLS(RoleScheduler, "s")
	must(t, err)
	client, err := ring.ClientTLS(RoleFetcher, "f", nil)
	must(t, err)
	for name, conf := range map[string]*tls.Config{"with TLS": server, "in plain text": nil} {
		t.Run(name, func(t *testing.T) {
			o := ControlOptions{Listen: "127.0.0.1:0", TLS: conf, Stop: func() {}, Logger: testLog(t)}
			c, err := NewControl(o)
			must(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			defer func() { cancel(); must(t, <-done) }()
			<-c.Ready()
			crowd(t, c.Addr(), MaxControlStrangers+20)
			eventually(t, t.Context(), "the limit leaves its mark", func() bool { return c.door.evicted() >= 20 })
			asker := client
			if conf == nil {
				asker = nil
			}
			for range 3 {
				cc := NewControlClient(c.Addr(), asker)
				must(t, cc.Stop(t.Context()))
				cc.Close()
			}
			eventually(t, t.Context(), "guests are forgotten", func() bool { return c.guests.Load() == 0 })
			if c.Refusals() == 0 {
				t.Error("nothing was counted")
			}

			c.guests.Store(MaxControlGuests)
			cc := NewControlClient(c.Addr(), asker)
			defer cc.Close()
			if err := cc.Stop(t.Context()); err == nil || errors.Is(err, ErrRefused) {
				t.Errorf("one guest too many: %v", err)
			}
			c.guests.Store(0)
		})
	}
}

func TestACertificateIsNotEnoughWithoutAQueueKey(t *testing.T) {
	b, _, ring := guarded(t)
	conf, err := ring.ClientTLS(RoleFetcher, "f", nil)
	must(t, err)
	c, err := tls.Dial("tcp", b.Addr(), conf)
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "CONNECT {}\r\nPUB trawl.result 2\r\nab\r\nPING\r\n")
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	if text, err := io.ReadAll(c); err != nil {
		t.Errorf("%v after %q", err, text)
	}
	eventually(t, t.Context(), "it is counted", func() bool { return b.refused.count() > 0 })
}
