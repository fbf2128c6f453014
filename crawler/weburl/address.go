package weburl

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// closed are the networks that no link and no redirect may reach: private, shared (RFC 6598), loopback,
// link-local with the metadata services, documentation, benchmarking, multicast, reserved, and the IPv6
// ways to reach IPv4 ones (RFC 6890 and the IANA special-purpose registries). 168.63.129.16 is a metadata
// service as well, though its address looks public.
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		ps[i] = netip.MustParsePrefix(t)
	}
	return ps
}

// PrivateAddress reports whether an address is not for the public: a crawl reaches it only when a seed
// spells it or the user allows it.
func PrivateAddress(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range closed {
		if p.Contains(a) {
			return true
		}
	}
	return !a.IsValid()
}

// AddressGuard decides at connect time, after DNS, which addresses may be reached. The zero value lets
// public ones through only. It is safe for concurrent use as long as it is not changed.
type AddressGuard struct {
	All      bool
	Networks []netip.Prefix
	Spelled  map[netip.AddrPort]bool // opened by a seed that spells it
}

// NewAddressGuard reads the networks that the user allows ("all" for any), and the addresses with their ports that seeds spell. What
// cannot be read opens nothing.
func NewAddressGuard(allow, spelled []string) AddressGuard {
	g := AddressGuard{Spelled: make(map[netip.AddrPort]bool)}
	for _, n := range allow {
		if n == "all" {
			g.All = true
		} else if p, err := netip.ParsePrefix(n); err == nil {
			g.Networks = append(g.Networks, p)
		}
	}
	for _, s := range spelled {
		if ap, err := netip.ParseAddrPort(s); err == nil {
			g.Spelled[netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())] = true
		}
	}
	return g
}

// Allows reports whether a connection may be opened. spelled says that the URL itself spells the address
// (an IP literal or localhost): a seed opens an address only to URLs that spell it too.
func (g AddressGuard) Allows(a netip.AddrPort, spelled bool) bool {
	addr := a.Addr().Unmap().WithZone("") // a network contains no address with a zone
	if g.All || !PrivateAddress(addr) {
		return true
	}
	for _, p := range g.Networks {
		if p.Contains(addr) {
			return true
		}
	}
	return spelled && g.Spelled[netip.AddrPortFrom(addr, a.Port())]
}

// Equal reports whether two guards let the same addresses through.
func (g AddressGuard) Equal(o AddressGuard) bool {
	return g.All == o.All && slices.Equal(g.Networks, o.Networks) && maps.Equal(g.Spelled, o.Spelled)
}

// SpelledAddresses are the private addresses that a seed opens: its own IP literal, or the loopback
// addresses for localhost, with its port. Any other name opens none.
func SpelledAddresses(u URL) []netip.AddrPort {
	var addrs []netip.Addr
	if name := u.Hostname(); name == "localhost" {
		addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	} else if a, err := netip.ParseAddr(TrimBrackets(name)); err == nil {
		addrs = []netip.Addr{a.Unmap()}
	}
	var out []netip.AddrPort
	for _, a := range addrs {
		if PrivateAddress(a) {
			out = append(out, netip.AddrPortFrom(a, u.Port()))
		}
	}
	return out
}

func TrimBrackets(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1]
	}
	return s
}
