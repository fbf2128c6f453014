package queue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
)

// Where both sides have certificates that are good, the secret still decides who logs in to the queue.
func TestWithAnOwnPKITheSecretIsNeededAllTheSame(t *testing.T) {
	own := clustertest.NewPKI(t)
	there := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{Names: []string{trust.ServerName}}))
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	here := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{}))
	f := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here, Patience: time.Second})
	other := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{}))
	clustertest.Must(t, other.Set(trusttest.TheirSecret))
	if _, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: other}); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("%v", err)
	}
	clustertest.Must(t, there.Set(trusttest.TheirSecret))
	if _, err := f.Next(t.Context()); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// A renewed certificate is taken while nodes run, and fetchers stay.
func TestFetchersStayWhenACertificateIsRenewed(t *testing.T) {
	own := clustertest.NewPKI(t)
	dir := t.TempDir()
	node := clustertest.Leaf{Names: []string{trust.ServerName}}
	there, err := trust.OpenKeyring(trusttest.WriteKeys(t, own.Issue(t, node), dir), clustertest.Log(t))
	clustertest.Must(t, err)
	here := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{}))
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	f := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here})
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(1)))

	changed := there.Changed()
	node.To = 1000 * time.Hour
	trusttest.WriteKeys(t, own.Issue(t, node), dir)
	there.Reload()
	select {
	case <-changed:
	default:
		t.Fatal("the new certificate is not in force")
	}
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(2)))
	clustertest.Must(t, newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here}).Send(t.Context(), clustertest.Part(3)))

	trusttest.WriteKeys(t, clustertest.NewPKI(t).Issue(t, node), dir) // another authority: which is the current one from now on
	there.Reload()
	if c, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + b.Addr(), Role: cluster.RoleFetcher, Keys: here}); !errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), "`tls-ca`") {
		if err == nil {
			c.Close()
		}
		t.Errorf("%v", err)
	} else {
		t.Log(err)
	}
}
