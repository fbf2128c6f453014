package gossip

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"

	"trawl/cluster/trust"
)

// newRing makes the library's keyring, nil without a secret.
func newRing(keys *trust.Keyring) (*memberlist.Keyring, error) {
	if keys.IsZero() {
		return nil, nil
	}
	all, err := keys.GossipKeys()
	if err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(all[1:], all[0])
	if err != nil {
		return nil, fmt.Errorf("keys of the gossip: %w", err)
	}
	return ring, nil
}

// followKeys keeps the keys of the gossip in step with the node's.
func (m *Members) followKeys(ctx context.Context) {
	for {
		changed := m.opts.Keys.Changed()
		if changed == nil {
			return
		}
		if err := m.takeKeys(); err != nil {
			m.log.Warn("the gossip keeps its keys from before", "error", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// takeKeys changes the library's keyring: what is new is accepted, then used, then the rest is refused. The library
// hands out its list of keys unguarded, and RemoveKey would move keys inside of it: so only the last one is ever
// removed, and one that is wanted and stood behind one that is not is added again.
func (m *Members) takeKeys() error {
	want, err := m.opts.Keys.GossipKeys()
	if err != nil {
		return err
	}
	for _, k := range want {
		if err := m.ring.AddKey(k); err != nil {
			return fmt.Errorf("add a key: %w", err)
		}
	}
	if err := m.ring.UseKey(want[0]); err != nil {
		return fmt.Errorf("use a key: %w", err)
	}
	for {
		have := m.ring.GetKeys()
		if !slices.ContainsFunc(have, func(k []byte) bool { return !among(want, k) }) {
			break
		}
		if err := m.ring.RemoveKey(have[len(have)-1]); err != nil {
			return fmt.Errorf("remove a key: %w", err)
		}
	}
	for _, k := range want {
		if err := m.ring.AddKey(k); err != nil {
			return fmt.Errorf("add a key: %w", err)
		}
	}
	return nil
}

func among(keys [][]byte, k []byte) bool {
	return slices.ContainsFunc(keys, func(o []byte) bool { return bytes.Equal(o, k) })
}
