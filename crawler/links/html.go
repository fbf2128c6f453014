package links

import (
	"bytes"

	"trawl/crawler/ascii"
)

// htmlScanner is the part of the HTML tokenizer that finding links needs: it knows where tags, attributes,
// comments and raw text begin and end, and builds no tree. It jumps from one "<" to the next, looks at
// the attributes that may hold links, and copies nothing unless a piece of the document ends in a tag.
type htmlScanner struct {
	sink     *Scanner
	state    htmlState
	part     attrPart // of an attribute that is passed over
	tag      openTag
	raw      htmlElement // whose raw text this is
	script   scriptState
	foreign  bool // inside of svg or math
	inside   bool // in HTML inside of svg or math
	depth    int  // of svg and math in each other
	insideAt int  // the depth at which inside began
	posts    bool // inside of a form that sends data
	nested   bool // reads the document of an attribute, which is in UTF-8
	xml      bool
	query    *Charset // see value
	title    titleText
	text     []byte // scratch for character references
}

type htmlState uint8

const (
	htmlText     htmlState = iota
	htmlTagName            // after "<" or "</"
	htmlPassTag            // in a tag name too long to be one of ours
	htmlAttrs              // in a tag, before an attribute or the end
	htmlPassAttr           // in an attribute that is too long
	htmlComment            // after "<!--"
	htmlBogus              // in what ends with the next ">": doctype, processing instruction, bogus comment
	htmlCDATA              // in a CDATA section
	htmlRaw                // in raw text
	htmlPlain              // after <plaintext>, for good
)

func (h *htmlScanner) reset(s *Scanner) {
	*h = htmlScanner{sink: s, xml: s.format == XML, text: h.text}
}

// scan reads b as far as it can; see LinkScanner.scan.
func (h *htmlScanner) scan(b []byte, final bool) int {
	i := 0
	for i < len(b) {
		state := h.state
		n := h.step(b[i:], final)
		if i += n; n == 0 && state == h.state {
			break
		}
	}
	if final {
		return len(b)
	}
	h.tag.own()
	return i
}

// step reads a part of b. When it reads nothing and stays in its state, it needs more to decide.
func (h *htmlScanner) step(b []byte, final bool) int {
	switch h.state {
	case htmlTagName:
		return h.tagName(b)
	case htmlPassTag:
		n := tagNameEnd(b)
		if n < len(b) {
			h.state = htmlAttrs
		}
		return n
	case htmlAttrs:
		return h.attrs(b)
	case htmlPassAttr:
		return h.passAttr(b)
	case htmlComment:
		return h.comment(b)
	case htmlBogus:
		return h.pass(b, ">", 0)
	case htmlCDATA:
		return h.pass(b, "]]>", 2)
	case htmlRaw:
		return h.rawText(b)
	case htmlPlain:
		return len(b)
	}
	i := bytes.IndexByte(b, '<')
	if i < 0 {
		return len(b)
	}
	return i + h.open(b[i:], final)
}

// open looks at what a "<" begins.
func (h *htmlScanner) open(b []byte, final bool) int {
	if len(b) == 1 {
		return 0
	}
	switch c := b[1]; {
	case ascii.IsLetter(c):
		h.tag.begin(false)
		h.state = htmlTagName
		return 1
	case c == '/' && len(b) == 2:
		return 0
	case c == '/' && ascii.IsLetter(b[2]):
		h.tag.begin(true)
		h.state = htmlTagName
		return 2
	case c == '/' && b[2] == '>':
		return 3
	case c == '!':
		return h.declaration(b, final)
	case c == '?', c == '/':
		h.state = htmlBogus
		return 2
	}
	return 1
}

// declaration looks at what "<!" begins.
func (h *htmlScanner) declaration(b []byte, final bool) int {
	const comment, cdata = "<!--", "<![CDATA["
	switch {
	case bytes.HasPrefix(b, []byte(comment)):
		switch rest := b[len(comment):]; {
		case len(rest) > 0 && rest[0] == '>':
			return len(comment) + 1
		case len(rest) > 1 && rest[0] == '-' && rest[1] == '>':
			return len(comment) + 2
		case !final && (len(rest) == 0 || len(rest) == 1 && rest[0] == '-'):
			return 0
		}
		h.state = htmlComment
		return len(comment)
	case (h.foreign || h.xml) && bytes.HasPrefix(b, []byte(cdata)):
		h.state = htmlCDATA
		return len(cdata)
	case !final && (isBeginning(b, comment) || isBeginning(b, cdata)):
		return 0
	}
	h.state = htmlBogus
	return 2
}

// isBeginning reports whether b may grow into s.
func isBeginning(b []byte, s string) bool { return len(b) < len(s) && string(b) == s[:len(b)] }

// pass passes over everything up to the end mark; keep is the length of the mark less one.
func (h *htmlScanner) pass(b []byte, end string, keep int) int {
	if i := bytes.Index(b, []byte(end)); i >= 0 {
		h.state = htmlText
		return i + len(end)
	}
	return max(0, len(b)-keep)
}

// comment passes over a comment. "-->" ends it, and "--!>".
func (h *htmlScanner) comment(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '>')
		if n < 0 {
			return max(0, len(b)-len("--!"))
		}
		i += n
		if bytes.HasSuffix(b[:i], []byte("--")) || bytes.HasSuffix(b[:i], []byte("--!")) {
			h.state = htmlText
			return i + 1
		}
	}
}

// tagName reads the name of a tag.
func (h *htmlScanner) tagName(b []byte) int {
	n := tagNameEnd(b[:min(len(b), h.sink.max)])
	switch {
	case n == h.sink.max:
		h.state = htmlPassTag
	case n == len(b):
		return 0
	default:
		h.tag.element = htmlElementOf(b[:n])
		h.state = htmlAttrs
	}
	return n
}

func tagNameEnd(b []byte) int {
	for i, c := range b {
		if c == '>' || c == '/' || ascii.IsSpace(c) {
			return i
		}
	}
	return len(b)
}

// attrs reads attributes until the tag ends.
func (h *htmlScanner) attrs(b []byte) int {
	i := 0
	for i < len(b) {
		switch c := b[i]; {
		case c == '>':
			h.state = htmlText
			h.endOfTag()
			return i + 1
		case c == '/':
			if i+1 == len(b) {
				return i
			}
			h.tag.closed = b[i+1] == '>'
			i++
		case ascii.IsSpace(c):
			i++
		default:
			n, ok := h.attr(b[i:])
			i += n
			if !ok {
				return i
			}
		}
	}
	return i
}

// attr reads one attribute. It reports false when it cannot continue here: more is needed, or the attribute
// is too long.
func (h *htmlScanner) attr(b []byte) (n int, ok bool) {
	w := b[:min(len(b), h.sink.max)]
	a := splitAttr(w)
	if a.part != attrDone {
		if len(w) < h.sink.max {
			return 0, false
		}
		h.cut(w, a)
		h.state, h.part = htmlPassAttr, a.part
		return len(w), false
	}
	if id := attrOf(w[:a.name]); id != 0 && !h.tag.end && id&h.tag.element.attrs() != 0 {
		h.tag.set(id, w[a.from:a.to])
	}
	return a.next, true
}

// cut counts an attribute that is too long, if it may have held a link.
func (h *htmlScanner) cut(b []byte, a attrSplit) {
	id := attrOf(b[:a.name]) & h.tag.element.attrs()
	if id == 0 || h.tag.end || (h.tag.seen|h.tag.lost)&id != 0 {
		return
	}
	h.tag.lost |= id
	const scheme = 32 // bytes; enough for "data:"
	if v := ascii.Trim(b[a.from:]); id&attrURLs != 0 && otherScheme(string(v[:min(len(v), scheme)])) {
		h.sink.counts.NotHTTP++
		return
	}
	h.sink.counts.Cut++
}

// passAttr passes over the rest of an attribute that is too long.
func (h *htmlScanner) passAttr(b []byte) int {
	for i := 0; i < len(b); i++ {
		next, used := h.part.next(b[i])
		h.part = next
		if next == attrDone {
			h.state = htmlAttrs
			if used {
				i++
			}
			return i
		}
	}
	return len(b)
}

// attrPart is a place in an attribute.
type attrPart uint8

const (
	attrDone attrPart = iota
	attrName
	attrAfterName
	attrBeforeValue
	attrDouble
	attrSingle
	attrUnquoted
)

// next reports where the byte c leads, and whether it belongs to the attribute when it ends it.
func (p attrPart) next(c byte) (attrPart, bool) {
	switch p {
	case attrName, attrAfterName:
		switch {
		case ascii.IsSpace(c):
			return attrAfterName, true
		case c == '=':
			return attrBeforeValue, true
		case c == '>', c == '/', p == attrAfterName:
			return attrDone, false
		}
	case attrBeforeValue:
		switch {
		case c == '"':
			return attrDouble, true
		case c == '\'':
			return attrSingle, true
		case c == '>':
			return attrDone, false
		case !ascii.IsSpace(c):
			return attrUnquoted, true
		}
	case attrDouble:
		if c == '"' {
			return attrDone, true
		}
	case attrSingle:
		if c == '\'' {
			return attrDone, true
		}
	case attrUnquoted:
		if c == '>' || ascii.IsSpace(c) {
			return attrDone, false
		}
	}
	return p, true
}

// attrSplit is an attribute taken apart: offsets of the end of its name, of its value, and of what follows.
// part is where it breaks off, attrDone when it is whole.
type attrSplit struct {
	name, from, to, next int
	part                 attrPart
}

// splitAttr takes the attribute at the beginning of b apart. It does by jumps what attrPart does by steps.
func splitAttr(b []byte) attrSplit {
	i := 1 // a name may begin with "="
	for i < len(b) && b[i] != '=' && b[i] != '>' && b[i] != '/' && !ascii.IsSpace(b[i]) {
		i++
	}
	a := attrSplit{name: i}
	if i == len(b) {
		a.part = attrName
		return a
	}
	for ascii.IsSpace(b[i]) {
		if i++; i == len(b) {
			a.part = attrAfterName
			return a
		}
	}
	if b[i] != '=' {
		a.next = i
		return a
	}
	i++
	for i < len(b) && ascii.IsSpace(b[i]) {
		i++
	}
	a.split(b, i)
	return a
}

// split takes the value apart, which begins at i.
func (a *attrSplit) split(b []byte, i int) {
	if i == len(b) {
		a.part = attrBeforeValue
		return
	}
	switch q := b[i]; q {
	case '>':
		a.from, a.to, a.next = i, i, i
	case '"', '\'':
		a.from = i + 1
		n := bytes.IndexByte(b[a.from:], q)
		switch {
		case n >= 0:
			a.to, a.next = a.from+n, a.from+n+1
		case q == '"':
			a.part = attrDouble
		default:
			a.part = attrSingle
		}
	default:
		a.from = i
		for i < len(b) && b[i] != '>' && !ascii.IsSpace(b[i]) {
			i++
		}
		if a.to, a.next = i, i; i == len(b) {
			a.part = attrUnquoted
		}
	}
}
