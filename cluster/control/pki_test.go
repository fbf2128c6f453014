package control

import (
	"errors"
	"strings"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
)

func TestTheControlAPIWithAnOwnPKI(t *testing.T) {
	own, other := clustertest.NewPKI(t), clustertest.NewPKI(t)
	there := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{IPs: clustertest.Loopback()}))
	server, err := there.ServerTLS(cluster.RoleScheduler, "s")
	clustertest.Must(t, err)
	a := startControl(t, Options{Listen: "127.0.0.1:0", TLS: server, Keys: there})
	stranger := trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{}))
	clustertest.Must(t, stranger.Set(trust.Secret("a secret of somebody else")))
	for name, c := range map[string]struct {
		keys   *trust.Keyring
		silent bool   // it brings no token
		want   string // "" = it is let in
	}{
		"a certificate of the authority":              {trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{})), false, ""},
		"a certificate of the authority and no token": {trusttest.RingOfPKI(t, own.Issue(t, clustertest.Leaf{})), true, "does not prove"},
		"the same with another secret":                {stranger, false, "does not prove"},
		"one of another authority":                    {trusttest.RingOfPKI(t, other.Issue(t, clustertest.Leaf{})), false, "not of this cluster"},
		"the secret alone":                            {trusttest.Ring(trusttest.OurSecret), false, "`tls-cert`"},
	} {
		t.Run(name, func(t *testing.T) {
			conf, err := c.keys.ClientTLS(cluster.RoleFetcher, "f", a.Addr)
			clustertest.Must(t, err)
			client := clientTo(t, a.Addr(), conf)
			if !c.silent {
				client.ProveWith(c.keys)
			}
			_, err = client.Status(t.Context())
			if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}
