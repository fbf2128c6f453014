package robots

import (
	"strings"

	"trawl/crawler/ascii"
	"trawl/crawler/weburl"
)

// robotsPattern is the path of a rule, ready for matching. The path is normalised (see robotsPath) with
// every wildcard as a zero byte, which a normalised path never has.
type robotsPattern struct {
	text string
	end  bool // it ended with "$": the path must end here too
}

const robotsStarByte = 0

// newRobotsPattern reads the value of an allow or disallow line: "*" stands for any octets, "$" at the end
// for the end of the path, everything else for itself (RFC 9309, section 2.2.3).
func newRobotsPattern(value string) robotsPattern {
	var p robotsPattern
	if p.end = strings.HasSuffix(value, "$"); p.end {
		value = value[:len(value)-1]
	}
	p.text = robotsNormalise(value, true)
	return p
}

// weight is the pattern's length in octets, by which rules are compared.
func (p robotsPattern) weight() int {
	if p.end {
		return len(p.text) + 1
	}
	return len(p.text)
}

// matches reports whether the pattern matches the beginning of a normalised path. Each piece between
// wildcards is taken where it occurs first, which leaves the most room for the pieces after it, so one
// pass is enough: the time is linear in the path for each piece at the very worst.
func (p robotsPattern) matches(path string) bool {
	star := strings.IndexByte(p.text, robotsStarByte)
	if star < 0 {
		return strings.HasPrefix(path, p.text) && (!p.end || len(path) == len(p.text))
	}
	if !strings.HasPrefix(path, p.text[:star]) {
		return false
	}
	path = path[star:]
	for rest := p.text[star+1:]; ; {
		star = strings.IndexByte(rest, robotsStarByte)
		if star < 0 {
			if p.end {
				return strings.HasSuffix(path, rest)
			}
			return strings.Contains(path, rest)
		}
		i := strings.Index(path, rest[:star])
		if i < 0 {
			return false
		}
		path, rest = path[i+star:], rest[star+1:]
	}
}

// robotsPath normalises a path with query for comparison with patterns.
func robotsPath(requestURI string) string {
	if requestURI == "" || requestURI[0] != '/' {
		requestURI = "/" + requestURI
	}
	return robotsNormalise(requestURI, false)
}

// robotsNormalise brings a path or pattern to the form in which octets are compared: what a URI may not
// hold as it is gets percent-encoded; encoded letters, digits, "-", ".", "_", "~" and the two characters
// that are special in patterns get decoded; all other escapes keep, with upper-case digits. In a pattern
// each "*" becomes a zero byte. RFC 9309, section 2.2.2; unlike its table, reserved characters of a query
// are compared as they are written, because a wildcard cannot know where a query begins.
func robotsNormalise(s string, pattern bool) string {
	i := 0
	for i < len(s) && robotsPlain(s[i]) && (!pattern || s[i] != '*') {
		i++
	}
	if i == len(s) {
		return s
	}
	b := make([]byte, i, len(s)+16)
	copy(b, s[:i])
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '*' && pattern:
			b = append(b, robotsStarByte)
		case c == '%' && i+2 < len(s) && ascii.IsHex(s[i+1]) && ascii.IsHex(s[i+2]):
			if d := ascii.Unhex(s[i+1])<<4 | ascii.Unhex(s[i+2]); ascii.IsUnreserved(d) || d == '*' || d == '$' {
				b = append(b, d)
			} else {
				b = weburl.AppendEscape(b, d)
			}
			i += 2
		case c == '%' || robotsPlain(c):
			b = append(b, c)
		default:
			b = weburl.AppendEscape(b, c)
		}
	}
	return string(b)
}

// robotsPlain are the octets that stand for themselves in a URI; "%" is not among them.
func robotsPlain(c byte) bool {
	return c > ' ' && c < 0x7F && strings.IndexByte("\"%<>\\^`{|}", c) < 0
}
