package weburl

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"trawl/crawler/ascii"
)

// maxInputBytes is the longest text, without fragment, that is looked at as a URL. Only dot segments and
// credentials could bring something longer below MaxURLBytes, and nobody means such a URL.
const maxInputBytes = 4 * MaxBytes

// What can be wrong with a URL. Sentinels rather than texts made on the spot, because pages are full of bad
// links and nobody reads most of these.
var (
	errNoScheme = fmt.Errorf("%w: it does not begin with http:// or https://", ErrBad)
	errNoHost   = fmt.Errorf("%w: it has no host", ErrBad)
	errBadHost  = fmt.Errorf("%w: its host is not a name or an address", ErrBad)
	errBadPort  = fmt.Errorf("%w: its port is not a number up to 65535", ErrBad)
)

// parseURL is the basic URL parser of the WHATWG URL standard (https://url.spec.whatwg.org/#url-parsing),
// cut down to http and https: to these schemes a backslash is a slash and every URL has a host, so a URL
// splits at fixed characters and needs no state machine. A plain URL costs one allocation, none when it is
// canonical already. The query is written in the encoding query. userinfo is as written, "" for none.
func parseURL(s string, base URL, query QueryEncoder) (u URL, userinfo string, err error) {
	var stack [512]byte // room for nearly every URL, so that only its text is allocated
	b, u, userinfo, err := appendURL(stack[:0], s, base, query)
	switch {
	case err != nil:
		return URL{}, "", err
	case string(b) == s:
		u.Text = s
	case string(b) == base.Text:
		u.Text = base.Text
	default:
		u.Text = string(b)
	}
	return u, userinfo, nil
}

// appendURL appends the canonical text to b, which is empty. u has all of the URL but its text.
func appendURL(b []byte, s string, base URL, query QueryEncoder) (_ []byte, u URL, userinfo string, err error) {
	clean := cleanInput(s)
	if i := strings.IndexByte(clean, '#'); i >= 0 {
		clean = clean[:i]
	}
	scheme, rest, err := splitScheme(clean)
	if err != nil {
		return b, URL{}, "", err
	}
	if len(rest) > maxInputBytes {
		return b, URL{}, "", ErrTooLong
	}
	hier, asked, hasQuery := strings.Cut(rest, "?")
	if strings.IndexByte(hier, '\\') >= 0 {
		hier = strings.ReplaceAll(hier, `\`, "/")
	}

	doubleSlash := strings.HasPrefix(hier, "//")
	switch {
	case base.IsZero() && scheme == "":
		return b, URL{}, "", errNoScheme
	case !base.IsZero() && !doubleSlash && (scheme == "" || scheme == base.Scheme()):
		u.host, u.path = base.host, base.path
		b = appendRelative(b, base, hier, hasQuery)
	default:
		if scheme == "" {
			scheme = base.Scheme()
		}
		var path string
		if b, userinfo, path, err = appendOrigin(b, scheme, strings.TrimLeft(hier, "/")); err != nil {
			return b, URL{}, "", err
		}
		if len(b) > MaxBytes { // before it is cut to 16 bits
			return b, URL{}, "", ErrTooLong
		}
		u.host, u.path = uint16(len(scheme)+3), uint16(len(b))
		b = appendPath(append(b, '/'), len(b), path)
	}
	if hasQuery {
		if b = append(b, '?'); query != nil {
			b = append(b, query.EncodeQuery(asked)...) // b itself would go to the heap
		} else {
			b = AppendQuery(b, asked)
		}
	}
	if len(b) > MaxBytes {
		return b, URL{}, "", ErrTooLong
	}
	return b, u, userinfo, nil
}

// cleanInput takes away what the standard does not see: C0 controls and spaces around, tabs and line ends
// within. It also makes the text valid UTF-8.
func cleanInput(s string) string {
	if isClean(s) {
		return s
	}
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.Map(func(r rune) rune { // also replaces bytes that are not UTF-8
			if r == '\t' || r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, s)
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return s
}

// isClean reports whether s has nothing but visible ASCII, as nearly all references do.
func isClean(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// splitScheme cuts off the scheme and its colon: "http", "https", or "" when there is none.
func splitScheme(s string) (scheme, rest string, err error) {
	if len(s) == 0 || !ascii.IsLetter(s[0]) {
		return "", s, nil
	}
	i := 1
	for i < len(s) && (ascii.IsLetter(s[i]) || ascii.IsDigit(s[i]) || s[i] == '+' || s[i] == '-' || s[i] == '.') {
		i++
	}
	switch {
	case i == len(s) || s[i] != ':':
		return "", s, nil
	case strings.EqualFold(s[:i], "https"): // both are letters that have no other fold than case
		return "https", s[i+1:], nil
	case strings.EqualFold(s[:i], "http"):
		return "http", s[i+1:], nil
	}
	return "", "", ErrNotHTTP
}

// appendOrigin appends scheme, host and port, given what follows the slashes of an absolute URL, and
// returns what is left.
func appendOrigin(b []byte, scheme, hier string) (_ []byte, userinfo, path string, err error) {
	authority, path, _ := strings.Cut(hier, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		userinfo, authority = authority[:i], authority[i+1:]
	}
	host, port := splitPort(authority)
	if host == "" {
		return b, "", "", errNoHost
	}
	b = append(append(b, scheme...), "://"...)
	b, ok := appendHost(b, host)
	if !ok {
		return b, "", "", errBadHost
	}
	if b, ok = appendPort(b, scheme, port); !ok {
		return b, "", "", errBadPort
	}
	return b, userinfo, path, nil
}

// splitPort cuts an authority at the first colon outside of brackets.
func splitPort(authority string) (host, port string) {
	inside := false
	for i := 0; i < len(authority); i++ {
		switch authority[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ':':
			if !inside {
				return authority[:i], authority[i+1:]
			}
		}
	}
	return authority, ""
}

// appendPort appends ":port" unless it is empty or the scheme's own.
func appendPort(b []byte, scheme, port string) ([]byte, bool) {
	n := 0
	for i := 0; i < len(port); i++ {
		if !ascii.IsDigit(port[i]) {
			return b, false
		}
		if n = n*10 + int(port[i]-'0'); n > 65535 {
			return b, false
		}
	}
	if port == "" || scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return b, true
	}
	return appendDecimal(append(b, ':'), n), true
}

// appendRelative appends base up to the place where the reference begins, and the reference's path.
func appendRelative(b []byte, base URL, hier string, hasQuery bool) []byte {
	switch {
	case hier == "" && !hasQuery:
		return append(b, base.Text...)
	case hier == "":
		return append(b, base.Text[:int(base.path)+len(base.Path())]...)
	case hier[0] == '/':
		b = append(append(b, base.Text[:base.path]...), '/')
		return appendPath(b, int(base.path), hier[1:])
	}
	dir := strings.LastIndexByte(base.Path(), '/') + 1
	b = append(b, base.Text[:int(base.path)+dir]...)
	return appendPath(b, int(base.path), hier)
}

// appendPath appends a path to b, which ends in the slash before it. Dot segments are worked out against
// what stands in b from root on.
func appendPath(b []byte, root int, path string) []byte {
	for {
		end := strings.IndexByte(path, '/')
		last := end < 0
		if last {
			end = len(path)
		}
		switch dots(path[:end]) {
		case 0:
			b = appendEncoded(b, path[:end], inPath)
			if !last {
				b = append(b, '/')
			}
		case 2:
			b = parentOf(b, root)
		}
		if last {
			return b
		}
		path = path[end+1:]
	}
}

// parentOf takes the last segment from b, which ends in a slash; it never goes above root.
func parentOf(b []byte, root int) []byte {
	return b[:root+1+max(0, bytes.LastIndexByte(b[root:len(b)-1], '/'))]
}

// dots recognizes a dot segment: 1 for ".", 2 for "..", also spelled "%2e"; 0 for every other segment.
func dots(segment string) int {
	n := 0
	for len(segment) > 0 {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
		if n++; n > 2 {
			return 0
		}
	}
	return n
}

// Places in a URL at which characters are encoded.
const (
	inPath  uint8 = 1 << iota // path percent-encode set
	inQuery                   // special-query percent-encode set
)

// encodeSets has a bit for each place at which a byte must be percent-encoded.
var encodeSets = newEncodeSets()

func newEncodeSets() (sets [256]uint8) {
	for c := range sets {
		if c <= ' ' || c >= 0x7f {
			sets[c] = inPath | inQuery
		}
	}
	for _, c := range []byte("\"#<>") {
		sets[c] |= inPath | inQuery
	}
	for _, c := range []byte("?^`{}") {
		sets[c] |= inPath
	}
	sets['\''] |= inQuery
	return sets
}

// appendEncoded appends s with the bytes percent-encoded that must be at the place.
func appendEncoded(b []byte, s string, place uint8) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		if encodeSets[s[i]]&place != 0 {
			b = AppendEscape(append(b, s[from:i]...), s[i])
			from = i + 1
		}
	}
	return append(b, s[from:]...)
}

// percentDecode replaces each "%" with two hex digits by their byte; any other "%" stays.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && ascii.IsHex(s[i+1]) && ascii.IsHex(s[i+2]) {
			b = append(b, ascii.Unhex(s[i+1])<<4|ascii.Unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func AppendEscape(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(b, '%', hex[c>>4], hex[c&15])
}
