package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the port of the gossip when none is given; the queue takes the next one, the control API
// the one after.
const DefaultPort = 7946

// Bind is an address to listen on. The zero value means every interface and any free port.
type Bind struct {
	Host string // IP address without brackets, or a name; "" for every interface
	Port int    // 0 for a free one
}

// DefaultBind is where a node listens when the user says nothing: on every interface with a secret, on
// loopback alone without one.
func DefaultBind(secret bool) Bind {
	if !secret {
		return Bind{Host: "127.0.0.1", Port: DefaultPort}
	}
	return Bind{Port: DefaultPort}
}

// ParseBind reads an address as users give it: "HOST:PORT", ":PORT", "HOST" or "PORT". What is left out is
// every interface and [DefaultPort].
func ParseBind(text string) (Bind, error) {
	text = strings.TrimSpace(text)
	if isPort(text) {
		text = ":" + text
	}
	host, port := text, strconv.Itoa(DefaultPort)
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	} else if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		host = text[1 : len(text)-1]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Bind{}, fmt.Errorf("%q: %q is not a port from 0 to 65535", text, port)
	}
	if err := checkHost(host); err != nil {
		return Bind{}, fmt.Errorf("%q is not an address (use HOST:PORT): %w", text, err)
	}
	return Bind{Host: host, Port: int(n)}, nil
}

func isPort(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func checkHost(host string) error {
	if host == "" {
		return nil
	}
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err
	}
	if len(host) > 253 {
		return errors.New("the name is longer than 253 bytes")
	}
	if i := strings.IndexFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\[]@?#%`, r) }); i >= 0 {
		return fmt.Errorf("%q cannot be part of a name", host[i])
	}
	return nil
}

// String is "HOST:PORT", as net.Listen takes it.
func (b Bind) String() string { return net.JoinHostPort(b.Host, strconv.Itoa(b.Port)) }

// Loopback reports whether only this machine can reach the address. Names other than localhost count as
// reachable from elsewhere, whatever they resolve to at the moment.
func (b Bind) Loopback() bool {
	if strings.EqualFold(b.Host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(b.Host)
	return err == nil && a.Unmap().IsLoopback()
}

// Next is the address n ports further on, where a node's other services listen: the queue 1, the control
// API 2. A free port (0) stays one.
func (b Bind) Next(n int) (Bind, error) {
	if b.Port == 0 {
		return b, nil
	}
	if b.Port+n > 65535 {
		return Bind{}, fmt.Errorf("port %d leaves no room for the %d ports after it: use a lower one", b.Port, n)
	}
	return Bind{Host: b.Host, Port: b.Port + n}, nil
}

// IP resolves the host; invalid means every interface.
func (b Bind) IP(ctx context.Context) (netip.Addr, error) {
	if b.Host == "" {
		return netip.IPv4Unspecified(), nil
	}
	addrs, err := Resolve(ctx, b.Host)
	if err != nil {
		return netip.Addr{}, err
	}
	return addrs[0], nil
}

// Resolve gives the addresses of a name or of an address, IPv4 first. The gossip library is never given
// a name: its own resolution asks the first name server for ANY over TCP.
func Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if strings.EqualFold(host, "localhost") {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	var v4, v6 []netip.Addr
	for _, a := range found {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	if len(v4)+len(v6) == 0 {
		return nil, fmt.Errorf("look up %s: no address", host)
	}
	return append(v4, v6...), nil
}

// AdvertiseIP chooses the address for the others when the user did not say: the bound address; when that is
// every interface, the one from which the first of the others is reached (the machine's routes say, no
// packet is sent); when there are no others, the first private address, then the first public one.
func AdvertiseIP(bound netip.Addr, others []netip.AddrPort) (netip.Addr, error) {
	if !bound.IsUnspecified() {
		return bound, nil
	}
	for _, o := range others {
		conn, err := net.Dial("udp", o.String())
		if err != nil {
			continue
		}
		local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
		conn.Close()
		if bound.Is6() || local.Is4() {
			return local, nil
		}
	}
	return firstAddress(bound)
}

func firstAddress(bound netip.Addr) (netip.Addr, error) {
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list this machine's addresses: %w", err)
	}
	var public netip.Addr
	for _, i := range ifs {
		n, ok := i.(*net.IPNet)
		if !ok {
			continue
		}
		a, _ := netip.AddrFromSlice(n.IP)
		a = a.Unmap()
		if !a.IsGlobalUnicast() || (a.Is6() && bound.Is4()) {
			continue
		}
		if a.IsPrivate() && a.Is4() {
			return a, nil
		}
		if !public.IsValid() {
			public = a
		}
	}
	if !public.IsValid() {
		return netip.Addr{}, errors.New("no address that others could reach was found: say it with `advertise`")
	}
	return public, nil
}
