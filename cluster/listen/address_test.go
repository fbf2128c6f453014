package listen

import (
	"net/netip"
	"testing"
)

func TestParseBind(t *testing.T) {
	tests := []struct {
		name, text string
		want       Bind
		bad        bool
	}{
		{name: "host and port", text: "10.0.0.1:7000", want: Bind{"10.0.0.1", 7000}},
		{name: "only a port, with colon", text: ":7946", want: Bind{"", 7946}},
		{name: "only a port", text: "7000", want: Bind{"", 7000}},
		{name: "only a host", text: "node-1.example", want: Bind{"node-1.example", DefaultPort}},
		{name: "nothing", text: "", want: Bind{"", DefaultPort}},
		{name: "every interface, spelled", text: "0.0.0.0:7946", want: Bind{"0.0.0.0", 7946}},
		{name: "a free port", text: "127.0.0.1:0", want: Bind{"127.0.0.1", 0}},
		{name: "IPv6 with a port", text: "[::1]:7946", want: Bind{"::1", 7946}},
		{name: "IPv6 in brackets", text: "[::1]", want: Bind{"::1", DefaultPort}},
		{name: "IPv6 bare", text: "fd00::2", want: Bind{"fd00::2", DefaultPort}},
		{name: "spaces around it", text: " localhost:1 ", want: Bind{"localhost", 1}},
		{name: "a port too high", text: ":65536", bad: true},
		{name: "a negative port", text: "a:-1", bad: true},
		{name: "a port with a name", text: "a:http", bad: true},
		{name: "a URL", text: "http://a:80", bad: true},
		{name: "an address with too many colons", text: "1:2:3", bad: true},
		{name: "a space inside", text: "a b:1", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseBind(tt.text)
			if (err != nil) != tt.bad || got != tt.want {
				t.Errorf("ParseBind(%q) = %+v, %v", tt.text, got, err)
			}
		})
	}
}

func TestBindLoopback(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost": true, "[::ffff:127.0.0.1]:1": true,
		"": false, ":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1": false, "localhost.example": false,
	} {
		b, err := ParseBind(text)
		if err != nil || b.Loopback() != want {
			t.Errorf("%q: loopback %v, %v; want %v", text, b.Loopback(), err, want)
		}
	}
}

func TestBindNext(t *testing.T) {
	if b, err := (Bind{"h", 7946}).Next(2); err != nil || b != (Bind{"h", 7948}) {
		t.Errorf("the third port: %v, %v", b, err)
	}
	if b, err := (Bind{"h", 0}).Next(2); err != nil || b.Port != 0 {
		t.Errorf("a free port became %v, %v", b, err)
	}
	if b, err := (Bind{"h", 65534}).Next(2); err == nil {
		t.Errorf("a port above 65535: %v", b)
	}
}

func TestDefaultBindIsLoopbackWithoutASecret(t *testing.T) {
	if !DefaultBind(false).Loopback() {
		t.Error("without a secret the default is reachable from elsewhere")
	}
	if b := DefaultBind(true); b.Loopback() {
		t.Errorf("with a secret the default is %v", b)
	}
}

func TestAdvertiseIP(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	if a, err := AdvertiseIP(lo, nil); err != nil || a != lo {
		t.Errorf("bound to one address, told %v, %v", a, err)
	}
	others := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}
	if a, err := AdvertiseIP(netip.IPv4Unspecified(), others); err != nil || a != lo {
		t.Errorf("the others are reached from %v, %v", a, err)
	}
}
