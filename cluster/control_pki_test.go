package cluster

import (
	"errors"
	"strings"
	"testing"

	"trawl/cluster/clustertest"
)

func TestTheControlAPIWithAnOwnPKI(t *testing.T) {
	own, other := clustertest.NewPKI(t), clustertest.NewPKI(t)
	there := RingOfPKI(t, own.Issue(t, clustertest.Leaf{IPs: clustertest.Loopback()}))
	server, err := there.ServerTLS(RoleScheduler, "s")
	clustertest.Must(t, err)
	a := startControl(t, ControlOptions{Listen: "127.0.0.1:0", TLS: server, Keys: there})
	stranger := RingOfPKI(t, own.Issue(t, clustertest.Leaf{}))
	clustertest.Must(t, stranger.Set(Secret("a secret of somebody else")))
	for name, c := range map[string]struct {
		keys   *Keyring
		silent bool   // it brings no token
		want   string // "" = it is let in
	}{
		"a certificate of the authority":              {RingOfPKI(t, own.Issue(t, clustertest.Leaf{})), false, ""},
		"a certificate of the authority and no token": {RingOfPKI(t, own.Issue(t, clustertest.Leaf{})), true, "does not prove"},
		"the same with another secret":                {stranger, false, "does not prove"},
		"one of another authority":                    {RingOfPKI(t, other.Issue(t, clustertest.Leaf{})), false, "not of this cluster"},
		"the secret alone":                            {Ring(OurSecret), false, "--tls-cert"},
	} {
		t.Run(name, func(t *testing.T) {
			conf, err := c.keys.ClientTLS(RoleFetcher, "f", a.Addr)
			clustertest.Must(t, err)
			client := clientTo(t, a.Addr(), conf)
			if !c.silent {
				client.ProveWith(c.keys)
			}
			_, err = client.Status(t.Context())
			if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}
