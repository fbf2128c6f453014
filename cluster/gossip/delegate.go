package gossip

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipLabel goes before every packet and stream. It keeps other users of the library apart; it is the
// same for all of trawl, as a mismatch is silent and a refusal must be reported.
const gossipLabel = "trawl"

// reclaimAfter is when a name that died may come back at another address.
const reclaimAfter = 30 * time.Second

// config is the library's, for this network.
func (m *Members) config(bound, advertised netip.AddrPort) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	// Fetchers use the CPU fully, so a member has longer to answer than the library's own second allows.
	c.ProbeInterval, c.ProbeTimeout = 1500*time.Millisecond, time.Second
	switch {
	case bound.Addr().IsLoopback():
		// One machine: packets are not lost, so a killed node is known after some 6 s.
		c.TCPTimeout = 3 * time.Second
		c.SuspicionMult, c.SuspicionMaxTimeoutMult = 3, 2
		c.PushPullInterval = 15 * time.Second
		// Hundreds of members may share these processors: what one announces is passed on less often than by default (4), so that
		// two hundred who join at once do not keep each other from answering.
		c.GossipInterval, c.RetransmitMult = 200*time.Millisecond, 3
		c.GossipToTheDeadTime = 15 * time.Second
	case m.opts.WAN:
		c = memberlist.DefaultWANConfig()
	}
	if p := m.opts.ProbeInterval; p > 0 {
		c.ProbeInterval, c.ProbeTimeout = p, p*7/10
	}
	if g := m.opts.GossipInterval; g > 0 {
		c.GossipInterval = g
	}
	if m.ring == nil {
		c.CIDRsAllowed = loopbackNets() // without a secret nobody leads us off this machine
	}
	c.EnableCompression = false // packets are small: it costs more processor time and memory than all the rest of the gossip
	c.Name = m.name
	c.Label = gossipLabel
	c.BindAddr, c.BindPort = bound.Addr().String(), int(bound.Port())
	c.AdvertiseAddr, c.AdvertisePort = advertised.Addr().String(), int(advertised.Port())
	c.DeadNodeReclaimTime = reclaimAfter
	d := gossipDelegate{m}
	c.Delegate, c.Events, c.Alive, c.Merge, c.Conflict, c.Ping = d, d, d, d, d, d
	return c
}

func loopbackNets() []net.IPNet {
	return []net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
}

// gossipDelegate is what the library calls. Most calls come while it holds its own lock, so none of these
// may call it, wait, or take a lock under which it is called.
type gossipDelegate struct{ m *Members }

// NodeMeta is asked for at the start and at each announcement.
func (d gossipDelegate) NodeMeta(int) []byte {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return d.m.encoded
}

func (d gossipDelegate) NotifyMsg([]byte)                {}
func (d gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d gossipDelegate) LocalState(bool) []byte          { return nil }
func (d gossipDelegate) MergeRemoteState([]byte, bool)   {}

// NotifyAlive vetoes a member that cannot belong here, no matter which member reports it.
func (d gossipDelegate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == d.m.Name() {
		return nil
	}
	if err := d.check(n); err != nil {
		return err
	}
	d.m.roll.alive(n.Name)
	return nil
}

// NotifyMerge vetoes a join from either side when a living member of the other side cannot belong here.
func (d gossipDelegate) NotifyMerge(peers []*memberlist.Node) error {
	for _, p := range peers {
		if p.State == memberlist.StateDead || p.State == memberlist.StateLeft || p.Name == d.m.Name() {
			continue
		}
		if err := d.check(p); err != nil {
			return err
		}
	}
	return nil
}

func (d gossipDelegate) check(n *memberlist.Node) error {
	peer, err := decodeMeta(n.Meta)
	if err != nil {
		return &vetoError{n.Name, err}
	}
	own := d.m.Meta()
	if err := compatible(&own, &peer); err != nil {
		return &vetoError{n.Name, err}
	}
	return nil
}

// vetoMark begins every veto, so that it is found again in the text of a failed join.
const vetoMark = "not of this cluster: "

// vetoError says who cannot be a member here, and why.
type vetoError struct {
	name string
	err  error
}

func (e *vetoError) Error() string { return vetoMark + e.name + " " + e.err.Error() }
func (e *vetoError) Unwrap() error { return e.err }

// NotifyConflict: a name is at two addresses. Only the first bearer stays known.
func (d gossipDelegate) NotifyConflict(existing, other *memberlist.Node) {
	d.m.mu.Lock()
	if existing.Name == d.m.name {
		d.m.conflict = true
	}
	d.m.mu.Unlock()
	d.m.clash.Hit(slog.String("name", existing.Name), slog.String("kept", existing.Address()), slog.String("other", other.Address()))
}

func (d gossipDelegate) NotifyJoin(n *memberlist.Node)   { d.put(n) }
func (d gossipDelegate) NotifyUpdate(n *memberlist.Node) { d.put(n) }
func (d gossipDelegate) NotifyLeave(n *memberlist.Node)  { d.m.roll.remove(n.Name) }

func (d gossipDelegate) put(n *memberlist.Node) {
	meta, err := decodeMeta(n.Meta)
	if err != nil {
		return // vetoed before it came here
	}
	ip, _ := netip.AddrFromSlice(n.Addr)
	d.m.roll.put(n.Name, netip.AddrPortFrom(ip.Unmap(), n.Port), meta)
}

func (d gossipDelegate) AckPayload() []byte { return nil }

// NotifyPingComplete ends a suspicion.
func (d gossipDelegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	d.m.roll.alive(n.Name)
}
