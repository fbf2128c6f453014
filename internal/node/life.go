package node

import (
	"fmt"
	"time"

	"trawl/cluster"
	"trawl/cluster/gossip"
)

// superseded tells of a scheduler that continues this crawl from a backup, and what to do; nil when there is none. It
// is a refusal by the cluster: this ledger is not the one that counts any more.
func (n *members) superseded() error {
	own := n.gossip.Meta()
	for _, m := range n.gossip.List() {
		if m.Self || !m.Meta.Supersedes(&own) {
			continue
		}
		return fmt.Errorf("%w: the scheduler at %s goes on with this crawl, from a backup restored at %s: copy the bodies in %s that it lacks to its directory, and do not start this one again",
			cluster.ErrRefused, m.Address, time.Unix(m.Meta.Restored, 0).UTC().Format(time.RFC3339), n.dir)
	}
	return nil
}

// unixSeconds is 0 for the zero time.
func unixSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// inForce leaves out schedulers in whose place another one goes on.
func inForce(all []gossip.Member) []gossip.Member {
	var kept []gossip.Member
	for _, m := range all {
		over := false
		for _, other := range all {
			over = over || other.Meta.Supersedes(&m.Meta)
		}
		if !over {
			kept = append(kept, m)
		}
	}
	return kept
}
