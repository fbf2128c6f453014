package control

import (
	"errors"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
)

// A connection to the control API that was made with the old secret does not outlive it.
func TestAnOpenControlConnectionEndsWithItsSecret(t *testing.T) {
	there, here := trusttest.Ring(trusttest.Steps()[1]...), trusttest.Ring(trusttest.OurSecret)
	conf, err := there.ServerTLS(cluster.RoleScheduler, "s")
	clustertest.Must(t, err)
	a := startControl(t, Options{Listen: "127.0.0.1:0", TLS: conf})
	mine, err := here.ClientTLS(cluster.RoleFetcher, "f", a.Addr)
	clustertest.Must(t, err)
	c, other := clientTo(t, a.Addr(), mine), clientTo(t, a.Addr(), mine)
	for _, one := range []*Client{c, other} {
		_, err = one.Status(t.Context())
		clustertest.Must(t, err)
	}
	clustertest.Must(t, there.Set(trusttest.TheirSecret))
	if _, err := c.Status(t.Context()); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("with the old secret: %v", err)
	}
	clustertest.Must(t, here.Set(trusttest.TheirSecret))
	if _, err := other.Status(t.Context()); err != nil {
		t.Errorf("with the new one, on a connection from before: %v", err)
	}
}
