package queue

import (
	"errors"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
)

// A change of the secret is no reason to connect again: a node stays logged in with the one that it started with, as
// long as the broker accepts that one.
func TestANodeStaysWithTheSecretThatItStartedWithWhileThatIsAccepted(t *testing.T) {
	there, here := trusttest.Ring(trusttest.OurSecret), trusttest.Ring(trusttest.OurSecret)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	old := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here})
	for i, secrets := range trusttest.Steps()[1:3] { // both accepted; then the new one first
		clustertest.Must(t, there.Set(secrets...))
		clustertest.Must(t, here.Set(secrets...))
		clustertest.Must(t, old.Send(t.Context(), clustertest.Part(1+i)))
	}
	if old.nc.Stats().Reconnects != 0 || s.nc.Stats().Reconnects != 0 {
		t.Error("a connection was made again")
	}
	clustertest.Must(t, old.Reconnect()) // also where the connection is lost meanwhile
	clustertest.Within(t, "it is back with the old one", func() bool { return old.nc.Stats().Reconnects == 1 && old.nc.IsConnected() })
	clustertest.Must(t, old.Send(t.Context(), clustertest.Part(3)))
	started := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here})
	clustertest.Must(t, there.Set(trusttest.TheirSecret))
	clustertest.Must(t, started.Send(t.Context(), clustertest.Part(4)))
	if started.nc.Stats().Reconnects != 0 {
		t.Error("the connection of a node that was started again is not one with the new secret")
	}
}

// Nobody who was left behind stays in, nor comes back.
func TestANodeThatWasNotStartedAgainIsCutAndRefused(t *testing.T) {
	for name, after := range map[string]func(*testing.T, *nodeKeys){
		"its file has the new secret": func(t *testing.T, k *nodeKeys) { clustertest.Must(t, k.here.Set(trusttest.TheirSecret)) },
		"its file has the old secret": func(*testing.T, *nodeKeys) {},
	} {
		t.Run(name, func(t *testing.T) {
			k := &nodeKeys{trusttest.Ring(trusttest.Steps()[1]...), trusttest.Ring(trusttest.OurSecret)}
			b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: k.there})
			s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
			clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
			stays := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: trusttest.Ring(trusttest.TheirSecret, trusttest.OurSecret)})
			late := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: k.here, Patience: time.Second})
			clustertest.Must(t, late.Send(t.Context(), clustertest.Part(1)))
			after(t, k)
			clustertest.Must(t, k.there.Set(trusttest.TheirSecret))
			waiting := make(chan error, 1)
			go func() { _, err := late.Next(t.Context()); waiting <- err }()
			select {
			case err := <-waiting:
				if !errors.Is(err, cluster.ErrRefused) {
					t.Errorf("%v", err)
				}
				t.Log(err)
			case <-time.After(clustertest.Patience):
				t.Fatal("it waits for ever")
			}
			<-late.Refused().Done()
			if err := late.Refusal(); !errors.Is(err, cluster.ErrRefused) || stays.Refusal() != nil {
				t.Errorf("the one that was left behind: %v; the other: %v", err, stays.Refusal())
			}
			clustertest.Must(t, stays.Send(t.Context(), clustertest.Part(2)))
			if stays.nc.Stats().Reconnects != 0 || s.nc.Stats().Reconnects != 0 {
				t.Error("a connection whose key stayed was cut")
			}
		})
	}
}

// nodeKeys are the keyrings of a broker and of a node.
type nodeKeys struct{ there, here *trust.Keyring }
