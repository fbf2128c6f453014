package weburl

import (
	"net/netip"
	"slices"
	"testing"
)

func TestPrivateAddress(t *testing.T) {
	for _, c := range []struct {
		what      string
		addresses []string
	}{
		{"this network", []string{"0.0.0.0", "0.255.255.255"}},
		{"private", []string{"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"}},
		{"shared", []string{"100.64.0.0", "100.127.255.255"}},
		{"loopback", []string{"127.0.0.1", "127.255.255.255", "::1"}},
		{"link-local", []string{"169.254.0.0", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%eth0"}},
		{"metadata", []string{"169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"}},
		{"protocol assignments", []string{"192.0.0.0", "192.0.0.255", "2001::1", "2001:1ff:ffff::"}},
		{"documentation", []string{"192.0.2.0", "192.0.2.255", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1", "3fff:fff::1"}},
		{"relay", []string{"192.88.99.0", "192.88.99.255", "2002::1", "2002:7f00:1::"}},
		{"benchmarking", []string{"198.18.0.0", "198.19.255.255"}},
		{"multicast and reserved", []string{"224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255", "ff02::1"}},
		{"unspecified", []string{"::"}},
		{"IPv4 in IPv6", []string{"::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254", "::127.0.0.1"}},
		{"translation", []string{"::ffff:0:127.0.0.1", "::ffff:0:a00:1", "::ffff:0:ffff:ffff", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "64:ff9b:1:ffff::"}},
		{"discard and dummy", []string{"100::", "100::ffff", "100:0:0:1::1"}},
		{"segment routing", []string{"5f00::1"}},
		{"unique and site local", []string{"fc00::", "fdff::1", "fec0::1", "feff::1"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, a := range c.addresses {
				if !PrivateAddress(netip.MustParseAddr(a)) {
					t.Errorf("%s is not for the public", a)
				}
			}
		})
	}
	for _, a := range []string{
		"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.17",
		"169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00::1", "4000::1",
	} {
		if PrivateAddress(netip.MustParseAddr(a)) {
			t.Errorf("%s is for the public", a)
		}
	}
	if !PrivateAddress(netip.Addr{}) {
		t.Error("no address is for the public")
	}
}

func TestAddressGuard(t *testing.T) {
	for _, c := range []struct {
		what          string
		allow, seeds  []string
		address       string
		spelled, want bool
	}{
		{"public ones are open", nil, nil, "8.8.8.8:80", false, true},
		{"public IPv6 ones are open", nil, nil, "[2606:4700::1111]:443", false, true},
		{"private ones are closed", nil, nil, "10.0.0.1:80", false, false},
		{"also when a link spells them", nil, nil, "10.0.0.1:80", true, false},
		{"all opens everything", []string{"all"}, nil, "127.0.0.1:80", false, true},
		{"a network opens its own", []string{"10.1.0.0/16"}, nil, "10.1.2.3:80", false, true},
		{"also written as IPv6", []string{"10.1.0.0/16"}, nil, "[::ffff:10.1.2.3]:80", false, true},
		{"and no other", []string{"10.1.0.0/16"}, nil, "10.2.2.3:80", false, false},
		{"nor the host beside it", []string{"10.1.0.1/32"}, nil, "10.1.0.2:80", false, false},
		{"an IPv6 network opens its own", []string{"fd00::/8"}, nil, "[fd00::1]:80", false, true},
		{"also with a zone", []string{"fe80::/10"}, nil, "[fe80::1%eth0]:80", false, true},
		{"several networks add up", []string{"fd00::/8", "192.168.0.0/16"}, nil, "192.168.1.1:80", false, true},
		{"a seed opens what it spells, to URLs that spell it", nil, []string{"127.0.0.1:8080"}, "127.0.0.1:8080", true, true},
		{"not to a name that resolves to it", nil, []string{"127.0.0.1:8080"}, "127.0.0.1:8080", false, false},
		{"not at another port", nil, []string{"127.0.0.1:8080"}, "127.0.0.1:8081", true, false},
		{"not beside it", nil, []string{"127.0.0.1:8080"}, "127.0.0.2:8080", true, false},
		{"also when the connection is IPv6", nil, []string{"127.0.0.1:8080"}, "[::ffff:127.0.0.1]:8080", true, true},
		{"also when the seed was", nil, []string{"[::ffff:127.0.0.1]:8080"}, "127.0.0.1:8080", true, true},
		{"what is no network opens nothing", []string{"nonsense"}, []string{"nonsense"}, "127.0.0.1:80", true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := NewAddressGuard(c.allow, c.seeds)
			if got := g.Allows(netip.MustParseAddrPort(c.address), c.spelled); got != c.want {
				t.Errorf("%s is %v, want %v", c.address, got, c.want)
			}
		})
	}
	var zero AddressGuard
	if zero.Allows(netip.MustParseAddrPort("127.0.0.1:80"), true) || !zero.Allows(netip.MustParseAddrPort("8.8.8.8:80"), false) {
		t.Error("the zero guard lets public addresses through only")
	}
	if zero.Allows(netip.AddrPort{}, true) {
		t.Error("no address is let through")
	}
}

func TestSpelledAddresses(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"http://127.0.0.1:8080/", []string{"127.0.0.1:8080"}},
		{"http://0x7f.1/", []string{"127.0.0.1:80"}},
		{"https://[::1]/", []string{"[::1]:443"}},
		{"http://[::ffff:10.0.0.1]:81/", []string{"10.0.0.1:81"}},
		{"http://localhost:8080/", []string{"127.0.0.1:8080", "[::1]:8080"}},
		{"http://8.8.8.8/", nil},
		{"http://example.com/", nil},
		{"http://a.localhost/", nil},
	} {
		t.Run(c.in, func(t *testing.T) {
			var got []string
			for _, a := range SpelledAddresses(mustURL(t, c.in)) {
				got = append(got, a.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
