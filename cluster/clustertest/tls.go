package clustertest

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// Shake connects the two and carries a byte each way. The server's word counts: in TLS 1.3 a client
// learns later that it was refused.
func Shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	done := make(chan error, 1)
	exchange := func(c *tls.Conn) error {
		defer c.Close()
		if err := c.Handshake(); err != nil {
			return err
		}
		errs := make(chan error, 1)
		go func() { _, err := c.Write([]byte{1}); errs <- err }()
		_, err := io.ReadFull(c, make([]byte, 1))
		if werr := <-errs; err == nil {
			err = werr
		}
		return err
	}
	go func() { done <- exchange(tls.Server(a, server)) }()
	clientErr = exchange(tls.Client(b, client))
	return <-done, clientErr
}

// Crowd opens connections that say nothing, and closes them at the end.
func Crowd(t *testing.T, addr string, n int) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
}
