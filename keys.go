package trawl

import (
	"fmt"

	"trawl/cluster"
)

// controlClient asks at HOST:PORT.
func controlClient(target string, keys *cluster.Keyring, name string) (*cluster.ControlClient, error) {
	if keys.IsZero() {
		return cluster.NewControlClient(target, nil), nil
	}
	tls, err := keys.ClientTLS(cluster.RoleFetcher, name, func() string { return target })
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return cluster.NewControlClient(target, tls).ProveWith(keys), nil
}

// followControl asks where address says at each new connection.
func followControl(address func() string, keys *cluster.Keyring, name string) (*cluster.ControlClient, error) {
	if keys.IsZero() {
		return cluster.FollowControl(address, nil), nil
	}
	tls, err := keys.ClientTLS(cluster.RoleFetcher, name, address)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return cluster.FollowControl(address, tls).ProveWith(keys), nil
}

// checkServer looks whether the keys do for a node that others connect to.
func (o *Options) checkServer() error {
	if o.Keys.IsZero() {
		return nil
	}
	_, err := o.Keys.ServerTLS(cluster.RoleScheduler, "scheduler")
	return err
}
