package weburl

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"trawl/crawler/ascii"
)

// Classes of bytes in a host.
const (
	hostOdd       uint8 = iota // needs a closer look: "%", "[", bytes beyond ASCII, forbidden ones
	hostPlain                  // stays as it is
	hostUpper                  // becomes lower case
	hostForbidden              // forbidden domain code point
)

// hostClasses sorts bytes by the standard's forbidden domain code points.
var hostClasses = newHostClasses()

func newHostClasses() (classes [256]uint8) {
	for c := range utf8.RuneSelf {
		switch {
		case c >= 'A' && c <= 'Z':
			classes[c] = hostUpper
		case c <= ' ' || c == 0x7f || strings.IndexByte(`#/:<>?@[\]^|%`, byte(c)) >= 0:
			classes[c] = hostForbidden
		default:
			classes[c] = hostPlain
		}
	}
	classes['%'], classes['['] = hostOdd, hostOdd
	return classes
}

// names maps domain names to A-labels as the standard's "domain parser ToASCII" does when it is not strict.
var names = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.CheckHyphens(false),
	idna.CheckJoiners(true),
	idna.StrictDomainName(false),
	idna.VerifyDNSLength(false),
	idna.Transitional(false),
)

// appendHost appends the canonical form of a host of an http, https, ws, wss, ftp or file URL, by the
// standard's host parser; false when it must be refused.
func appendHost(b []byte, raw string) (_ []byte, ok bool) {
	start := len(b)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch hostClasses[c] {
		case hostPlain:
		case hostUpper:
			c |= 0x20
		case hostForbidden:
			return b[:start], false
		default:
			return appendOddHost(b[:start], raw)
		}
		b = append(b, c)
	}
	return finishHost(b, start)
}

// appendOddHost takes IPv6 literals, percent-encoded names and names beyond ASCII.
func appendOddHost(b []byte, raw string) (_ []byte, ok bool) {
	if raw[0] == '[' {
		return appendIPv6(b, raw)
	}
	domain := percentDecode(raw)
	if !utf8.ValidString(domain) {
		return b, false
	}
	if !ascii.Only(domain) {
		// A name in ASCII is only put to lower case, however wrong its A-labels are: so does every browser.
		a, err := names.ToASCII(domain)
		if err != nil {
			return b, false
		}
		domain = a
	}
	start := len(b)
	for i := 0; i < len(domain); i++ {
		c := domain[i]
		switch hostClasses[c] {
		case hostPlain:
		case hostUpper:
			c |= 0x20
		default:
			return b[:start], false
		}
		b = append(b, c)
	}
	return finishHost(b, start)
}

// finishHost looks at a host in lower-case ASCII at the end of b: a name whose last label is a number must
// be an IPv4 address, and is written as one.
func finishHost(b []byte, start int) (_ []byte, ok bool) {
	host := b[start:]
	if len(host) == 0 {
		return b, false
	}
	if !endsInNumber(host) {
		return b, true
	}
	ip, ok := parseIPv4(string(host))
	if !ok {
		return b[:start], false
	}
	return netip.AddrFrom4(ip).AppendTo(b[:start]), true
}

// endsInNumber is the standard's "ends in a number checker" for a host in lower case.
func endsInNumber(host []byte) bool {
	if host[len(host)-1] == '.' {
		host = host[:len(host)-1]
	}
	i := len(host)
	for i > 0 && host[i-1] != '.' {
		i--
	}
	label := host[i:]
	if len(label) == 0 || !ascii.IsDigit(label[0]) {
		return false
	}
	digits, hex := true, len(label) >= 2 && label[0] == '0' && label[1] == 'x'
	for i, c := range label {
		digits = digits && ascii.IsDigit(c)
		hex = hex && (i < 2 || ascii.IsHex(c))
	}
	return digits || hex
}

// parseIPv4 is the standard's IPv4 parser: one to four numbers, decimal, octal (0…) or hexadecimal (0x…),
// of which the last fills what the others left.
func parseIPv4(host string) (ip [4]byte, ok bool) {
	host = strings.TrimSuffix(host, ".")
	count := 0
	for {
		part, rest, more := strings.Cut(host, ".")
		n, ok := parseIPv4Number(part)
		if !ok || count == 4 {
			return ip, false
		}
		if more {
			if n > 255 {
				return ip, false
			}
			ip[count] = byte(n)
			count++
			host = rest
			continue
		}
		if n >= 1<<(8*(4-count)) {
			return ip, false
		}
		for i := 3; i >= count; i-- {
			ip[i] = byte(n)
			n >>= 8
		}
		return ip, true
	}
}

// parseIPv4Number reads one number of an address, in lower case. Numbers beyond 32 bits come out as 2^32.
func parseIPv4Number(s string) (n uint64, ok bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	for i := 0; i < len(s); i++ {
		if !ascii.IsHex(s[i]) || int(ascii.Unhex(s[i])) >= base {
			return 0, false
		}
		n = min(n*uint64(base)+uint64(ascii.Unhex(s[i])), 1<<32)
	}
	return n, true
}

// appendIPv6 appends an IPv6 literal with its brackets: hexadecimal pieces throughout, the longest run of
// zeros left out.
func appendIPv6(b []byte, raw string) (_ []byte, ok bool) {
	if raw[len(raw)-1] != ']' {
		return b, false
	}
	a, err := netip.ParseAddr(raw[1 : len(raw)-1])
	if err != nil || !a.Is6() || a.Zone() != "" {
		return b, false
	}
	b = append(b, '[')
	if a.Is4In6() { // netip writes these with dots
		ip := a.As16()
		b = append(b, "::ffff:"...)
		b = strconv.AppendUint(b, uint64(ip[12])<<8|uint64(ip[13]), 16)
		b = append(b, ':')
		b = strconv.AppendUint(b, uint64(ip[14])<<8|uint64(ip[15]), 16)
	} else {
		b = a.AppendTo(b)
	}
	return append(b, ']'), true
}

func appendDecimal(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }
