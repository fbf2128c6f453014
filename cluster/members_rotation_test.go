package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"trawl/cluster/clustertest"
)

func TestTheGossipUnderstandsOneStepAndNotTwo(t *testing.T) {
	for i, there := range Steps() {
		s := startNode(t, MembersOptions{Keys: Ring(there...), Meta: Meta{Role: RoleScheduler}, Logger: slog.New(slog.DiscardHandler)})
		for j, here := range Steps() {
			ctx, cancel := context.WithCancel(t.Context())
			o := quick(MembersOptions{Keys: Ring(here...), Join: []string{s.Addr().String()}, Logger: slog.New(slog.DiscardHandler)})
			m, err := NewMembers(o)
			clustertest.Must(t, err)
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			if Understand(i, j) {
				clustertest.Within(t, fmt.Sprintf("step %d joins step %d", j, i), func() bool { return len(m.List()) > 1 })
				cancel()
				clustertest.Must(t, <-done)
			} else if err := <-done; !errors.Is(err, ErrRefused) {
				t.Errorf("step %d joins step %d: %v", j, i, err)
			}
			cancel()
		}
	}
}

func TestTheGossipsKeysFollow(t *testing.T) {
	keys := Ring(OurSecret)
	m, err := NewMembers(quick(MembersOptions{Keys: keys}))
	clustertest.Must(t, err)
	third := Secret("a third horse battery staple")
	reading, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // as the library does for each packet; the race detector looks on
		for reading.Err() == nil {
			for _, k := range m.ring.GetKeys() {
				_ = k[0]
			}
		}
	})
	for range 50 {
		for _, secrets := range [][]Secret{
			{OurSecret, TheirSecret}, {TheirSecret, OurSecret}, {TheirSecret}, {third, OurSecret, TheirSecret},
			{OurSecret, TheirSecret}, {TheirSecret, third}, {OurSecret},
		} {
			clustertest.Must(t, keys.Set(secrets...))
			clustertest.Must(t, m.takeKeys())
			want, err := keys.GossipKeys()
			clustertest.Must(t, err)
			have := m.ring.GetKeys()
			if len(have) != len(want) || string(have[0]) != string(want[0]) {
				t.Fatalf("%d keys for %d secrets, or another one is current", len(have), len(want))
			}
			for _, k := range want {
				if !among(have, k) {
					t.Fatal("a key is missing")
				}
			}
		}
	}
	stop()
	wg.Wait()
}
