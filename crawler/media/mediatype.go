package media

import (
	"net/http"
	"strings"

	"trawl/crawler/ascii"
	"trawl/internal/coding"
)

// SniffLook is how many bytes at the beginning of a body decide what it is: the resource header of the MIME
// Sniffing standard.
const SniffLook = 1445

// MediaType is what a body is said to be, or looks like.
type Type struct {
	Kind    string // such as "text/html", in lower case
	Charset string // the label given with it, "" = none
	Said    bool   // the server says it; otherwise it is what the bytes look like
}

// MediaTypeOf is the type of a body whose answer has the values of Content-Type: the one that the server says, as
// the Fetch standard extracts it, or else what the first SniffLook bytes look like. nosniff says that the server
// asks not to look.
func TypeOf(values []string, nosniff bool, head []byte) Type {
	m := Extract(values)
	switch m.Kind {
	case "unknown/unknown", "application/unknown":
		m = Type{}
	case "":
	default:
		m.Said = true
		return m
	}
	if nosniff {
		m.Kind = "application/octet-stream"
		if coding.LooksLikeText(head) {
			m.Kind = "text/plain"
		}
		return m
	}
	m.Kind = lookOf(head)
	return m
}

// Extract is "extract a MIME type" of the Fetch standard: the last type that can be read counts, and a
// charset said before it for the same type stays.
func Extract(values []string) (m Type) {
	for _, line := range values {
		for line != "" {
			var one string
			one, line = cutQuoted(line, ',')
			kind, charset, ok := parseMediaType(one)
			if !ok || kind == "*/*" {
				continue
			}
			if kind != m.Kind || charset != "" {
				m.Charset = charset
			}
			m.Kind = kind
		}
	}
	return m
}

// cutQuoted cuts at the first sep outside of quotation marks.
func cutQuoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// parseMediaType is "parse a MIME type" of the MIME Sniffing standard; of the parameters only charset matters,
// whose first counts.
func parseMediaType(s string) (kind, charset string, ok bool) {
	s = strings.Trim(s, httpSpace)
	kind, rest, _ := strings.Cut(s, ";")
	major, minor, slash := strings.Cut(kind, "/")
	minor = strings.TrimRight(minor, httpSpace)
	if !slash || !isToken(major) || !isToken(minor) {
		return "", "", false
	}
	for rest != "" {
		var one string
		one, rest = cutQuoted(rest, ';')
		name, value, given := strings.Cut(strings.TrimLeft(one, httpSpace), "=")
		if !given || !strings.EqualFold(name, "charset") {
			continue
		}
		if strings.HasPrefix(value, `"`) {
			value, _ = QuotedString(value)
		} else {
			value = strings.TrimRight(value, httpSpace)
		}
		if value != "" {
			charset = value
			break
		}
	}
	return strings.ToLower(major + "/" + minor), charset, true
}

const httpSpace = " \t\r\n"

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !ascii.IsAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// lookOf is what bytes look like, by the rules of the MIME Sniffing standard for an unknown type. The library
// looks at fewer bytes than white space before a page may take.
func lookOf(head []byte) string {
	head = head[:min(len(head), SniffLook)]
	trimmed := ascii.Trim(head)
	if len(trimmed) > 0 && trimmed[0] == '<' {
		head = trimmed
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return kind
}

// QuotedString reads the quoted string that v begins with (RFC 9110 section 5.6.4), which may lack its end.
func QuotedString(v string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			return b.String(), v[i+1:]
		case c == '\\' && i+1 < len(v):
			i++
			b.WriteByte(v[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
