//go:build !linux

package fetcher

import (
	"net"
	"time"
)

// limitUnacked does nothing where the option is not known: there only linger 0 at the end of the lease
// keeps a sent request from being repeated by the kernel.
func limitUnacked(*net.TCPConn, time.Duration) error { return nil }
