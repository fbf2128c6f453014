package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
)

func TestTheGossipUnderstandsOneStepAndNotTwo(t *testing.T) {
	for i, there := range trusttest.Steps() {
		s := startNode(t, Options{Keys: trusttest.Ring(there...), Meta: Meta{Role: cluster.RoleScheduler}, Logger: slog.New(slog.DiscardHandler)})
		for j, here := range trusttest.Steps() {
			ctx, cancel := context.WithCancel(t.Context())
			o := quick(Options{Keys: trusttest.Ring(here...), Join: []string{s.Addr().String()}, Logger: slog.New(slog.DiscardHandler)})
			m, err := New(o)
			clustertest.Must(t, err)
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			if trusttest.Understand(i, j) {
				clustertest.Within(t, fmt.Sprintf("step %d joins step %d", j, i), func() bool { return len(m.List()) > 1 })
				cancel()
				clustertest.Must(t, <-done)
			} else if err := <-done; !errors.Is(err, cluster.ErrRefused) {
				t.Errorf("step %d joins step %d: %v", j, i, err)
			}
			cancel()
		}
	}
}

func TestTheGossipsKeysFollow(t *testing.T) {
	keys := trusttest.Ring(trusttest.OurSecret)
	m, err := New(quick(Options{Keys: keys}))
	clustertest.Must(t, err)
	third := trust.Secret("a third horse battery staple")
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
		for _, secrets := range [][]trust.Secret{
			{trusttest.OurSecret, trusttest.TheirSecret}, {trusttest.TheirSecret, trusttest.OurSecret}, {trusttest.TheirSecret}, {third, trusttest.OurSecret, trusttest.TheirSecret},
			{trusttest.OurSecret, trusttest.TheirSecret}, {trusttest.TheirSecret, third}, {trusttest.OurSecret},
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
