//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// link is what happens to packets from one place to another. The zero value carries them at once.
type link struct {
	cut    bool
	loss   float64       // fraction of packets that go missing
	delay  time.Duration // of each packet
	jitter time.Duration // up to this is added, so packets may overtake each other
}

// pair is a direction between two places, by name.
type pair struct{ from, to string }

// fabric is the network between the places: every packet passes through it, so a link can be cut in one
// direction, made slow or lossy without help of the kernel. Safe for concurrent use.
type fabric struct {
	mu    sync.Mutex
	ports []*port
	rules map[pair]link

	table atomic.Pointer[table] // made anew with every change
}

// port is a place's end of its wire.
type port struct {
	place *place
	nets  []netip.Prefix
}

// table is what a packet's way depends on.
type table struct {
	ports []*port
	rules map[pair]link
}

func newFabric() *fabric {
	f := &fabric{rules: make(map[pair]link)}
	f.publish()
	return f
}

// join connects a place and carries its packets until its wire is closed.
func (f *fabric) join(p *place, own []netip.Prefix) {
	port := &port{place: p, nets: append(own, netip.PrefixFrom(p.addr, 32))}
	f.mu.Lock()
	f.ports = append(f.ports, port)
	f.publish()
	f.mu.Unlock()
	go f.carry(port) // ends with the wire, which leave closes
}

func (f *fabric) publish() {
	f.table.Store(&table{ports: append([]*port(nil), f.ports...), rules: maps.Clone(f.rules)})
}

// set changes links. Not named ones stay as they are.
func (f *fabric) set(l link, pairs ...pair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range pairs {
		if l == (link{}) {
			delete(f.rules, p)
		} else {
			f.rules[p] = l
		}
	}
	f.publish()
}

// both are the two directions between two places.
func both(a, b string) []pair { return []pair{{a, b}, {b, a}} }

// around are all links of a place.
func (f *fabric) around(name string) []pair {
	var all []pair
	for _, p := range f.table.Load().ports {
		if p.place.name != name {
			all = append(all, both(name, p.place.name)...)
		}
	}
	return all
}

func (f *fabric) carry(from *port) {
	packet := make([]byte, mtu+64)
	for {
		n, err := from.place.wire.Read(packet)
		if err != nil {
			return
		}
		f.forward(from, packet[:n])
	}
}

// forward carries an IPv4 packet. Others, and those to nowhere, go missing.
func (f *fabric) forward(from *port, packet []byte) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return
	}
	t := f.table.Load()
	to := t.find(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(packet[16:20])))))
	if to == nil {
		return
	}
	l, ruled := t.rules[pair{from.place.name, to.place.name}]
	switch {
	case !ruled:
		to.place.wire.Write(packet) // a packet that does not arrive is the network's right
	case l.cut || rand.Float64() < l.loss:
	case l.delay > 0:
		wait := l.delay
		if l.jitter > 0 {
			wait += rand.N(l.jitter)
		}
		late := append([]byte(nil), packet...)
		time.AfterFunc(wait, func() { to.place.wire.Write(late) })
	default:
		to.place.wire.Write(packet)
	}
}

func (t *table) find(a netip.Addr) *port {
	for _, p := range t.ports {
		for _, n := range p.nets {
			if n.Contains(a) {
				return p
			}
		}
	}
	return nil
}

// pause waits, and reports whether it did to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
