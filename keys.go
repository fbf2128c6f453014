package trawl

import (
	"fmt"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/trust"
)

// followControl asks where address says at each new connection.
func followControl(address func() string, keys *trust.Keyring, name string) (*control.Client, error) {
	if keys.IsZero() {
		return control.Follow(address, nil), nil
	}
	tls, err := keys.ClientTLS(cluster.RoleFetcher, name, address)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return control.Follow(address, tls).ProveWith(keys), nil
}

// checkServer looks whether the keys do for a node that others connect to.
func (o *Options) checkServer() error {
	if o.Keys.IsZero() {
		return nil
	}
	_, err := o.Keys.ServerTLS(cluster.RoleScheduler, "scheduler")
	return err
}
