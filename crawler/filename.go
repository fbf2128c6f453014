package crawler

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler/weburl"
)

// Limits of the names of downloaded files, in bytes: what common file systems take.
const (
	// MaxSegmentBytes is the longest file or directory name.
	MaxSegmentBytes = 255
	// MaxNameBytes is the longest path below files/.
	MaxNameBytes = 1024
)

// ErrBadName is what CleanName's errors wrap.
var ErrBadName = errors.New("not a file name")

// FileName is the path below files/ for a downloaded URL: HOST/PATH, with slashes, "index.html" where the
// path ends in one, and "?query". Percent-encoding stays as it is. The name never leaves its directory and
// keeps the limits above; "" for the zero URL.
//
// What a name cannot show is written in braces, which are escaped where a URL has them: "{}" for an
// empty segment, "{0123456789abcdef}" (a hash of the URL) where a name was cut. A slash in a query becomes "%2f".
// So two URLs of one host have two names, but for "/a/" and "/a/index.html". Names may still stand in each
// other's way: "/a" is a file and "/a/b" needs a directory of that name, http and https share their names,
// and some file systems do not tell case. The ledger, which gives the names, settles that.
func FileName(u weburl.URL) string {
	if u.IsZero() {
		return ""
	}
	p, query, hasQuery := strings.Cut(u.RequestURI(), "?")
	segments := strings.Split(p[1:], "/")
	last := len(segments) - 1
	if segments[last] == "" {
		segments[last] = "index.html"
	}
	hashed := false
	if hasQuery {
		// The encoded separator in lower case is rare in the wild; where it stands, its name gets a hash so that
		// it is not taken for a separator.
		for _, c := range []string{"%2f", "%5c", "%7b", "%7d"} {
			hashed = hashed || strings.Contains(query, c)
		}
		segments[last] += "?" + strings.NewReplacer("/", "%2f", `\`, "%5c", "{", "%7b", "}", "%7d").Replace(query)
	}
	var name strings.Builder
	name.WriteString(fileSegment(string(u.Host()), u, false))
	for i, s := range segments {
		end := name.Len() + 1 + min(len(s), MaxSegmentBytes)
		if i < last && end > MaxNameBytes-1-MaxSegmentBytes {
			s, i, hashed = segments[last], last, true // leave out the directories that do not fit
		}
		name.WriteByte('/')
		name.WriteString(fileSegment(s, u, hashed && i == last))
		if i == last {
			break
		}
	}
	return name.String()
}

// fileSegment makes one file or directory name: not empty, not a dot segment, not too long. With hashed, or
// where it cuts, it puts a hash of the URL before the extension.
func fileSegment(s string, u weburl.URL, hashed bool) string {
	switch s {
	case "", ".", "..":
		s = "{" + s + "}"
	}
	if len(s) <= MaxSegmentBytes && !hashed {
		return s
	}
	mark := fmt.Sprintf("{%016x}", xxhash.Sum64String(u.String()))
	ext := path.Ext(s)
	if len(ext) > 16 {
		ext = ""
	}
	stem := s[:len(s)-len(ext)]
	return stem[:min(len(stem), MaxSegmentBytes-len(mark)-len(ext))] + mark + ext
}

// CleanName checks a name that a user gave for a file below files/ and returns it without empty and "."
// segments. Errors wrap ErrBadName and say what is wrong with it.
func CleanName(name string) (string, error) {
	bad := func(what string) (string, error) {
		return "", fmt.Errorf("%w: %q %s", ErrBadName, name, what)
	}
	switch {
	case name == "":
		return bad("is empty")
	case strings.HasPrefix(name, "/"):
		return bad("is absolute; give a path relative to files/")
	case strings.HasSuffix(name, "/"):
		return bad("names a directory; add the name of the file")
	case strings.IndexByte(name, '\\') >= 0:
		return bad(`has a "\"; write "/" between directories`)
	case strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0:
		return bad("has a control character")
	}
	for s := range strings.SplitSeq(name, "/") {
		switch {
		case s == "..":
			return bad(`has a ".." and may leave files/`)
		case len(s) > MaxSegmentBytes:
			return bad(fmt.Sprintf("has a part longer than %d bytes", MaxSegmentBytes))
		}
	}
	clean := path.Clean(name)
	switch {
	case clean == "." || path.Base(name) == ".":
		return bad("names a directory; add the name of the file")
	case len(clean) > MaxNameBytes:
		return bad(fmt.Sprintf("is longer than %d bytes", MaxNameBytes))
	}
	return clean, nil
}
