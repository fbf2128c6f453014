// Package ascii has the classes of ASCII characters that URLs, robots.txt and markup share. What is beyond ASCII is in none of them.
package ascii

import (
	"strings"
	"unicode/utf8"
)

func IsLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

func IsAlnum(c byte) bool { return IsLetter(c) || IsDigit(c) }

func IsHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func Unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func IsUnreserved(c byte) bool {
	return IsLetter(c) || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func Only(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Space is ASCII white space as HTML has it.
const Space = " \t\n\f\r"

func IsSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

// Trim cuts ASCII white space at both ends.
func Trim(b []byte) []byte {
	for len(b) > 0 && IsSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && IsSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func TrimSpace(s string) string { return strings.Trim(s, " \t\n\v\f\r") }

func HasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func HasAnyPrefixFold(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if HasPrefixFold(s, p) {
			return true
		}
	}
	return false
}
