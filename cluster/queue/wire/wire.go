// Package wire turns the values that fetchers and the scheduler exchange into bytes and back. The schema
// is trawl.proto; the rest of trawl sees the types of package crawler only.
//
// Encoding refuses what decoding would refuse for its size, so that nothing is published that nobody can
// read. Decoding believes nothing: ids have 16 bytes, URLs are canonical and at the host that they are
// said to be at, numbers are in range, messages within their limits. What does not hold ends in an error
// that says which field, never in a panic. Unknown fields are passed over.
//
// Functions are pure and safe for concurrent use; what they return shares no memory with their arguments.
package wire

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Version of the schema. A message of a higher version is refused.
const Version = 1

// Limits of messages. Those of a task and a part are [crawler.MaxTaskBytes] and [crawler.MaxPartBytes].
const (
	// MaxAskBytes is the largest ask, in bytes.
	MaxAskBytes = 16 << 10
	// MaxReplyBytes is the largest answer or notice, in bytes before compression.
	MaxReplyBytes = 32 << 20
	// MaxLinkText is the most text that the links of one part may have once it is read, in bytes: what is
	// left out on the wire comes back here.
	MaxLinkText = 16 << 20
	// MaxReasonBytes is the longest reason, in bytes.
	MaxReasonBytes = 64
)

// Errors that callers tell apart.
var (
	// ErrTooLarge: the message is over its limit; sending less will do.
	ErrTooLarge = errors.New("message too large")
	// ErrVersion: the message comes from a newer trawl.
	ErrVersion = errors.New("message of a newer version")
)

func marshal(what string, m proto.Message, limit int) ([]byte, error) {
	if n := proto.Size(m); n > limit {
		return nil, fmt.Errorf("%s of %d bytes, at most %d: %w", what, n, limit, ErrTooLarge)
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", what, err)
	}
	return b, nil
}

// versioned is a message that carries the schema's version.
type versioned interface {
	proto.Message
	GetVersion() uint32
}

func unmarshal(what string, b []byte, m versioned, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%s of %d bytes, at most %d: %w", what, len(b), limit, ErrTooLarge)
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	switch v := m.GetVersion(); {
	case v == 0:
		return fmt.Errorf("decode %s: no version", what)
	case v > Version:
		return fmt.Errorf("decode %s: version %d: %w", what, v, ErrVersion)
	}
	return nil
}

// reader checks fields and keeps the first problem.
type reader struct {
	what string
	err  error
}

func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("decode %s: %s: %s", r.what, field, fmt.Sprintf(format, args...))
	}
}

// id reads 16 bytes that are not all zero.
func (r *reader) id(field string, b []byte) (id [16]byte) {
	if copy(id[:], b); len(b) != len(id) || id == [16]byte{} {
		r.fail(field, "is no id")
	}
	return id
}

// life is an id that may be missing.
func (r *reader) life(b []byte) crawler.Life {
	if len(b) == 0 {
		return crawler.Life{}
	}
	return r.id("life", b)
}

func (r *reader) url(field, s string) weburl.URL {
	u, err := weburl.Parse(s)
	if err != nil {
		r.fail(field, "%v", err)
	} else if u.String() != s {
		r.fail(field, "URL is not canonical")
		return weburl.URL{}
	}
	return u
}

// urlOrNone reads a URL that may be missing.
func (r *reader) urlOrNone(field, s string) weburl.URL {
	if s == "" {
		return weburl.URL{}
	}
	return r.url(field, s)
}

// urlAt reads a URL that must be at the host.
func (r *reader) urlAt(field, s string, h weburl.Host) weburl.URL {
	u := r.url(field, s)
	if !u.IsZero() && h != "" && u.Host() != h {
		r.fail(field, "URL is not at host %q", h)
	}
	return u
}

// host reads a host in the form in which [weburl.URL.Host] writes it.
func (r *reader) host(field, s string) weburl.Host {
	u, err := weburl.Parse("http://" + s + "/")
	if err != nil || u.Host() != weburl.Host(s) {
		r.fail(field, "is no host")
	}
	return weburl.Host(s)
}

func (r *reader) scheme(field, s string) string {
	if s != "http" && s != "https" {
		r.fail(field, "is neither http nor https")
	}
	return s
}

func (r *reader) count(field string, n uint32) int {
	if n > math.MaxInt32 {
		r.fail(field, "is out of range")
	}
	return int(n)
}

func (r *reader) size(field string, n int64) int64 {
	if n < 0 {
		r.fail(field, "is below zero")
	}
	return n
}

func (r *reader) duration(field string, ns int64) time.Duration {
	if ns < 0 {
		r.fail(field, "is below zero")
	}
	return time.Duration(ns)
}

// upTo reads a number of an enum that ends with last.
func (r *reader) upTo(field string, n uint32, last uint8) uint8 {
	if n > uint32(last) {
		r.fail(field, "%d is not known", n)
		return 0
	}
	return uint8(n)
}

func (r *reader) reason(s string) crawler.Reason {
	if len(s) > MaxReasonBytes {
		r.fail("reason", "is too long")
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			r.fail("reason", "is no word")
			break
		}
	}
	return crawler.Reason(s)
}

func (r *reader) locator(l *Locator) crawler.Locator {
	if l == nil {
		return crawler.Locator{}
	}
	file := string(l.File)
	if file != "" && !filepath.IsLocal(file) {
		r.fail("archive", "file leaves the directory")
	}
	return crawler.Locator{File: file, Offset: r.size("archive offset", l.Offset), Length: r.size("archive length", l.Length)}
}

func encodeLocator(l crawler.Locator) *Locator {
	if l == (crawler.Locator{}) {
		return nil
	}
	return &Locator{File: []byte(l.File), Offset: l.Offset, Length: l.Length}
}

// encodeCount and encodeDuration write what cannot be below zero: a clock that was set back while
// something was measured must not make the message unreadable.
func encodeCount(n int) uint32 { return uint32(min(max(n, 0), math.MaxInt32)) }

func encodeDuration(d time.Duration) int64 { return int64(max(d, 0)) }
