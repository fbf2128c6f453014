package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"trawl/cluster/clustertest"
)

func TestACrowdOfStrangersKeepsNobodyFromTheControl(t *testing.T) {
	ring := Ring(OurSecret)
	server, err := ring.ServerTLS(RoleScheduler, "s")
	clustertest.Must(t, err)
	client, err := ring.ClientTLS(RoleFetcher, "f", nil)
	clustertest.Must(t, err)
	for name, conf := range map[string]*tls.Config{"with TLS": server, "in plain text": nil} {
		t.Run(name, func(t *testing.T) {
			o := ControlOptions{Listen: "127.0.0.1:0", TLS: conf, Stop: func() {}, Logger: clustertest.Log(t)}
			c, err := NewControl(o)
			clustertest.Must(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			defer func() { cancel(); clustertest.Must(t, <-done) }()
			<-c.Ready()
			clustertest.Crowd(t, c.Addr(), MaxControlStrangers+20)
			clustertest.Eventually(t, t.Context(), "the limit leaves its mark", func() bool { return c.door.evicted() >= 20 })
			asker := client
			if conf == nil {
				asker = nil
			}
			for range 3 {
				cc := NewControlClient(c.Addr(), asker)
				clustertest.Must(t, cc.Stop(t.Context()))
				cc.Close()
			}
			clustertest.Eventually(t, t.Context(), "guests are forgotten", func() bool { return c.guests.Load() == 0 })
			if c.Refusals() == 0 {
				t.Error("nothing was counted")
			}

			c.guests.Store(MaxControlGuests)
			cc := NewControlClient(c.Addr(), asker)
			defer cc.Close()
			if err := cc.Stop(t.Context()); err == nil || errors.Is(err, ErrRefused) {
				t.Errorf("one guest too many: %v", err)
			}
			c.guests.Store(0)
		})
	}
}
