package trouble

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestWhatTheMachineIsShortOf(t *testing.T) {
	for err, want := range map[error]bool{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}:            true,
		&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}:    true,
		&os.PathError{Op: "open", Err: syscall.ENFILE}:                                         true,
		fmt.Errorf("look up: %w", &net.DNSError{Err: "dial udp: socket: too many open files"}): true,
		syscall.ECONNREFUSED: false,
		syscall.ENOSPC:       false,
	} {
		if IsShortage(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
