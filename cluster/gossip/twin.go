package gossip

import (
	"cmp"
	"context"
	"net"

	"trawl/cluster"
	"trawl/crawler"
)

// answerTries is how often a member is asked whether it lives before it counts as dead: a packet may be lost.
const answerTries = 2

// Answers asks a member whether it lives, over the network: the gossip still reports a killed process for a while. The name
// of a process is in the question, so a later process at its address does not answer for it. It takes up to two of
// the gossip's times for an answer (a second each; on a WAN three).
func (m *Members) Answers(ctx context.Context, who Member) bool {
	if who.Self {
		return true
	}
	list := m.list.Load()
	if list == nil || m.isSelf(who.Address) { // where this process listens, no other one does any more
		return false
	}
	for range answerTries {
		if ctx.Err() != nil {
			return false
		}
		if _, err := list.Ping(who.Name, net.UDPAddrFromAddrPort(who.Address)); err == nil {
			return true
		}
	}
	return false
}

// Serves reports whether the member announces where its queue is.
func (m *Member) Serves() bool { return m.Meta.QueuePort != 0 || m.Meta.QueueURL != "" }

// Twin reports whether two members are schedulers of the same life of a ledger, in two processes: a copied directory runs
// beside its original, or one of them is dead and not missed yet.
func (m *Member) Twin(other *Member) bool {
	return m.Name != other.Name && m.Meta.Role == cluster.RoleScheduler && other.Meta.Role == cluster.RoleScheduler && m.Meta.Life != (crawler.Life{}) && m.Meta.Life == other.Meta.Life
}

// Precedes reports whether of two that cannot both be the other one gives way: to the one that is at work already, then to
// the one that was started first. It never holds both ways round.
func (m *Member) Precedes(other *Member) bool {
	if m.atWork() != other.atWork() {
		return m.atWork()
	}
	return cmp.Or(cmp.Compare(m.Meta.Started, other.Meta.Started), cmp.Compare(m.Name, other.Name)) < 0
}

// atWork reports whether a scheduler serves, or a fetcher works for one.
func (m *Member) atWork() bool {
	return m.Serves() || m.Meta.Role == cluster.RoleFetcher && m.Meta.Life != (crawler.Life{})
}
