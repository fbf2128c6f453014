package door

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// errCrowded ends a connection that had to make room.
var errCrowded = errors.New("too many connections that have not proved to be of this cluster")

// door bounds the connections that have not proved yet that they hold the secret. When one comes too many, the
// oldest is cut, of the address that has the most: so a crowd that says nothing costs a bounded amount, and keeps
// nobody out who proves himself within moments. It never makes a newcomer wait. Safe for concurrent use.
type Door struct {
	most   int    // connections at once
	budget int    // bytes read from all of them together, 0 for any
	cut    *Tally // who had to make room

	mu    sync.Mutex // guards what follows, and the entrants
	queue []*Entrant // the oldest first
	from  map[netip.Prefix]*int
	held  int
}

// New makes one for so many connections at once that read so many bytes together, 0 for any. Who has to make room is counted by cut.
func New(most, budget int, cut *Tally) *Door {
	return &Door{most: most, budget: budget, cut: cut, from: make(map[netip.Prefix]*int)}
}

// Entrant is a connection that came through a door; it stands there until it passes or is closed.
type Entrant struct {
	net.Conn
	door *Door
	at   netip.Prefix
	same *int // how many stand there from this address
	held int
	gone bool // passed or closed

	guest *atomic.Int64 // it counts there since it passed; nil before
	left  bool          // and does not any more
}

// Evicted is how many had to make room.
func (d *Door) Evicted() int64 { return d.cut.Count() }

// Flush logs what was counted and not told yet.
func (d *Door) Flush() { d.cut.Flush() }

// enter takes a connection in.
func (d *Door) Enter(c net.Conn) *Entrant {
	e := &Entrant{Conn: c, door: d, at: originOf(c)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.same = d.from[e.at]; e.same == nil {
		e.same = new(int)
		d.from[e.at] = e.same
	}
	*e.same++
	if len(d.queue) >= d.most {
		d.evict(d.crowd())
	}
	d.queue = append(d.queue, e)
	return e
}

// crowd is who has to make room: the oldest of the address with the most, the newcomer counted.
func (d *Door) crowd() *Entrant {
	worst := d.queue[0]
	for _, e := range d.queue[1:] {
		if *e.same > *worst.same {
			worst = e
		}
	}
	return worst
}

// evict cuts one. The lock is held; closing a connection does not wait for anybody.
func (d *Door) evict(e *Entrant) {
	d.forget(e)
	d.cut.Hit(slog.String("from", e.Conn.RemoteAddr().String()))
	if t, ok := e.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // nothing is owed to it
	}
	e.Conn.Close()
}

// forget takes one off the list. The lock is held.
func (d *Door) forget(e *Entrant) bool {
	if e.gone {
		return false
	}
	e.gone = true
	d.held -= e.held
	if *e.same--; *e.same == 0 {
		delete(d.from, e.at)
	}
	if i := slices.Index(d.queue, e); i >= 0 {
		d.queue = slices.Delete(d.queue, i, i+1)
	}
	return true
}

// Pass says that the other side has proved itself: from now on it is one of the guests until it is closed. It is
// false when there are enough of those, or when the connection was cut meanwhile. It may be called again.
func (e *Entrant) Pass(guests *atomic.Int64, most int64) bool {
	e.door.mu.Lock()
	defer e.door.mu.Unlock()
	if e.guest != nil {
		return true
	}
	if e.gone {
		return false
	}
	if guests.Add(1) > most {
		guests.Add(-1)
		return false
	}
	e.guest = guests
	return e.door.forget(e)
}

// Read counts what strangers make this node keep. Over the budget, the one that brought the most goes.
func (e *Entrant) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	if e.door.budget > 0 && n > 0 && !e.door.charge(e, n) && err == nil {
		return n, errCrowded
	}
	return n, err
}

func (d *Door) charge(e *Entrant, n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.gone {
		return true // it passed; a closed one fails by itself
	}
	e.held += n
	d.held += n
	for d.held > d.budget {
		most := slices.MaxFunc(d.queue, func(a, b *Entrant) int { return a.held - b.held })
		d.evict(most)
		if most == e {
			return false
		}
	}
	return true
}

// Close gives the place back. It may be called again.
func (e *Entrant) Close() error {
	e.leave()
	return e.Conn.Close()
}

func (e *Entrant) leave() {
	e.door.mu.Lock()
	defer e.door.mu.Unlock()
	e.door.forget(e)
	if e.guest != nil && !e.left {
		e.left = true
		e.guest.Add(-1)
	}
}

// waiting is how many stand at the door.
func (d *Door) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queue)
}

// originOf is the address that a connection counts for: of IPv6, the network that one subscriber has.
func originOf(c net.Conn) netip.Prefix {
	t, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	a := t.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // fails for too many bits only
	return p
}
