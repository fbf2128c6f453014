package listen

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// errCrowded ends a connection that was cut to make room.
var errCrowded = errors.New("too many connections that have not proved to be of this cluster")

// Limiter bounds the connections that have not proved yet that they hold the secret. When there is one too many, it
// cuts the oldest of the address that has the most. So a crowd that says nothing costs a bounded amount, and a member
// that proves itself within moments always gets in. A new connection never waits. Safe for concurrent use.
type Limiter struct {
	most   int    // connections at once
	budget int    // bytes read from all of them together, 0 for any
	cut    *Tally // of connections that had to make room

	mu    sync.Mutex // protects what follows, and the fields of the connections
	queue []*Conn    // the oldest first
	from  map[netip.Prefix]*int
	held  int
}

// NewLimiter makes a limiter for most connections at once, which read budget bytes together (0 for any number). cut counts the
// connections that had to make room.
func NewLimiter(most, budget int, cut *Tally) *Limiter {
	return &Limiter{most: most, budget: budget, cut: cut, from: make(map[netip.Prefix]*int)}
}

// Conn is a connection that a limiter counts until it is authenticated or closed.
type Conn struct {
	net.Conn
	by   *Limiter
	at   netip.Prefix
	same *int // how many of this address are counted
	held int
	gone bool // authenticated or closed: not counted any more

	members *atomic.Int64 // counts it since it is authenticated; nil before
	left    bool          // and does not any more
}

// Evicted is how many connections had to make room.
func (l *Limiter) Evicted() int64 { return l.cut.Count() }

// Flush logs what was counted and not logged yet.
func (l *Limiter) Flush() { l.cut.Flush() }

// Add counts a new connection.
func (l *Limiter) Add(conn net.Conn) *Conn {
	e := &Conn{Conn: conn, by: l, at: originOf(conn)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.same = l.from[e.at]; e.same == nil {
		e.same = new(int)
		l.from[e.at] = e.same
	}
	*e.same++
	if len(l.queue) >= l.most {
		l.evict(l.crowd())
	}
	l.queue = append(l.queue, e)
	return e
}

// crowd finds the connection that has to make room: the oldest of the address with the most, the new one counted.
func (l *Limiter) crowd() *Conn {
	worst := l.queue[0]
	for _, e := range l.queue[1:] {
		if *e.same > *worst.same {
			worst = e
		}
	}
	return worst
}

// evict cuts a connection. The lock is held; closing a connection never waits.
func (l *Limiter) evict(e *Conn) {
	l.forget(e)
	l.cut.Hit(slog.String("from", e.Conn.RemoteAddr().String()))
	if t, ok := e.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // nothing is owed to it
	}
	e.Conn.Close()
}

// forget takes a connection off the list. The lock is held.
func (l *Limiter) forget(e *Conn) bool {
	if e.gone {
		return false
	}
	e.gone = true
	l.held -= e.held
	if *e.same--; *e.same == 0 {
		delete(l.from, e.at)
	}
	if i := slices.Index(l.queue, e); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	return true
}

// Authenticated is called when the other side has proved that it holds the secret: from now on members counts the
// connection, until it is closed. It returns false when there are most of them already, or when the connection was cut
// meanwhile. It may be called again.
func (c *Conn) Authenticated(members *atomic.Int64, most int64) bool {
	c.by.mu.Lock()
	defer c.by.mu.Unlock()
	if c.members != nil {
		return true
	}
	if c.gone {
		return false
	}
	if members.Add(1) > most {
		members.Add(-1)
		return false
	}
	c.members = members
	return c.by.forget(c)
}

// Read counts what unauthenticated connections make this node keep. Over the budget, the one that brought the most is cut.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.by.budget > 0 && n > 0 && !c.by.charge(c, n) && err == nil {
		return n, errCrowded
	}
	return n, err
}

func (l *Limiter) charge(e *Conn, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.gone {
		return true // authenticated; a closed one fails by itself
	}
	e.held += n
	l.held += n
	for l.held > l.budget {
		most := slices.MaxFunc(l.queue, func(a, b *Conn) int { return a.held - b.held })
		l.evict(most)
		if most == e {
			return false
		}
	}
	return true
}

// Close closes the connection and stops counting it. It may be called again.
func (c *Conn) Close() error {
	c.uncount()
	return c.Conn.Close()
}

func (c *Conn) uncount() {
	c.by.mu.Lock()
	defer c.by.mu.Unlock()
	c.by.forget(c)
	if c.members != nil && !c.left {
		c.left = true
		c.members.Add(-1)
	}
}

// Waiting is how many connections are not authenticated yet.
func (l *Limiter) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
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
