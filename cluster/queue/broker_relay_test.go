package queue

import (
	"crypto/tls"
	"fmt"
	"io"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
)

func TestACrowdWithoutTheSecretKeepsNobodyFromTheQueue(t *testing.T) {
	b, _, ring := guarded(t)
	clustertest.Crowd(t, b.Addr(), MaxUnauthenticated+20)
	clustertest.Eventually(t, t.Context(), "the limit leaves its mark", func() bool { return b.relay.limiter.Evicted() >= 20 })
	if n := b.relay.limiter.Waiting(); n > MaxUnauthenticated {
		t.Errorf("%d strangers", n)
	}
	f := newConn(t, ConnectOptions{URL: "nats://" + b.Addr(), Keys: ring, Role: cluster.RoleFetcher})
	clustertest.Must(t, f.Send(t.Context(), clustertest.Part(2)))
	if b.Refusals() == 0 || b.relay.members.Load() != 1 {
		t.Errorf("%d refusals, %d members", b.Refusals(), b.relay.members.Load())
	}
	f.Close()
	clustertest.Eventually(t, t.Context(), "the guest is forgotten", func() bool { return b.relay.members.Load() == 0 })
}

func TestACertificateIsNotEnoughWithoutAQueueKey(t *testing.T) {
	b, _, ring := guarded(t)
	conf, err := ring.ClientTLS(cluster.RoleFetcher, "f", nil)
	clustertest.Must(t, err)
	c, err := tls.Dial("tcp", b.Addr(), conf)
	clustertest.Must(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "CONNECT {}\r\nPUB trawl.result 2\r\nab\r\nPING\r\n")
	clustertest.Must(t, err)
	clustertest.Must(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
	if text, err := io.ReadAll(c); err != nil {
		t.Errorf("%v after %q", err, text)
	}
	clustertest.Eventually(t, t.Context(), "it is counted", func() bool { return b.refused.Count() > 0 })
}
