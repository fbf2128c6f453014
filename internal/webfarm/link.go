package webfarm

import (
	"bytes"
	"strconv"
)

// appendLink writes the element of a link on the page with the target base.
func (s *site) appendLink(b, base []byte, l link) []byte {
	before, attr, after := "<a", "href", ">more</a>"
	if t, ok := s.asset(l.to); ok {
		before, attr, after = t.tag, t.attr, t.close
	}
	b = append(b, before...)
	b = append(b, ' ')
	b = append(b, attr...)
	b = append(b, '=')
	quote := byte('"')
	if l.mark%4 == 1 {
		quote = '\''
	}
	b = append(b, quote)
	b = s.appendReference(b, base, l)
	b = append(b, quote)
	return append(b, after...)
}

// appendReference writes a link's value, as it stands in an attribute.
func (s *site) appendReference(b, base []byte, l link) []byte {
	f := s.faces[l.to.host]
	var scratch [128]byte
	target := s.appendTarget(scratch[:0], l.to)
	switch l.form {
	case linkRelative:
		return appendEscaped(b, relative(base, target), l.mark)
	case linkFull:
		return appendEscaped(append(b, f.base...), target, l.mark)
	case linkNoScheme:
		return appendEscaped(append(append(b, "//"...), f.authority...), target, l.mark)
	case linkFragment:
		b = append(appendEscaped(b, target, l.mark), "#part-"...)
		return strconv.AppendUint(b, l.mark%10, 10)
	case linkDots:
		return appendEscaped(append(b, "/x/../."...), target, l.mark)
	case linkShouting:
		scheme := "HTTP://"
		if f.https {
			scheme = "HTTPS://"
		}
		return appendEscaped(append(append(b, scheme...), f.authority...), target, l.mark)
	case linkPadded:
		return append(appendEscaped(append(b, ' '), target, l.mark), " \n"...)
	}
	return appendEscaped(b, target, l.mark)
}

// appendEscaped writes "&" as "&amp;" in two of three links, and as it is in the others, which HTML allows.
func appendEscaped(b, target []byte, mark uint64) []byte {
	for {
		i := bytes.IndexByte(target, '&')
		if i < 0 || mark%3 == 0 {
			return append(b, target...)
		}
		b = append(append(b, target[:i]...), "&amp;"...)
		target = target[i+1:]
	}
}

// relative writes target as seen from the page base of the same host. Both begin with a slash.
func relative(base, target []byte) []byte {
	base, _, _ = bytes.Cut(base, []byte{'?'})
	path, _, _ := bytes.Cut(target, []byte{'?'})
	common := 0 // up to and with the last slash that both share
	for i := 0; i < len(base) && i < len(path) && base[i] == path[i]; i++ {
		if base[i] == '/' {
			common = i + 1
		}
	}
	var b []byte
	for range bytes.Count(base[common:], []byte{'/'}) {
		b = append(b, "../"...)
	}
	if len(b) == 0 && common == len(path) {
		b = append(b, "./"...)
	}
	return append(b, target[common:]...)
}
