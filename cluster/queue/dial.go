package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"trawl/cluster"
	"trawl/cluster/trust"
)

// DefaultPatience is how long a node keeps trying a broker that refuses it after it had let it in before.
const DefaultPatience = time.Minute

// dialer makes each try to connect for nats.go: to where the broker is now, and over TLS for a node with keys.
type dialer struct{ c *Conn }

// SkipTLSHandshake says to nats.go that Dial has done the handshake. Without keys there is none.
func (d dialer) SkipTLSHandshake() bool { return !d.c.o.Keys.IsZero() }

// Dial is what nats.go calls for each try; address is what the URL says. With keys it returns when the broker has
// sent its first byte: in TLS 1.3 a client learns only then whether its certificate was accepted.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	o := &d.c.o
	if o.Address != nil {
		if now := o.Address(); now != "" {
			address = now
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.Timeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil || o.Keys.IsZero() {
		return raw, err
	}
	conf, err := o.Keys.ClientTLS(o.Role, o.Name, func() string { return address })
	if err != nil {
		raw.Close()
		return nil, err
	}
	g, err := greeted(ctx, tls.Client(raw, conf))
	if err != nil {
		raw.Close()
		if isTLSRefusal(err) {
			d.c.refuse(fmt.Errorf("%w: TLS with the queue failed: %s", cluster.ErrRefused, trust.ExplainTLS(err, o.Keys.Advice())))
		}
		return nil, err
	}
	return g, nil
}

// greeting is a connection of which the first byte was read already.
type greeting struct {
	net.Conn
	first []byte
}

func greeted(ctx context.Context, conn *tls.Conn) (*greeting, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	g := &greeting{Conn: conn, first: make([]byte, 1)}
	_, err := conn.Read(g.first)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	return g, err
}

func (g *greeting) Read(p []byte) (int, error) {
	if len(g.first) > 0 && len(p) > 0 {
		n := copy(p, g.first)
		g.first = g.first[n:]
		return n, nil
	}
	return g.Conn.Read(p)
}

// refuse records that a try to connect was refused. When the broker has refused all tries for as long as the patience
// lasts, the connection ends.
func (c *Conn) refuse(why error) {
	c.mu.Lock()
	if !c.made { // Connect returns the error
		c.mu.Unlock()
		return
	}
	first := c.refusedAt.IsZero()
	if first {
		c.refusedAt = time.Now()
	}
	over := time.Since(c.refusedAt) >= c.o.Patience
	c.mu.Unlock()
	if first {
		c.log.Warn("the queue refuses this node, which tries again for a while", "error", why, "for", c.o.Patience)
	}
	if over && c.end(why) {
		c.log.Error("the queue refuses this node now", "error", why)
		go c.nc.Close() // not here, where nats.go holds its lock
	}
}

// Refused is done when the queue refuses this node for good, after it had let it in: nothing that the node still holds
// can be delivered. [Conn.Refusal] has the reason, nil before.
func (c *Conn) Refused() context.Context { return c.refused }

// Refusal is the [cluster.ErrRefused] of [Conn.Refused].
func (c *Conn) Refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.gone, cluster.ErrRefused) {
		return c.gone
	}
	return nil
}

// Reconnect gives up the connection and makes a new one, for a broker that has moved: otherwise half a minute could
// pass until the old machine is missed. Calls under way continue as after any lost connection.
func (c *Conn) Reconnect() error {
	if err := c.nc.ForceReconnect(); err != nil {
		return fmt.Errorf("reconnect to the queue: %w", err)
	}
	return nil
}
