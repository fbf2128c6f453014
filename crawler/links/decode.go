package links

import (
	"bytes"
	"html"
	"strings"
	"unicode/utf8"

	"trawl/crawler/ascii"
)

// maxReferenceBytes is longer than every named character reference; longer runs of letters are none.
const maxReferenceBytes = 40

// decodeAttribute decodes the character references of an attribute's value. It returns v itself when there
// are none, else a slice of scratch's memory, which is grown as needed and returned too.
func decodeAttribute(v, scratch []byte) (decoded, grown []byte) {
	i := bytes.IndexByte(v, '&')
	if i < 0 {
		return v, scratch
	}
	b := scratch[:0]
	for ; i >= 0; i = bytes.IndexByte(v, '&') {
		b = append(b, v[:i]...)
		n := 0
		b, n = appendReference(b, v[i:])
		v = v[i+n:]
	}
	b = append(b, v...)
	return b, b
}

// appendReference decodes the character reference that v may begin with, and reports how many bytes it took.
// In attributes a name without a semicolon is none when "=", a letter or a digit follows, so that
// "?a=1&copy=2" keeps its meaning (HTML standard, "named character reference state").
func appendReference(b, v []byte) ([]byte, int) {
	if bytes.HasPrefix(v, []byte("&amp;")) {
		return append(b, '&'), len("&amp;")
	}
	if len(v) > 1 && v[1] == '#' {
		return appendNumericReference(b, v)
	}
	end := 1
	for end < len(v) && end < maxReferenceBytes && ascii.IsAlnum(v[end]) {
		end++
	}
	if end == 1 {
		return append(b, '&'), 1
	}
	name := string(v[1:end])
	if end < len(v) && v[end] == ';' {
		if text, ok := namedReference(name + ";"); ok {
			return append(b, text...), end + 1
		}
	}
	if end == len(v) || v[end] != '=' {
		if text, ok := namedReference(name); ok {
			return append(b, text...), end
		}
	}
	return append(b, '&'), 1
}

// namedReference looks up a name as a whole. The library also decodes the longest beginning of the text
// that is a name; then more of the text is left than the one or two characters of any reference.
func namedReference(name string) (string, bool) {
	text := html.UnescapeString("&" + name)
	if strings.HasPrefix(text, "&"+name) {
		return "", false
	}
	most := 1
	if strings.HasSuffix(name, ";") {
		most = 2
	}
	return text, utf8.RuneCountInString(text) <= most
}

func appendNumericReference(b, v []byte) ([]byte, int) {
	end, digit := 2, ascii.IsDigit
	if len(v) > 2 && v[2]|0x20 == 'x' {
		end, digit = 3, ascii.IsHex
	}
	start := end
	for end < len(v) && digit(v[end]) {
		end++
	}
	if end == start {
		return append(b, '&'), 1
	}
	text := v[:end]
	if len(text) > maxReferenceBytes { // far beyond Unicode, whatever it begins with
		text = []byte("&#x110000")
	}
	if end < len(v) && v[end] == ';' {
		end++
	}
	return append(b, html.UnescapeString(string(text)+";")...), end
}

// foldTitle decodes the text of a title element, folds its white space and cuts it on a rune border.
func foldTitle(raw []byte) string {
	text := strings.ToValidUTF8(html.UnescapeString(string(raw)), "\uFFFD")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= MaxTitleBytes {
		return text
	}
	cut := MaxTitleBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.TrimRight(text[:cut], " ")
}
