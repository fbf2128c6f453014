package node

import (
	"context"
	"fmt"
	"time"

	"trawl/cluster"
	"trawl/cluster/gossip"
)

const (
	// firstGossip is how long a node listens, from when it meets the first member, before it tells what it wants to be: a
	// member tells of all others, and among them may be one that is it already.
	firstGossip = 300 * time.Millisecond
	// twinCheck is how often a scheduler asks whether another one of its life lives that did not answer.
	twinCheck = time.Second
)

// acquainted reports whether this scheduler was told of members: fetchers of an earlier run, or addresses to join. Then it
// tells where its queue is only when nothing that they know of speaks against it.
func (n *members) acquainted() bool { return len(n.peers.last) > 0 || len(n.cluster.Join) > 0 }

// listen waits, where this node was told of members, until the gossip has had the time to tell of a scheduler that goes on
// in this one's place, or is of the same life. Without members there is nobody to be told by, and nobody to give credit for.
func (n *members) listen(ctx context.Context) error {
	if !n.acquainted() || !awaitGossip(ctx, n.gossip) {
		return nil
	}
	if err := n.superseded(); err != nil {
		return err
	}
	_, err := n.twin(ctx)
	return err
}

// awaitGossip waits until somebody else is there and has had the time to tell of all others. It reports whether it did
// before ctx ended.
func awaitGossip(ctx context.Context, members *gossip.Members) bool {
	for {
		changed := members.Changed()
		if len(members.List()) > 1 {
			pause(ctx, firstGossip)
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// open reports where the queue is.
func (n *members) open() error {
	return n.gossip.Update(func(m *gossip.Meta) { m.QueuePort, m.QueueURL = n.queues.port(), publicNATS(n.queues.o.NATS) })
}

// watchTwins ends with a refusal when this scheduler has to give way to another one of the same life. The one that stays
// says so once; the other one stops by itself.
func (n *members) watchTwins(ctx context.Context) error {
	told := make(map[string]bool)
	again := time.NewTicker(twinCheck)
	defer again.Stop()
	for {
		changed := n.gossip.Changed()
		living, err := n.twin(ctx)
		if err != nil {
			return err
		}
		for _, m := range living {
			if !told[m.Name] {
				told[m.Name] = true
				n.log.Warn("another scheduler works on a copy of this crawl's directory; it is to stop, and this one goes on", "address", m.Address.String())
			}
		}
		var asked <-chan time.Time
		if len(n.twins()) > 0 { // one that did not answer may live, and one that is to stop may not
			asked = again.C
		}
		select {
		case <-changed:
		case <-asked:
		case <-ctx.Done():
			return nil
		}
	}
}

// twins are the schedulers of this one's life that the gossip tells of. Most often it is this one's predecessor, which was
// killed and is not missed yet.
func (n *members) twins() (found []gossip.Member) {
	all := n.gossip.List()
	own := self(all)
	for _, m := range all {
		if m.Twin(&own) {
			found = append(found, m)
		}
	}
	return found
}

// twin asks the twins whether they live. One to which this scheduler has to give way is a refusal: two ledgers of one life
// would both let fetchers ask the same hosts.
func (n *members) twin(ctx context.Context) (living []gossip.Member, err error) {
	for _, m := range n.twins() {
		if !n.gossip.Answers(ctx, m) {
			continue
		}
		if own := self(n.gossip.List()); m.Precedes(&own) {
			return nil, errTwin(m.Address.String(), n.dir)
		}
		living = append(living, m)
	}
	return living, nil
}

func errTwin(at, dir string) error {
	return fmt.Errorf("%w: a scheduler at %s works on this crawl already, and one of the two directories is a copy: stop that one before %s goes on in its place; for a second crawl beside it, make a backup and restore it, with another secret",
		cluster.ErrRefused, at, dir)
}

// self is this process among the members.
func self(all []gossip.Member) (own gossip.Member) {
	for _, m := range all {
		if m.Self {
			own = m
		}
	}
	return own
}
