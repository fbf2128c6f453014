package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"trawl/fetcher/lease"
)

// An address that does not answer holds no other up, and a broken one costs nothing.
func TestAddressesRaceForAConnection(t *testing.T) {
	const silent, refuses = -1, -2
	for _, c := range []struct {
		name  string
		after []time.Duration // how each address behaves: connects after so long
		won   int             // -1 = none
		took  time.Duration
		tried int
	}{
		{"the first is quick", []time.Duration{10 * time.Millisecond, 0}, 0, 10 * time.Millisecond, 1},
		{"the first says nothing", []time.Duration{silent, 10 * time.Millisecond}, 1, connectDelay + 10*time.Millisecond, 2},
		{"two say nothing", []time.Duration{silent, silent, 0}, 2, 2 * connectDelay, 3},
		{"the first refuses", []time.Duration{refuses, 10 * time.Millisecond}, 1, 10 * time.Millisecond, 2},
		{"the first is slow, and still before the second", []time.Duration{connectDelay + 10*time.Millisecond, 50 * time.Millisecond}, 0, connectDelay + 10*time.Millisecond, 2},
		{"all refuse", []time.Duration{refuses, refuses}, -1, 0, 2},
		{"nobody says anything", []time.Duration{silent, silent}, -1, 10 * time.Second, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := New(Options{Lease: lease.New(time.Now(), time.Hour)})
				defer d.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var addrs, tried []netip.Addr
				for i := range c.after {
					addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
				}
				var mu sync.Mutex // guards tried and open
				open := 0
				t0 := time.Now()
				conn, at, err := race(ctx, addrs, func(ctx context.Context, a netip.Addr) (*Conn, error) {
					mu.Lock()
					tried = append(tried, a)
					mu.Unlock()
					after := c.after[slices.Index(addrs, a)]
					switch {
					case after == refuses:
						return nil, syscall.ECONNREFUSED
					case after == silent:
						<-ctx.Done()
						return nil, ctx.Err()
					}
					select {
					case <-time.After(after):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
					ours, theirs := net.Pipe()
					theirs.Close()
					mu.Lock()
					open++
					mu.Unlock()
					return d.Adopt(ours)
				})
				switch {
				case c.won < 0 && (err == nil || conn != nil):
					t.Error("a connection although no address answers")
				case c.won >= 0 && (err != nil || at != addrs[c.won]):
					t.Errorf("%v at %v, want %v", err, at, addrs[c.won])
				}
				mu.Lock()
				defer mu.Unlock()
				if took := time.Since(t0); took != c.took || len(tried) != c.tried {
					t.Errorf("%v, %d tried; want %v, %d", took, len(tried), c.took, c.tried)
				}
				if left := len(d.conns); left != max(0, min(open, c.won+1, 1)) {
					t.Errorf("%d connections are left", left)
				}
			})
		})
	}
}

func TestThatThereIsNoWaySaysLessThanAnythingElse(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::2")}
	_, _, err := race(t.Context(), addrs, func(_ context.Context, a netip.Addr) (*Conn, error) {
		if a.Is6() {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETUNREACH}
		}
		return nil, syscall.ECONNREFUSED
	})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want that it was refused", err)
	}
}

func TestFamiliesTakeTurns(t *testing.T) {
	parse := func(texts ...string) []netip.Addr { return parseAddresses(texts) }
	for _, c := range []struct{ addrs, want []netip.Addr }{
		{parse("2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1"), parse("2001:db8::1", "10.0.0.1", "2001:db8::2", "2001:db8::3")},
		{parse("10.0.0.1", "10.0.0.2", "2001:db8::1"), parse("10.0.0.1", "2001:db8::1", "10.0.0.2")},
		{parse("10.0.0.1"), parse("10.0.0.1")},
	} {
		if got := alternate(c.addrs); !slices.Equal(got, c.want) {
			t.Errorf("%v became %v, want %v", c.addrs, got, c.want)
		}
	}
	d := &Dialer{name: "a.test", known: parse("2001:db8::1", "10.0.0.1")}
	d.prefer("a.test", netip.MustParseAddr("10.0.0.1"))
	d.prefer("b.test", netip.MustParseAddr("2001:db8::1"))
	if want := parse("10.0.0.1", "2001:db8::1"); !slices.Equal(d.known, want) {
		t.Errorf("next time %v, want %v", d.known, want)
	}
}
