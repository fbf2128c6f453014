package dial

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacked bounds how long the kernel goes on repeating bytes that the peer has not acknowledged
// (TCP_USER_TIMEOUT, RFC 5482). It is set after connecting, because Linux counts it for the handshake too.
func limitUnacked(conn *net.TCPConn, d time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
