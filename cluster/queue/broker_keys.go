package queue

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"trawl/cluster"
)

// secure makes what a broker with keys needs besides them.
func (b *Broker) secure() (err error) {
	if b.tls, err = b.o.Keys.ServerTLS(cluster.RoleScheduler, "scheduler"); err != nil {
		return err
	}
	key, err := nkeys.CreateUser()
	if err != nil {
		return fmt.Errorf("make the scheduler's key: %w", err)
	}
	b.scheduler, err = key.Seed()
	return err
}

// users are those who may log in: the scheduler of this process, and fetchers with a key from any of the secrets.
func (b *Broker) users() ([]*server.NkeyUser, error) {
	key, err := nkeys.FromSeed(b.scheduler)
	if err != nil {
		return nil, fmt.Errorf("read the scheduler's key: %w", err)
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read the scheduler's key: %w", err)
	}
	all := []*server.NkeyUser{{Nkey: public}}
	if b.o.outside != "" {
		all = append(all, &server.NkeyUser{Nkey: b.o.outside})
	}
	fetchers, err := b.o.Keys.QueueUsers(cluster.RoleFetcher)
	if err != nil {
		return nil, err
	}
	for _, f := range fetchers {
		all = append(all, &server.NkeyUser{Nkey: f, Permissions: fetcherRights(newNames(b.o.Namespace))})
	}
	return all, nil
}

// takeKeys lets in those who hold one of the current keys. Connections whose key is still among them stay, the
// others are closed.
func (b *Broker) takeKeys(s *server.Server) error {
	if b.tls == nil {
		return nil
	}
	o, err := b.serverOptions()
	if err == nil {
		err = s.ReloadOptions(o)
	}
	if err != nil {
		return fmt.Errorf("give changed keys to the queue: %w", err)
	}
	return nil
}
