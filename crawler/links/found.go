package links

import (
	"bytes"
	"strings"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

// openTag is the tag that is being read. Values are as written; they lie in the piece of the document that
// is being scanned, or in own memory when the tag began in an earlier one.
type openTag struct {
	element htmlElement
	end     bool   // an end tag: its attributes mean nothing
	closed  bool   // ends with "/>"
	seen    attrID // attributes seen; the first of each name counts
	mine    attrID // of these, those in own memory
	lost    attrID // attributes that were too long; others of their names do not take their place
	values  [attrCount][]byte
}

func (t *openTag) begin(end bool) {
	t.element, t.end, t.closed, t.seen, t.mine, t.lost = elementOther, end, false, 0, 0, 0
}

func (t *openTag) set(id attrID, value []byte) {
	if (t.seen|t.lost)&id == 0 {
		t.seen |= id
		t.values[id.index()] = value
	}
}

// raw is a value as written, nil when there is none.
func (t *openTag) raw(id attrID) []byte {
	if t.seen&id == 0 {
		return nil
	}
	return t.values[id.index()]
}

func (id attrID) index() int {
	i := 0
	for id > 1 {
		id >>= 1
		i++
	}
	return i
}

// own copies the values that lie in a piece of the document that goes away.
func (t *openTag) own() {
	if t.seen == t.mine {
		return
	}
	for i := range t.values {
		if id := attrID(1) << i; t.seen&^t.mine&id != 0 {
			t.values[i] = bytes.Clone(t.values[i])
		}
	}
	t.mine = t.seen
}

// endOfTag does what a tag asks for: its links, the base, raw text.
func (h *htmlScanner) endOfTag() {
	t := &h.tag
	if h.depth > 0 || t.element == elementForeign {
		h.nest(t)
	}
	if t.end {
		if t.element == elementForm {
			h.posts = false
		}
		return
	}
	if t.seen != 0 {
		h.tagLinks()
		t.seen = 0
	}
	h.beginRaw()
}

// nest follows the way into SVG and MathML and out again.
func (h *htmlScanner) nest(t *openTag) {
	switch {
	case t.element == elementForeign && t.end:
		h.depth = max(h.depth-1, 0)
		h.inside = h.inside && h.depth >= h.insideAt
		h.foreign = h.depth > 0 && !(h.inside && h.depth == h.insideAt)
	case t.element == elementForeign && !t.closed:
		if !h.foreign && !h.inside {
			h.depth = 0
		}
		h.foreign = true
		h.depth++
	case t.element == elementForeign:
	case t.element == elementHTMLInside && t.end:
		h.foreign, h.inside = h.foreign || h.inside, false
	case t.element == elementHTMLInside && h.foreign:
		h.foreign, h.inside, h.insideAt = t.closed, !t.closed, h.depth
	case t.end:
	case t.element == elementBreakout, t.element == elementImg, t.element == elementMeta, t.element == elementEmbed,
		t.element == elementTablePart:
		h.foreign = false
	}
}

func (h *htmlScanner) tagLinks() {
	switch h.tag.element {
	case elementA:
		h.link(attrHref, crawler.LinkPage)
		h.foreignLink(crawler.LinkPage)
	case elementArea:
		h.link(attrHref, crawler.LinkPage)
	case elementFrame, elementIframe:
		h.link(attrSrc, crawler.LinkPage)
		h.lazyLinks(crawler.LinkPage)
		h.srcdoc()
	case elementForm:
		h.posts = h.sends(attrMethod)
	case elementButton:
		h.formaction()
	case elementAudio, elementEmbed, elementTrack, elementScript, elementImg, elementSource, elementImage,
		elementUse, elementFeImage:
		h.link(attrSrc, crawler.LinkRequisite)
		h.srcset(attrSrcset)
		h.foreignLink(crawler.LinkRequisite)
	case elementInput:
		if typ, _ := h.value(attrType); strings.EqualFold(string(typ), "image") {
			h.link(attrSrc, crawler.LinkRequisite)
		}
		h.formaction()
	case elementObject:
		h.link(attrData, crawler.LinkRequisite)
	case elementVideo:
		h.link(attrSrc, crawler.LinkRequisite)
		h.link(attrPoster, crawler.LinkRequisite)
	case elementTablePart:
		h.link(attrBackground, crawler.LinkRequisite)
	case elementLink:
		rel, _ := h.value(attrRel)
		if kind, ok := relKind(string(rel)); ok {
			h.link(attrHref, kind)
			h.srcset(attrImagesrcset)
		} else if _, rev := h.value(attrRev); rev && h.tag.seen&attrRel == 0 {
			h.link(attrHref, crawler.LinkPage) // HTML 4: this page is what rev says to the one linked
		}
	case elementMeta:
		h.meta()
	case elementBase:
		if href, ok := h.value(attrHref); ok && !h.nested {
			h.sink.setBase(string(href))
		}
	}
	if h.tag.seen&attrLazy != 0 {
		h.lazyLinks(crawler.LinkRequisite)
	}
	if style, ok := h.value(attrStyle); ok && bytes.IndexByte(style, '(') >= 0 {
		h.style(style)
	}
}

// style scans style rules that stand in an attribute.
func (h *htmlScanner) style(rules []byte) {
	css := &h.sink.css
	given, query := css.given, css.query
	css.given, css.query = true, h.query
	css.scan(rules, true)
	css.given, css.query = given, query
}

// value is an attribute's value in UTF-8 with its character references decoded. It is good until the next call,
// as is query, the encoding in which a URL in it is written.
func (h *htmlScanner) value(id attrID) ([]byte, bool) {
	if h.tag.seen&id == 0 {
		return nil, false
	}
	var v []byte
	v = h.tag.values[id.index()]
	if !h.nested {
		v, h.query = h.sink.utf8(v)
	}
	v, h.text = decodeAttribute(v, h.text)
	return v, true
}

// link takes an attribute that is a URL. An empty one means the page itself in a and area, and nothing in
// all others.
func (h *htmlScanner) link(id attrID, kind crawler.LinkKind) {
	v, ok := h.value(id)
	if v = ascii.Trim(v); ok && (len(v) > 0 || h.tag.element == elementA || h.tag.element == elementArea) {
		h.sink.found(v, kind, h.query)
	}
}

// foreignLink takes the references of SVG; those into the own document are none.
func (h *htmlScanner) foreignLink(kind crawler.LinkKind) {
	if !h.foreign && !h.xml {
		return
	}
	id := attrHref
	if h.tag.seen&attrHref == 0 {
		id = attrXlinkHref
	} else if kind == crawler.LinkPage {
		return // taken already
	}
	if v, ok := h.value(id); ok && !bytes.HasPrefix(ascii.Trim(v), []byte("#")) {
		h.link(id, kind)
	}
}

func (h *htmlScanner) srcset(id attrID) {
	if v, ok := h.value(id); ok {
		scanSrcset(v, func(ref []byte) { h.sink.found(ref, crawler.LinkRequisite, h.query) })
	}
}

// meta takes the targets of a refresh, a word about the charset, and pictures that stand for the page.
func (h *htmlScanner) meta() {
	if h.nested {
		return
	}
	equiv, _ := h.value(attrHTTPEquiv)
	refresh := strings.EqualFold(string(equiv), "refresh")
	if !refresh && !h.sink.charset.certain {
		t := &h.tag // the values as written: they are ASCII where they matter
		h.sink.declared(t.raw(attrCharset), t.raw(attrHTTPEquiv), t.raw(attrContent))
	}
	content, ok := h.value(attrContent)
	switch {
	case !ok:
	case refresh:
		if ref, ok := refreshTarget(string(content)); ok && ref != "" {
			h.sink.found([]byte(ref), crawler.LinkPage, h.query)
		} else if ok {
			h.sink.found([]byte(h.sink.page.text), crawler.LinkPage, nil)
		}
	case h.sink.lazy && (isPicture(h.tag.raw(attrProperty)) || isPicture(h.tag.raw(attrNamed))):
		h.lazyLink(content, crawler.LinkRequisite)
	}
}
