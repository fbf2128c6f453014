package weburl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// MaxURLBytes is the longest URL that is admitted, in bytes of its canonical text.
const MaxBytes = 4096

// URL is a canonical http or https URL: what identifies a row. The zero value means none. Values are
// comparable, and equal exactly when their texts are.
type URL struct {
	Text string // scheme://host[:port]/path[?query]
	host uint16 // offset of the host, after "//"
	path uint16 // offset of the path
}

// Errors of ParseURL and its kin. ErrBadURL comes wrapped with what is wrong.
var (
	ErrNotHTTP = errors.New("not an http or https URL")
	ErrBad     = errors.New("not a URL")
	ErrTooLong = errors.New("URL longer than 4096 bytes")
)

// ParseURL makes an absolute URL canonical, by the rules of the WHATWG URL standard: http and https only, host in
// lower case A-labels, no default port, no dot segments, no credentials, no fragment. It is the one way
// through which URLs come in. A "?" with nothing behind it stays, as in the standard: "/a?" and "/a" are two
// URLs. Bytes that are not UTF-8 count as U+FFFD.
//
// The URL shares memory with s when s is canonical already, else it has its own.
func Parse(s string) (URL, error) {
	u, _, err := parseURL(s, URL{}, nil)
	return u, err
}

// MustParse is ParseURL for a text in a program, which is a URL: it panics when it is none.
func MustParse(s string) URL {
	u, err := Parse(s)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", s, err))
	}
	return u
}

// ParseSeed is ParseURL for a URL that a user gave; credentials ("user:password", percent-decoded, "" for
// none) are returned apart.
func ParseSeed(s string) (u URL, credentials string, err error) {
	u, userinfo, err := parseURL(s, URL{}, nil)
	if err != nil {
		return URL{}, "", err
	}
	user, password, _ := strings.Cut(userinfo, ":")
	if user == "" && password == "" {
		return u, "", nil
	}
	return u, percentDecode(user) + ":" + percentDecode(password), nil
}

// Resolve is ParseURL for a reference found at base (which may have come from a base element). With the
// zero URL as base the reference must be absolute.
func (u URL) Resolve(ref string) (URL, error) {
	r, _, err := parseURL(ref, u, nil)
	return r, err
}

// QueryEncoder writes the query of a reference in the encoding of its document, percent-encoded where it must be (URL standard,
// "percent-encode after encoding").
type QueryEncoder interface {
	EncodeQuery(query string) []byte
}

// ResolveIn is Resolve for a reference in a document whose encoding is not UTF-8.
func (u URL) ResolveIn(ref string, query QueryEncoder) (URL, error) {
	r, _, err := parseURL(ref, u, query)
	return r, err
}

// AppendQuery appends a query, percent-encoded where it must be, byte by byte: what [QueryEncoder] does for UTF-8.
func AppendQuery(b []byte, query string) []byte { return appendEncoded(b, query, inQuery) }

// String is the canonical text.
func (u URL) String() string { return u.Text }

// IsZero reports whether there is no URL.
func (u URL) IsZero() bool { return u.Text == "" }

// Scheme is "http" or "https".
func (u URL) Scheme() string {
	if u.IsZero() {
		return ""
	}
	return u.Text[:u.host-3]
}

// Hostname is the host without port; IPv6 addresses are in brackets.
func (u URL) Hostname() string { return Host(u.Text[u.host:u.path]).Name() }

// Port is the current port, the scheme's default where the URL has none.
func (u URL) Port() uint16 {
	h := u.Text[u.host:u.path]
	if name := u.Hostname(); len(name) < len(h) {
		p, _ := strconv.ParseUint(h[len(name)+1:], 10, 16)
		return uint16(p)
	}
	if u.Scheme() == "https" {
		return 443
	}
	return 80
}

// Host is the politeness unit that u belongs to.
func (u URL) Host() Host {
	if p := u.Port(); p == 80 || p == 443 {
		return Host(u.Hostname())
	}
	return Host(u.Text[u.host:u.path])
}

// Path is the path without the query; at least "/".
func (u URL) Path() string {
	path, _, _ := strings.Cut(u.Text[u.path:], "?")
	return path
}

// RequestURI is path and query, as they stand on the wire and as robots.txt rules see them.
func (u URL) RequestURI() string { return u.Text[u.path:] }

// RobotsURL is where the rules for u are.
func (u URL) RobotsURL() URL {
	return URL{Text: u.Text[:u.path] + "/robots.txt", host: u.host, path: u.path}
}

// Key names the URL's row.
func (u URL) Key() URLKey { return URLKey{Host: u.Host().Key(), URL: u.Hash()} }

// Hash is that of the text (xxhash64, part of the ledger's format).
func (u URL) Hash() uint64 { return xxhash.Sum64String(u.Text) }

// Origin is scheme, host and port.
func (u URL) Origin() string { return u.Text[:u.path] }
