package cluster

import (
	"errors"
	"testing"

	"trawl/cluster/clustertest"
)

// A connection to the control API that was made with the old secret does not outlive it.
func TestAnOpenControlConnectionEndsWithItsSecret(t *testing.T) {
	there, here := Ring(Steps()[1]...), Ring(OurSecret)
	conf, err := there.ServerTLS(RoleScheduler, "s")
	clustertest.Must(t, err)
	a := startControl(t, ControlOptions{Listen: "127.0.0.1:0", TLS: conf})
	mine, err := here.ClientTLS(RoleFetcher, "f", a.Addr)
	clustertest.Must(t, err)
	c, other := clientTo(t, a.Addr(), mine), clientTo(t, a.Addr(), mine)
	for _, one := range []*ControlClient{c, other} {
		_, err = one.Status(t.Context())
		clustertest.Must(t, err)
	}
	clustertest.Must(t, there.Set(TheirSecret))
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("with the old secret: %v", err)
	}
	clustertest.Must(t, here.Set(TheirSecret))
	if _, err := other.Status(t.Context()); err != nil {
		t.Errorf("with the new one, on a connection from before: %v", err)
	}
}
