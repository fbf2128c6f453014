package weburl

import (
	"fmt"
	"strings"
)

// StoredURL reads the text of a URL that was canonical when it was stored, and keeps it as it is: it names a row, also
// where [Parse] would read it otherwise by now (the standard changes, and so do parsers). Errors wrap [ErrBad].
func Stored(s string) (URL, error) {
	if u, err := Parse(s); err == nil && u.Text == s {
		return u, nil
	}
	scheme, rest, _ := strings.Cut(s, "://")
	host, _, _ := strings.Cut(rest, "/")
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' })
	if scheme != "http" && scheme != "https" || host == "" || len(host) == len(rest) || strings.ContainsAny(host, "@?\\") || !plain || len(s) > MaxBytes {
		return URL{}, fmt.Errorf("stored URL %.100q: %w", s, ErrBad)
	}
	at := len(scheme) + len("://")
	return URL{Text: s, host: uint16(at), path: uint16(at + len(host))}, nil
}
