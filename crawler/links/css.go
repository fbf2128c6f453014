package links

import (
	"bytes"
	"strings"

	"trawl/crawler/ascii"
)

// cssScanner finds the references of a style sheet, after the tokens of CSS Syntax 3: url(…), with quotes
// or without, and the string of @import. Names of namespaces and of @document are no links.
type cssScanner struct {
	sink  *Scanner
	state cssState
	quote byte    // of the string that is passed over
	rule  cssRule // the at-rule whose prelude this is
	set   int     // parentheses that are open from an image-set on, whose strings are references
	given bool    // the text is UTF-8 already, and query the encoding of its URLs
	query *Charset
	text  []byte // scratch for escapes
}

type cssState uint8

const (
	cssText    cssState = iota
	cssComment          // in a comment
	cssString           // in a string of no interest
	cssName             // in a name too long to be one of ours
	cssURL              // after "url(", before the value
	cssBadURL           // passing over what is left of a url()
)

type cssRule uint8

const (
	cssNoRule cssRule = iota
	cssImport
	cssForeign // @namespace, @document: its url() is a name
)

func (c *cssScanner) reset(s *Scanner) { *c = cssScanner{sink: s, text: c.text} }

// scan reads b as far as it can; see LinkScanner.scan.
func (c *cssScanner) scan(b []byte, final bool) int {
	i := 0
	for i < len(b) {
		n := c.step(b[i:], final)
		if n == 0 {
			break
		}
		i += n
	}
	if final {
		c.state, c.rule, c.set = cssText, cssNoRule, 0
		return len(b)
	}
	return i
}

// step reads one token or a part of one, and 0 bytes when more is needed to decide.
func (c *cssScanner) step(b []byte, final bool) int {
	switch c.state {
	case cssComment:
		return c.passComment(b)
	case cssString:
		return c.passString(b)
	case cssName:
		n, whole := cssNameEnd(b)
		if !whole || n > 0 {
			return n
		}
		c.state = cssText
	case cssURL:
		return c.url(b, final)
	case cssBadURL:
		return c.passURL(b)
	}
	return c.token(b, final)
}

// token reads a token outside of strings, comments and url().
func (c *cssScanner) token(b []byte, final bool) int {
	i := 0
	for i < len(b) && cssDull[b[i]] {
		i++
	}
	if c.set > 0 { // where parentheses count
		if n := bytes.IndexAny(b[:i], "()"); n >= 0 {
			i = n
		}
	}
	if i > 0 {
		return i
	}
	switch ch := b[0]; ch {
	case '/':
		if len(b) == 1 {
			return 0
		}
		if b[1] == '*' {
			c.state = cssComment
			return 2
		}
	case '"', '\'':
		if c.rule == cssImport || c.set == 1 {
			return c.importString(b, final)
		}
		c.state, c.quote = cssString, ch
	case ';', '{', '}':
		c.rule, c.set = cssNoRule, 0
	case '(':
		c.set++
	case ')':
		c.set--
	case '@':
		return c.atRule(b, final)
	default:
		return c.name(b, final)
	}
	return 1
}

// cssDull are the bytes that begin nothing of interest.
var cssDull = func() (dull [256]bool) {
	for i := range dull {
		b := byte(i)
		dull[i] = !isCSSName(b) && strings.IndexByte(`/"';{}@\`, b) < 0
	}
	return
}()

func isCSSName(b byte) bool { return ascii.IsAlnum(b) || b == '-' || b == '_' || b >= 0x80 }

func isNewline(b byte) bool { return b == '\n' || b == '\r' || b == '\f' }

// cssNameEnd reports how long the name at the beginning of b is, and whether that is certain.
func cssNameEnd(b []byte) (n int, whole bool) {
	for n < len(b) {
		switch {
		case isCSSName(b[n]):
			n++
		case b[n] != '\\' || n+1 < len(b) && isNewline(b[n+1]):
			return n, true
		default:
			e := cssEscapeEnd(b[n:])
			if e == 0 {
				return n, false
			}
			n += e
		}
	}
	return n, false
}

// cssEscapeEnd reports how long the escape at the beginning of b is, with the white space that belongs to
// it, and 0 when more is needed to decide.
func cssEscapeEnd(b []byte) int {
	n := 1
	for n < len(b) && n < 7 && ascii.IsHex(b[n]) {
		n++
	}
	switch {
	case n == len(b):
		return 0
	case n == 1 && !isNewline(b[n]):
		return 2
	case !ascii.IsSpace(b[n]):
		return n
	case b[n] != '\r':
		return n + 1
	case n+1 == len(b):
		return 0
	case b[n+1] == '\n':
		return n + 2
	}
	return n + 1
}

// name reads a name; "url" before a parenthesis begins a reference.
func (c *cssScanner) name(b []byte, final bool) int {
	w := b[:min(len(b), c.sink.max)]
	n, whole := cssNameEnd(w)
	switch {
	case n == 0: // a backslash that escapes nothing
		if !whole && len(b) == 1 && !final {
			return 0
		}
		return 1
	case !whole && len(w) == c.sink.max:
		c.state = cssName
		return n
	case !whole:
		return 0
	}
	if b[n] != '(' {
		return n
	}
	if !c.isName(b[:n], "url") {
		if c.set > 0 || c.isName(b[:n], "image-set") || c.isName(b[:n], "-webkit-image-set") {
			c.set++
		}
		return n + 1
	}
	c.state = cssURL
	return n + 1
}

// atRule reads "@" and its name.
func (c *cssScanner) atRule(b []byte, final bool) int {
	w := b[:min(len(b), c.sink.max)]
	n, whole := cssNameEnd(w[1:])
	if !whole && len(w) < c.sink.max && !final {
		return 0
	}
	switch name := w[1 : 1+n]; {
	case c.isName(name, "import"):
		c.rule = cssImport
	case c.isName(name, "namespace"), c.isName(name, "document"), c.isName(name, "-moz-document"):
		c.rule = cssForeign
	default:
		c.rule = cssNoRule
	}
	if !whole {
		c.state = cssName
	}
	return 1 + n
}

func (c *cssScanner) isName(b []byte, name string) bool {
	if bytes.IndexByte(b, '\\') >= 0 {
		b = c.unescape(b)
	}
	return len(b) == len(name) && strings.EqualFold(string(b), name)
}

// importString reads a string that is a reference: of an @import or an image-set.
func (c *cssScanner) importString(b []byte, final bool) int {
	end, state := c.stringEnd(b, final)
	if state == cssTokenOpen {
		return 0
	}
	c.rule = cssNoRule
	if state == cssTokenGood {
		c.emit(b[1:end])
	} else if state == cssTokenLong {
		c.cut(b[0])
	}
	return min(end+1, len(b))
}

// url reads the value of a url(), after its parenthesis.
func (c *cssScanner) url(b []byte, final bool) int {
	if ascii.IsSpace(b[0]) {
		return 1
	}
	if b[0] == '"' || b[0] == '\'' {
		end, state := c.stringEnd(b, final)
		switch state {
		case cssTokenOpen:
			return 0
		case cssTokenGood:
			c.emit(b[1:end])
			c.state = cssText
		case cssTokenLong:
			c.cut(b[0])
		case cssTokenBad:
			c.state = cssBadURL
		}
		return min(end+1, len(b))
	}
	end, state := c.urlEnd(b, final)
	switch state {
	case cssTokenOpen:
		return 0
	case cssTokenGood:
		c.emit(ascii.Trim(b[:end]))
		c.state = cssText
	case cssTokenLong:
		c.sink.counts.Cut++
		c.state = cssBadURL
	case cssTokenBad:
		c.state = cssBadURL
		return end + c.passURL(b[end:])
	}
	return min(end+1, len(b))
}

// cssTokenState says how the search for the end of a token went.
type cssTokenState uint8

const (
	cssTokenGood cssTokenState = iota
	cssTokenOpen               // more is needed to decide
	cssTokenLong               // longer than the limit
	cssTokenBad                // malformed
)

// stringEnd finds the end of the string that b begins with. A string that the document ends in is good.
func (c *cssScanner) stringEnd(b []byte, final bool) (int, cssTokenState) {
	w := b[:min(len(b), c.sink.max)]
	for i := 1; i < len(w); i++ {
		switch w[i] {
		case w[0]:
			return i, cssTokenGood
		case '\\':
			e := cssEscapeEnd(w[i:])
			if e == 0 {
				return c.noEnd(w, len(b), final)
			}
			i += e - 1
		case '\n', '\r', '\f':
			return i - 1, cssTokenBad
		}
	}
	return c.noEnd(w, len(b), final)
}

// urlEnd finds the end of an unquoted url().
func (c *cssScanner) urlEnd(b []byte, final bool) (int, cssTokenState) {
	w := b[:min(len(b), c.sink.max)]
	spaced := false
	for i := 0; i < len(w); i++ {
		ch := w[i]
		switch {
		case ch == ')':
			return i, cssTokenGood
		case ascii.IsSpace(ch):
			spaced = true
		case spaced, ch == '"', ch == '\'', ch == '(', ch < ' ', ch == 0x7F:
			return i, cssTokenBad
		case ch == '\\':
			e := cssEscapeEnd(w[i:])
			if e == 0 {
				return c.noEnd(w, len(b), final)
			}
			i += e - 1
		}
	}
	return c.noEnd(w, len(b), final)
}

func (c *cssScanner) noEnd(w []byte, have int, final bool) (int, cssTokenState) {
	switch {
	case len(w) == c.sink.max:
		return len(w) - 1, cssTokenLong
	case final:
		return have, cssTokenGood
	}
	return 0, cssTokenOpen
}

// cut passes over the rest of a string that is too long.
func (c *cssScanner) cut(quote byte) {
	c.sink.counts.Cut++
	c.state, c.quote = cssString, quote
}

// passComment passes over the rest of a comment.
func (c *cssScanner) passComment(b []byte) int {
	if i := bytes.Index(b, []byte("*/")); i >= 0 {
		c.state = cssText
		return i + 2
	}
	if b[len(b)-1] == '*' {
		return len(b) - 1
	}
	return len(b)
}

// passString passes over the rest of a string.
func (c *cssScanner) passString(b []byte) int { return c.passTo(b, c.quote, true) }

// passURL passes over the rest of a url().
func (c *cssScanner) passURL(b []byte) int { return c.passTo(b, ')', false) }

// passTo passes over everything up to an end mark that is not escaped, or to the end of the line.
func (c *cssScanner) passTo(b []byte, end byte, line bool) int {
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == end, line && isNewline(b[i]):
			c.state = cssText
			return i + 1
		case b[i] == '\\':
			e := cssEscapeEnd(b[i:])
			if e == 0 {
				return i
			}
			i += e - 1
		}
	}
	return len(b)
}
