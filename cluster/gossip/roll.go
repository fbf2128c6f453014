package gossip

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"trawl/cluster"
)

// Bounds on members that were lost.
const (
	// MaxLost is how many lost members are remembered.
	MaxLost = 64
	// ForgetLost is how long one is looked for: a cluster that was cut in two heals within that time.
	ForgetLost = time.Hour
)

// State is what the gossip thinks of a member.
type State string

const (
	Alive   State = "alive"
	Suspect State = "suspect" // it did not answer this node lately; it may still
)

// Member is a node in the gossip.
type Member struct {
	Name    string
	Address netip.AddrPort // of its gossip
	Meta    Meta
	State   State
	Since   time.Time // in this state, by this node's clock
	Joined  time.Time // when this node first saw it, by its own clock
	Self    bool
}

// Queue is where the member's queue is reached, "" when it has none.
func (m Member) Queue() string { return m.at(m.Meta.QueuePort) }

// Control is where the member's control API is reached, "" when it is not.
func (m Member) Control() string { return m.at(m.Meta.ControlPort) }

func (m Member) at(port int) string {
	if port == 0 {
		return ""
	}
	return net.JoinHostPort(m.Address.Addr().String(), strconv.Itoa(port))
}

// roll is the list of members. The library's own list cannot be read without a race (its entries change
// under a lock that is not ours), so the events, which come in order, keep this copy. Its lock is a leaf:
// nothing is called while it is held.
type roll struct {
	mu      sync.Mutex
	self    string
	members map[string]*Member
	lost    map[netip.AddrPort]time.Time // gone without being replaced, and when
	change  chan struct{}
	others  bool // somebody else was seen, ever
}

func (r *roll) init() {
	r.members = make(map[string]*Member)
	r.lost = make(map[netip.AddrPort]time.Time)
	r.change = make(chan struct{})
}

func (r *roll) setSelf(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.self = name
}

// touch wakes who waits. The lock is held.
func (r *roll) touch() {
	close(r.change)
	r.change = make(chan struct{})
}

func (r *roll) changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.change
}

func (r *roll) list() []Member {
	r.mu.Lock()
	out := make([]Member, 0, len(r.members))
	for _, m := range r.members {
		out = append(out, *m)
	}
	r.mu.Unlock()
	return byName(out)
}

// schedulers are few among many, and looked at by every node at every change: the others are not copied.
func (r *roll) schedulers() (out []Member) {
	r.mu.Lock()
	for _, m := range r.members {
		if m.Meta.Role == cluster.RoleScheduler {
			out = append(out, *m)
		}
	}
	r.mu.Unlock()
	return byName(out)
}

func byName(out []Member) []Member {
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// put records a member that is there, new or changed.
func (r *roll) put(name string, addr netip.AddrPort, meta Meta) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[name]
	if m == nil {
		m = &Member{Name: name, Since: time.Now(), Joined: time.Now(), Self: name == r.self}
		r.members[name] = m
	}
	r.others = r.others || !m.Self
	m.Address, m.Meta = addr, meta
	m.become(Alive)
	delete(r.lost, addr)
	r.touch()
}

func (m *Member) become(s State) bool {
	if m.State == s {
		return false
	}
	m.State, m.Since = s, time.Now()
	return true
}

// remove records that a member is gone. Whether it said goodbye or died is not known, so it is looked for
// either way.
func (r *roll) remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[name]
	if m == nil {
		return
	}
	delete(r.members, name)
	if !m.Self {
		r.lose(m.Address)
	}
	r.touch()
}

func (r *roll) lose(addr netip.AddrPort) {
	now := time.Now()
	oldest := addr
	for a, t := range r.lost {
		if now.Sub(t) > ForgetLost {
			delete(r.lost, a)
		} else if s, ok := r.lost[oldest]; !ok || t.Before(s) {
			oldest = a
		}
	}
	if len(r.lost) >= MaxLost {
		delete(r.lost, oldest)
	}
	r.lost[addr] = now
}

// suspect and alive follow what the gossip thinks, as far as it lets it be seen: the suspicions of this
// node, and their end.
func (r *roll) suspect(name string) { r.mark(name, Suspect) }
func (r *roll) alive(name string)   { r.mark(name, Alive) }

func (r *roll) mark(name string, s State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[name]; m != nil && m.become(s) {
		r.touch()
	}
}

// there reports whether a member is known at the address.
func (r *roll) there(addr netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.Address == addr {
			return true
		}
	}
	return false
}

// scheduled reports whether a scheduler is in sight.
func (r *roll) scheduled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.Meta.Role == cluster.RoleScheduler {
			return true
		}
	}
	return false
}

// metOthers reports whether anybody else was ever seen.
func (r *roll) metOthers() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.others
}

// missing gives up to n of the lost members' addresses, in no order.
func (r *roll) missing(n int) []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []netip.AddrPort
	for a, t := range r.lost {
		if time.Since(t) > ForgetLost {
			delete(r.lost, a)
		} else if len(out) < n {
			out = append(out, a) // map order is random: each has its turn
		}
	}
	return out
}
