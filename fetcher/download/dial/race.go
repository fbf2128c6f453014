package dial

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// connectDelay is how long an address has before the next one is tried at the same time (RFC 8305 section 5): a network whose
// IPv6 is broken, or a server of which one address is down, costs no more.
const connectDelay = 250 * time.Millisecond

// race connects to one of some addresses: each is tried when the one before it failed, or has had connectDelay. The first
// connection counts, and all that race started is over when it returns. Else it returns what failed: that there is no
// way to one of them says less than anything else.
func race(ctx context.Context, addrs []netip.Addr, connect func(context.Context, netip.Addr) (*Conn, error)) (conn *Conn, at netip.Addr, failed error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type attempt struct {
		conn *Conn
		at   netip.Addr
		err  error
	}
	ended := make(chan attempt)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next, running := 0, 0; ; {
		var due <-chan time.Time
		if conn == nil && next < len(addrs) {
			due = timer.C
		}
		if due == nil && running == 0 {
			return conn, at, failed
		}
		select {
		case <-due:
			a := addrs[next]
			next, running = next+1, running+1
			go func() {
				c, err := connect(ctx, a)
				ended <- attempt{c, a, err}
			}()
			timer.Reset(connectDelay)
		case e := <-ended:
			running--
			switch {
			case e.err == nil && conn == nil:
				conn, at, failed = e.conn, e.at, nil
				cancel()
			case e.err == nil:
				e.conn.Close() // it came too late
			case conn == nil:
				if failed == nil || !NoWayOut(e.err) {
					failed = e.err
				}
				if timer.Reset(0); ctx.Err() != nil {
					next = len(addrs)
				}
			}
		}
	}
}

// alternate orders addresses so that the two families take turns, beginning with that of the first.
func alternate(addrs []netip.Addr) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

// prefer puts the address that answered first, for the connections to come.
func (d *Dialer) prefer(name string, a netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.name != name || len(d.known) == 0 || d.known[0] == a || !slices.Contains(d.known, a) {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(d.known), func(k netip.Addr) bool { return k == a })
	d.known = append([]netip.Addr{a}, rest...)
}
