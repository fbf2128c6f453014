package links

import (
	"bytes"
	"unicode/utf8"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

// emit hands a value over, unless it is empty or points into its own document.
func (c *cssScanner) emit(value []byte) {
	foreign := c.rule == cssForeign
	if c.rule == cssImport {
		c.rule = cssNoRule
	}
	query := c.query
	if !c.given {
		value, query = c.sink.utf8(value)
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		value = c.unescape(value)
	}
	if value = ascii.Trim(value); len(value) > 0 && value[0] != '#' && !foreign {
		c.sink.found(value, crawler.LinkRequisite, query)
	}
}

// unescape decodes escapes: up to six hexadecimal digits and one white space, an escaped newline, which
// is nothing, or any other character, which is itself.
func (c *cssScanner) unescape(b []byte) []byte {
	out := c.text[:0]
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		i++
		switch {
		case ascii.IsHex(b[i]):
			var r rune
			end := min(len(b), i+6)
			for ; i < end && ascii.IsHex(b[i]); i++ {
				r = r<<4 | rune(ascii.Unhex(b[i]))
			}
			if r == 0 {
				r = utf8.RuneError
			}
			out = utf8.AppendRune(out, r)
			if i < len(b) && b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
			if i == len(b) || !ascii.IsSpace(b[i]) {
				i--
			}
		case b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n':
			i++
		case b[i] != '\n' && b[i] != '\r' && b[i] != '\f':
			out = append(out, b[i])
		}
	}
	c.text = out
	return out
}
