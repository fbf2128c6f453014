package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"trawl/crawler/weburl"
)

func text[T any](n protowire.Number, name, kind string, at func(*T) *string, check func(s string, stored bool) error) Field[T] {
	f := bytesOf(n, name, kind, func(b []byte, v *T) []byte {
		if s := *at(v); s != "" {
			b = appendText(b, n, s)
		}
		return b
	}, func(in In, v *T) error {
		s := in.String()
		*at(v) = s
		if check != nil {
			return check(s, in.stored)
		}
		return nil
	})
	f.form, f.cell = FormText, func(v *T) Cell { return textCell(*at(v)) }
	return f
}

// Foreign is text that a server, a user or a system wrote: it need not be UTF-8.
func Foreign[T any](n protowire.Number, name string, at func(*T) *string) Field[T] {
	return text(n, name, "bytes", at, nil)
}

// Rest is a text that begins with a head which the record has, and then with "/", without that head: most pages lead to others of
// their own site. The text as a whole is a field of its own, for where this one does not serve ([Field.Unless]). The head must be
// read before.
func Rest[T any](n protowire.Number, name string, at func(*T) *string, head func(*T) string) Field[T] {
	return bytesOf(n, name, "bytes", func(b []byte, v *T) []byte {
		if HasRest(*at(v), head(v)) {
			b = appendText(b, n, (*at(v))[len(head(v)):])
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = head(v) + in.String()
		return nil
	})
}

// HasRest reports whether a text is written as the rest behind a head.
func HasRest(text, head string) bool {
	return head != "" && len(text) > len(head) && text[len(head)] == '/' && strings.HasPrefix(text, head)
}

// maxWord is the longest word, in bytes.
const maxWord = 64

// Word is one of our words: small letters, digits and _.
func Word[T any](n protowire.Number, name string, at func(*T) *string) Field[T] {
	return text(n, name, "string", at, func(s string, _ bool) error {
		for i := range len(s) {
			if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return errNoWord
			}
		}
		return nil
	}).AtMost(maxWord)
}

// Plain is one line of text that may be printed.
func Plain[T any](n protowire.Number, name string, at func(*T) *string) Field[T] {
	return text(n, name, "string", at, func(s string, _ bool) error {
		if !IsPlain(s) {
			return errNoLine
		}
		return nil
	})
}

// IsPlain reports whether a text is one line that may be printed.
func IsPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Scheme is "http" or "https".
func Scheme[T any](n protowire.Number, name string, at func(*T) *string) Field[T] {
	return text(n, name, "string", at, func(s string, _ bool) error {
		if s != "http" && s != "https" {
			return fmt.Errorf("%.20q is neither http nor https", s)
		}
		return nil
	})
}

// Host is a host in the form in which [weburl.URL.Host] writes it.
func Host[T any](n protowire.Number, name string, at func(*T) *weburl.Host) Field[T] {
	return text(n, name, "string", func(v *T) *string { return (*string)(at(v)) }, func(s string, stored bool) error {
		if stored {
			return nil
		}
		if u, err := weburl.Parse("http://" + s + "/"); err != nil || u.Host() != weburl.Host(s) {
			return errNoHost
		}
		return nil
	})
}

// File is a path in a directory. One that leads out of it is refused where it comes from elsewhere; what was stored is for a check
// to judge.
func File[T any](n protowire.Number, name string, at func(*T) *string) Field[T] {
	return text(n, name, "bytes", at, func(s string, stored bool) error {
		if !stored && (s == "" || s[0] == '/' || strings.Contains(s, "..")) && !filepath.IsLocal(s) {
			return errOutside
		}
		return nil
	})
}

// parseURL reads a URL that came from elsewhere, or that we stored ourselves.
func parseURL(in In) (weburl.URL, error) {
	s := in.String()
	if in.stored {
		u, err := weburl.Stored(s)
		if err != nil {
			err = errNoURL
		}
		return u, err
	}
	return Canonical(s)
}

// Canonical reads a URL that must be canonical.
func Canonical(s string) (weburl.URL, error) {
	u, err := weburl.Parse(s)
	if err != nil {
		return u, err
	}
	if u.String() != s {
		return weburl.URL{}, errNoURL
	}
	return u, nil
}

// URL is a canonical URL.
func URL[T any](n protowire.Number, name string, at func(*T) *weburl.URL) Field[T] {
	f := bytesOf(n, name, "string", func(b []byte, v *T) []byte {
		if s := at(v).Text; s != "" {
			b = appendText(b, n, s)
		}
		return b
	}, func(in In, v *T) (err error) {
		*at(v), err = parseURL(in)
		return err
	})
	f.form, f.cell = FormText, func(v *T) Cell { return textCell(at(v).Text) }
	return f
}

// Bytes are bytes of any length, in memory of their own.
func Bytes[T any](n protowire.Number, name string, at func(*T) *[]byte) Field[T] {
	return bytesOf(n, name, "bytes", func(b []byte, v *T) []byte {
		if s := *at(v); len(s) > 0 {
			b = appendBytes(b, n, s)
		}
		return b
	}, func(in In, v *T) error {
		if *at(v) = nil; len(in.bytes) > 0 {
			*at(v) = bytes.Clone(in.bytes)
		}
		return nil
	})
}

// ID is an array of bytes that are not all zero: an id, or a digest.
func ID[T any](n protowire.Number, name string, at func(*T) []byte) Field[T] {
	size := int64(len(at(new(T))))
	return bytesOf(n, name, "bytes", func(b []byte, v *T) []byte {
		if id := at(v); !zero(id) {
			b = appendBytes(b, n, id)
		}
		return b
	}, func(in In, v *T) error {
		if zero(in.bytes) {
			return errZero
		}
		copy(at(v), in.bytes)
		return nil
	}).AtLeast(size).AtMost(size)
}

func zero(id []byte) bool {
	for _, c := range id {
		if c != 0 {
			return false
		}
	}
	return true
}

// JSON is a value that travels as JSON, because people write it and its description is elsewhere. It has plain fields.
func JSON[T, M any](n protowire.Number, name string, at func(*T) *M) Field[T] {
	return bytesOf(n, name, "bytes", func(b []byte, v *T) []byte {
		text, _ := json.Marshal(at(v)) // plain fields: it cannot fail
		return appendBytes(b, n, text)
	}, func(in In, v *T) error { return json.Unmarshal(in.bytes, at(v)) }).Require()
}
