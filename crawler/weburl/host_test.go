package weburl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEachCharacterOfAHost(t *testing.T) {
	const forbidden = " #%/:<>?@[\\]^|\x7f" // and the controls
	for c := range rune(0x80) {
		got, ok := appendHost([]byte("x"), "a"+string(c)+"b.test")
		want := "a" + strings.ToLower(string(c)) + "b.test"
		if bad := c < ' ' || strings.ContainsRune(forbidden, c); ok == bad || ok && string(got) != "x"+want || !ok && string(got) != "x" {
			t.Errorf("%q: %q, %v", c, got, ok)
		}
		plain, plainOK := appendHost(nil, "a"+string(c)+"b.test")
		if got, ok := appendHost(nil, fmt.Sprintf("a%%%02xb.test", c)); ok != plainOK || string(got) != string(plain) {
			t.Errorf("%q encoded: %q, %v, and plain %q, %v", c, got, ok, plain, plainOK)
		}
		// Behind a character beyond ASCII the same ones are forbidden.
		got, ok = appendHost(nil, "é."+string(c)+"b.test")
		if bad := c < ' ' || strings.ContainsRune(forbidden, c); ok && (bad || !strings.HasPrefix(string(got), "xn--9ca."+strings.ToLower(string(c)))) {
			t.Errorf("behind é: %q: %q, %v", c, got, ok)
		}
	}
}

func TestHostsThatEndInANumberAreAddresses(t *testing.T) {
	for host, want := range map[string]string{ // "" = refused
		"1": "0.0.0.1", "1.": "0.0.0.1", "1.2": "1.0.0.2", "1.2.3": "1.2.0.3", "1.2.3.4": "1.2.3.4", "1.2.3.4.": "1.2.3.4", "1.2.3.4.5": "",
		"255.255.255.255": "255.255.255.255", "255.255.255.256": "", "255.256.1.1": "", "256.1": "", "0.0.0.0": "0.0.0.0",
		"1.2.65535": "1.2.255.255", "1.2.65536": "", "1.16777215": "1.255.255.255", "1.16777216": "", "4294967295": "255.255.255.255", "4294967296": "",
		"99999999999999999999999": "", "0x100000000": "", "0xffffffff": "255.255.255.255", "0xFF.1": "255.0.0.1", "0x": "0.0.0.0", "0x.0x": "0.0.0.0",
		"0": "0.0.0.0", "00": "0.0.0.0", "010": "0.0.0.8", "07": "0.0.0.7", "08": "", "018": "", "1.08": "", "09.1": "", "9": "0.0.0.9", "0x0a": "0.0.0.10",
		"1..2": "", "..1": "", ".1": "", "a.1": "", "a.0x1": "", "a.0x": "", "1.a": "1.a", "a.1.": "", "1..": "1..", "a..": "a..", "a": "a", "a.": "a.", ".": ".",
		"1.0xg": "1.0xg", "1.0xfg": "1.0xfg", "1.0gx": "1.0gx", "1.1x": "1.1x", "1.1x2": "1.1x2", "1.x1": "1.x1", "1.0y1": "1.0y1", "1.1a": "1.1a", "1.a1": "1.a1", "1.00x1": "1.00x1", "0x1.0x2g": "0x1.0x2g",
		"1.2.3.04": "1.2.3.4", "1.2.3.0x4": "1.2.3.4", "0x1.02.3.4": "1.2.3.4",
	} {
		got, ok := appendHost(nil, host)
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("%q: %q, %v; want %q", host, got, ok, want)
		}
	}
}

func TestIPv6Hosts(t *testing.T) {
	for host, want := range map[string]string{
		"[::]": "[::]", "[::1]": "[::1]", "[0:0:0:0:0:0:0:1]": "[::1]", "[1:0:0:2:0:0:0:3]": "[1:0:0:2::3]", "[ABCD::]": "[abcd::]",
		"[::ffff:1.2.3.4]": "[::ffff:102:304]", "[::ffff:255.0.255.1]": "[::ffff:ff00:ff01]", "[::1.2.3.4]": "[::102:304]",
		"[": "", "[]": "", "[::": "", "[::1]a": "", "[1.2.3.4]": "", "[::1%eth0]": "", "[::1%]": "", "[::1%25eth0]": "", "[%3A:1]": "", "[[::1]]": "", "[1:2:3:4:5:6:7]": "",
	} {
		got, ok := appendHost([]byte("x"), host)
		if ok != (want != "") || ok && string(got) != "x"+want || !ok && string(got) != "x" {
			t.Errorf("%q: %q, %v; want %q", host, got, ok, want)
		}
	}
}

func TestSchemesAndPortsAtTheirLimits(t *testing.T) {
	for in, want := range map[string]string{ // "" = not http, "-" = no URL
		"http://h:65535/": "http://h:65535/", "http://h:65536/": "-", "http://h:655350/": "-", "http://h:1/": "http://h:1/",
		"https://h:443": "https://h/", "http://h:443": "http://h:443/", "https://h:80": "https://h:80/", "http://h:8/": "http://h:8/", "http://h:/a": "http://h/a", "http://h:0": "http://h:0/",
		"http://h:-1/": "-", "http://h:1:2/": "-", "http://[::1]:8080/": "http://[::1]:8080/", "http://[::1]8080/": "-", "http://a:b:c@h:81/": "http://h:81/",
		"a+b:c": "", "a-b:c": "", "a.b:c": "", "a1:c": "", "Az:c": "", "zA9:c": "", "a_b:c": "-", "1a:c": "-", "+a:c": "-", ":c": "-", "a": "-", "http": "-", "httpsx://h/": "", "htt://h/": "",
		"hTTp:h": "http://h/", "HTTPS:/h": "https://h/",
	} {
		u, err := Parse(in)
		switch {
		case want == "" && !errors.Is(err, ErrNotHTTP), want == "-" && !errors.Is(err, ErrBad), len(want) > 1 && (err != nil || u.String() != want):
			t.Errorf("%q: %q, %v; want %q", in, u, err, want)
		}
	}
}

func TestTheLongestTextThatIsLookedAtAsAURL(t *testing.T) {
	text := func(n int) string { // of n bytes after the scheme, and short once it is read
		return "http:" + "//h/" + strings.Repeat("./", (n-4)/2) + strings.Repeat("x", n%2)
	}
	for n, taken := range map[int]bool{maxInputBytes - 1: true, maxInputBytes: true, maxInputBytes + 1: false} {
		if u, err := Parse(text(n)); taken != (err == nil) || !taken && !errors.Is(err, ErrTooLong) {
			t.Errorf("%d bytes: %q, %v", n, u, err)
		}
	}
	host := strings.Repeat("a", MaxBytes-len("http:///"))
	for more, taken := range map[int]bool{0: true, 1: false} {
		u, err := Parse("http://" + host + strings.Repeat("a", more) + "/")
		if taken != (err == nil) || taken && (u.Path() != "/" || len(u.Hostname()) != len(host)) {
			t.Errorf("a host of %d bytes: %.20q, %v", len(host)+more, u, err)
		}
	}
}

func TestEachCharacterOfAPathAndAQuery(t *testing.T) {
	for i := range 0x80 {
		c := string(rune(i))
		if strings.Contains("\t\n\r#?/\\", c) {
			continue // not characters of a path, or of what they begin
		}
		escape := "%" + strings.ToUpper(string("0123456789abcdef"[i>>4])+string("0123456789abcdef"[i&15]))
		path, query := c, c
		if i <= ' ' || i == 0x7f || strings.Contains("\"<>^`{}", c) {
			path = escape
		}
		if i <= ' ' || i == 0x7f || strings.Contains("\"<>'", c) {
			query = escape
		}
		want := "http://h/a" + path + "b?a" + query + "b"
		if got, err := Parse("http://h/a" + c + "b?a" + c + "b"); err != nil || got.String() != want {
			t.Errorf("%q: %q, %v; want %q", c, got, err, want)
		}
	}
	for in, want := range map[string]string{"%": "%", "%4": "%4", "a%41": "aA", "%41b": "Ab", "%4g": "%4g", "%g4": "%g4", "%%34%31": "%41", "": "", "%C3%A9": "é", "ab": "ab"} {
		if got := percentDecode(in); got != want {
			t.Errorf("%q is decoded to %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]int{"": 0, ".": 1, "..": 2, "...": 0, "%2e": 1, "%2E.": 2, ".%2e": 2, "%2e%2e": 2, "%2e%2e.": 0, "a": 0, ".a": 0, "%2": 0, "%3e": 0, "%2d": 0, "%2D": 0, "%2f": 0, "x2e": 0} {
		if got := dots(in); got != want {
			t.Errorf("%q is a dot segment of %d, want %d", in, got, want)
		}
	}
}
