//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// place is where processes run: a machine of its own, as far as the network is concerned. It is an OS thread in a
// network namespace that has no name, so nothing of it outlives this process. Without a fabric it is the
// network that the bench itself is in.
type place struct {
	name string
	addr netip.Addr
	wire *os.File // the namespace's only way out; nil without a fabric

	work chan func() // run by the place's thread; closed by leave
	left chan struct{}
}

// newPlace makes a machine with an address, joined to the fabric, which may be nil. own are further networks that
// it answers for.
func newPlace(name string, addr netip.Addr, f *fabric, own ...netip.Prefix) (*place, error) {
	p := &place{name: name, addr: addr, work: make(chan func()), left: make(chan struct{})}
	made := make(chan error, 1)
	go func() {
		defer close(p.left)
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine, and the namespace with it
		if f != nil {
			if err := p.enter(own); err != nil {
				made <- fmt.Errorf("make namespace of %s: %w", name, err)
				return
			}
		}
		made <- nil
		for do := range p.work {
			do()
		}
	}()
	if err := <-made; err != nil {
		return nil, err
	}
	if f != nil {
		f.join(p, own)
	}
	return p, nil
}

// leave gives the machine up; its processes have ended.
func (p *place) leave() {
	close(p.work)
	<-p.left
	if p.wire != nil {
		p.wire.Close()
	}
}

// do runs something on the place's thread: what it starts is in the place's network.
func (p *place) do(what func() error) error {
	done := make(chan error, 1)
	p.work <- func() { done <- what() }
	return <-done
}

// mtu is that of the wires. It is large, as a program carries each packet.
const mtu = 8000

func (p *place) enter(own []netip.Prefix) (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if p.wire, err = openWire("wire"); err != nil {
		return err
	}
	lines := []string{
		"link set lo up", fmt.Sprintf("link set wire up mtu %d", mtu), "addr add " + p.addr.String() + "/32 dev wire", "route add default dev wire",
	}
	for _, n := range own {
		lines = append(lines, "route add local "+n.String()+" dev lo")
	}
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// openWire makes a TUN device in the network of the calling thread. It is gone when the file is closed.
func openWire(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	var request struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = unix.IFF_TUN | unix.IFF_NO_PI
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))); e != 0 {
		return nil, errors.Join(fmt.Errorf("make a TUN device: %w", e), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}
