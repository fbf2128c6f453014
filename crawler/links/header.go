package links

import (
	"strings"

	"trawl/crawler"
	"trawl/crawler/ascii"
	"trawl/crawler/media"
)

// scanLinkHeader reads a Link field value (RFC 8288, section 3 and appendix B.2) and reports its targets.
func scanLinkHeader(v string, found func(ref string, kind crawler.LinkKind)) {
	for {
		v = strings.TrimLeft(v, " \t,")
		if v == "" || v[0] != '<' {
			return
		}
		ref, rest, ok := strings.Cut(v[1:], ">")
		if !ok {
			return
		}
		var rel string
		rel, v = linkParameters(rest)
		if kind, ok := relKind(rel); ok {
			found(ascii.TrimSpace(ref), kind)
		}
	}
}

// linkParameters reads the parameters of one link value, up to its comma, and returns the first rel.
func linkParameters(v string) (rel, rest string) {
	found := false
	for {
		v = strings.TrimLeft(v, " \t")
		if v == "" || v[0] != ';' {
			// What stands here is the comma, or rubbish, which ends with the next comma.
			i := strings.IndexByte(v, ',')
			if i < 0 {
				return rel, ""
			}
			return rel, v[i:]
		}
		v = strings.TrimLeft(v[1:], " \t;")
		i := strings.IndexAny(v, "=;, \t")
		if i < 0 {
			return rel, ""
		}
		name, value := v[:i], ""
		v = strings.TrimLeft(v[i:], " \t")
		if strings.HasPrefix(v, "=") {
			value, v = linkParameterValue(strings.TrimLeft(v[1:], " \t"))
		}
		if !found && strings.EqualFold(name, "rel") {
			rel, found = value, true
		}
	}
}

// linkParameterValue reads a token or a quoted string.
func linkParameterValue(v string) (value, rest string) {
	if !strings.HasPrefix(v, `"`) {
		i := strings.IndexAny(v, ";, \t")
		if i < 0 {
			return v, ""
		}
		return v[:i], v[i:]
	}
	return media.QuotedString(v)
}

// relKind reports what a link with these relations is for, and false when it is none: a hint to connect
// early names no document. One relation that is needed to show the page makes it a requisite.
func relKind(rel string) (kind crawler.LinkKind, ok bool) {
	for _, r := range strings.FieldsFunc(rel, isSpaceRune) {
		switch r = strings.ToLower(r); r {
		case "dns-prefetch", "preconnect", "nofollow", "noopener", "noreferrer", "external", "opener", "expect":
		case "stylesheet", "icon", "mask-icon", "apple-touch-icon", "apple-touch-icon-precomposed",
			"apple-touch-startup-image", "fluid-icon", "image_src", "preload", "modulepreload", "prefetch",
			"manifest", "shortcut":
			return crawler.LinkRequisite, true
		default:
			ok = true
		}
	}
	return crawler.LinkPage, ok
}

// refreshTarget reads the content of a meta refresh or the value of a Refresh header ("shared declarative
// refresh steps" of the HTML standard). ref is "" when the page itself is meant.
func refreshTarget(content string) (ref string, ok bool) {
	s := strings.TrimLeft(content, ascii.Space)
	time := s
	s = strings.TrimLeft(s, "0123456789")
	if len(s) == len(time) && !strings.HasPrefix(s, ".") {
		return "", false
	}
	s = strings.TrimLeft(s, "0123456789.")
	if s == "" {
		return "", true
	}
	if c := s[0]; c != ';' && c != ',' && !ascii.IsSpace(c) {
		return "", false
	}
	s = strings.TrimLeft(s, ascii.Space)
	if s != "" && (s[0] == ';' || s[0] == ',') {
		s = s[1:]
	}
	s = refreshValue(strings.TrimLeft(s, ascii.Space))
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		s, _, _ = strings.Cut(s[1:], s[:1])
	}
	return strings.Trim(s, ascii.Space), true
}

// refreshValue cuts a leading "url =", if it is there whole.
func refreshValue(s string) string {
	if !ascii.HasPrefixFold(s, "url") {
		return s
	}
	if v, ok := strings.CutPrefix(strings.TrimLeft(s[3:], ascii.Space), "="); ok {
		return strings.TrimLeft(v, ascii.Space)
	}
	return s
}

func isSpaceRune(r rune) bool { return r < 0x80 && ascii.IsSpace(byte(r)) }
