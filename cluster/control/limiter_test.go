package control

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
)

func TestACrowdWithoutTheSecretKeepsNobodyFromTheControl(t *testing.T) {
	ring := trusttest.Ring(trusttest.OurSecret)
	server, err := ring.ServerTLS(cluster.RoleScheduler, "s")
	clustertest.Must(t, err)
	client, err := ring.ClientTLS(cluster.RoleFetcher, "f", nil)
	clustertest.Must(t, err)
	for name, conf := range map[string]*tls.Config{"with TLS": server, "in plain text": nil} {
		t.Run(name, func(t *testing.T) {
			o := Options{Listen: "127.0.0.1:0", TLS: conf, Stop: func() {}, Logger: clustertest.Log(t)}
			c, err := New(o)
			clustertest.Must(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			defer func() { cancel(); clustertest.Must(t, <-done) }()
			<-c.Ready()
			clustertest.Crowd(t, c.Addr(), MaxUnauthenticated+20)
			clustertest.Eventually(t, t.Context(), "the limit leaves its mark", func() bool { return c.limiter.Evicted() >= 20 })
			asker := client
			if conf == nil {
				asker = nil
			}
			for range 3 {
				cc := NewClient(c.Addr(), asker)
				clustertest.Must(t, cc.Stop(t.Context()))
				cc.Close()
			}
			clustertest.Eventually(t, t.Context(), "members are forgotten", func() bool { return c.members.Load() == 0 })
			if c.Refusals() == 0 {
				t.Error("nothing was counted")
			}

			c.members.Store(MaxMembers)
			cc := NewClient(c.Addr(), asker)
			defer cc.Close()
			if err := cc.Stop(t.Context()); err == nil || errors.Is(err, cluster.ErrRefused) {
				t.Errorf("one guest too many: %v", err)
			}
			c.members.Store(0)
		})
	}
}
