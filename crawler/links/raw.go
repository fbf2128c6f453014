package links

import (
	"bytes"

	"trawl/crawler/ascii"
)

// scriptState says how the text of a script is escaped (HTML standard, "script data escaped state"): in
// a comment in which another script begins, "</script>" does not end the outer one.
type scriptState uint8

const (
	scriptPlain scriptState = iota
	scriptEscaped
	scriptTwice
)

// titleText collects the text of the first title element.
type titleText struct {
	text string
	raw  []byte
	open bool
	done bool
	late bool // the charset became known after it began
}

// finish reads the title again when the document named its charset after it.
func (t *titleText) finish(s *Scanner) {
	if t.done && t.late {
		text, _ := s.utf8(t.raw)
		t.text = foldTitle(text)
	}
	t.raw = nil
}

// maxRawTitle is how much text of a title element is looked at, in bytes.
const maxRawTitle = 8 * MaxTitleBytes

// beginRaw begins the raw text of an element that has any.
func (h *htmlScanner) beginRaw() {
	e := h.tag.element
	switch {
	case !e.isRaw():
		return
	case h.foreign && e != elementScript && e != elementStyle: // names like others there
		return
	case h.tag.closed && (h.foreign || h.xml):
		return
	case e == elementPlaintext:
		h.state = htmlPlain
		return
	}
	h.state, h.raw, h.script = htmlRaw, e, scriptPlain
	if e == elementTitle && !h.title.done {
		h.title.open = true
	}
}

// rawText reads raw text up to its end tag, which is read like any tag.
func (h *htmlScanner) rawText(b []byte) int {
	var n int
	var ended bool
	if h.raw == elementScript {
		n, ended = h.scriptEnd(b)
	} else {
		n, ended = rawEnd(b, h.raw.name())
	}
	switch {
	case h.raw == elementStyle:
		used := h.sink.css.scan(b[:n], ended)
		if !ended {
			return used
		}
	case h.raw == elementTitle && h.title.open:
		more := min(n, maxRawTitle-len(h.title.raw))
		h.title.raw = append(h.title.raw, b[:more]...)
	}
	if ended {
		h.endTitle()
		h.state = htmlText
	}
	return n
}

// endTitle takes the title when its element ends, or the document.
func (h *htmlScanner) endTitle() {
	if h.title.open {
		raw, _ := h.sink.utf8(h.title.raw)
		text := foldTitle(raw)
		if h.title.open, h.title.done = false, text != ""; h.title.done {
			h.title.text = text
		} else {
			h.title.raw = nil
		}
	}
}

// rawEnd finds the end tag of raw text. Without one it reports how far there is none for certain.
func rawEnd(b []byte, name string) (n int, ended bool) {
	for {
		i := bytes.IndexByte(b[n:], '<')
		if i < 0 {
			return len(b), false
		}
		n += i
		switch matchTag(b[n:], "</", name) {
		case tagMatches:
			return n, true
		case tagMayMatch:
			return n, false
		}
		n++
	}
}

// scriptEnd is rawEnd for scripts.
func (h *htmlScanner) scriptEnd(b []byte) (n int, ended bool) {
	const name = "script"
	for n < len(b) {
		i := bytes.IndexByte(b[n:], '<')
		if h.script != scriptPlain {
			i = bytes.IndexAny(b[n:], "<-")
		}
		if i < 0 {
			return len(b), false
		}
		n += i
		rest := b[n:]
		if rest[0] == '-' {
			if isBeginning(rest, "-->") {
				return n, false
			}
			if bytes.HasPrefix(rest, []byte("-->")) {
				h.script = scriptPlain
			}
			n++
			continue
		}
		end, begin := matchTag(rest, "</", name), matchTag(rest, "<", name)
		switch {
		case end == tagMayMatch, h.script == scriptEscaped && begin == tagMayMatch,
			h.script == scriptPlain && isBeginning(rest, "<!--"):
			return n, false
		case end == tagMatches && h.script == scriptTwice:
			h.script = scriptEscaped
		case end == tagMatches:
			return n, true
		case begin == tagMatches && h.script == scriptEscaped:
			h.script = scriptTwice
		case h.script == scriptPlain && bytes.HasPrefix(rest, []byte("<!--")):
			h.script = scriptEscaped
			n++ // to its dashes, which count for "-->" as well
		}
		n++
	}
	return n, false
}

// tagMatch reports whether a tag of a name begins somewhere.
type tagMatch uint8

const (
	tagDiffers tagMatch = iota
	tagMayMatch
	tagMatches
)

// matchTag compares the beginning of b with a tag: an opening, a name in any case, and a byte that ends it.
func matchTag(b []byte, opening, name string) tagMatch {
	n := len(opening) + len(name)
	for i := range min(n, len(b)) {
		if i < len(opening) && b[i] != opening[i] || i >= len(opening) && b[i]|0x20 != name[i-len(opening)] {
			return tagDiffers
		}
	}
	if len(b) <= n {
		return tagMayMatch
	}
	if c := b[n]; c == '>' || c == '/' || ascii.IsSpace(c) {
		return tagMatches
	}
	return tagDiffers
}
