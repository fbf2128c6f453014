package queue

import (
	"fmt"
	"net"
	"time"
)

// movingDialer connects to where the broker is now.
type movingDialer struct {
	address func() string
	timeout time.Duration
}

// Dial is what nats.go calls for each try; address is what the URL says.
func (d *movingDialer) Dial(network, address string) (net.Conn, error) {
	if now := d.address(); now != "" {
		address = now
	}
	return (&net.Dialer{Timeout: d.timeout}).Dial(network, address)
}

// Reconnect gives the connection up and makes it anew, for a broker that is elsewhere now: until the old machine is
// missed, half a minute could pass. Calls under way go on as after any lost connection.
func (c *Conn) Reconnect() error {
	if err := c.nc.ForceReconnect(); err != nil {
		return fmt.Errorf("reconnect to the queue: %w", err)
	}
	return nil
}
