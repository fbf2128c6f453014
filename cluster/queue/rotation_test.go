package queue

import (
	"errors"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
)

// A node that was changed too early: its new secret is not known yet, and it goes on with the old one.
func TestAQueueThatDoesNotKnowTheNewSecretYetIsLoggedInToWithTheOldOne(t *testing.T) {
	there, here := trusttest.Ring(trusttest.OurSecret), trusttest.Ring(trusttest.OurSecret)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	f := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here})
	clustertest.Must(t, here.Set(trusttest.TheirSecret, trusttest.OurSecret))
	clustertest.Within(t, "it has tried the new one and is back with the old one", func() bool {
		f.login.mu.Lock()
		defer f.login.mu.Unlock()
		return f.login.try == 1 && f.login.refused.IsZero() && f.nc.IsConnected()
	})
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(1)))
	clustertest.Must(t, there.Set(trusttest.TheirSecret, trusttest.OurSecret))
	f.login.renew() // what the clock would do a little later
	clustertest.Within(t, "the new one is taken", f.login.current)
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(2)))
	clustertest.Must(t, there.Set(trusttest.TheirSecret))
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(3)))
}

// Nobody who was left behind stays in, nor comes back.
func TestWhoKeepsTheOldSecretIsCutAndRefused(t *testing.T) {
	there, here := trusttest.Ring(trusttest.Steps()[1]...), trusttest.Ring(trusttest.OurSecret)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	stays := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: trusttest.Ring(trusttest.TheirSecret, trusttest.OurSecret)})
	late := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here, Patience: time.Second})
	clustertest.Must(t, late.Send(t.Context(), clustertest.Part(1)))
	clustertest.Must(t, there.Set(trusttest.TheirSecret))
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
	if stays.nc.Reconnects != 0 || s.nc.Reconnects != 0 {
		t.Error("a connection whose key stayed was cut")
	}
}
