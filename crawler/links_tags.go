package crawler

import (
	"bytes"
	"strings"
)

// htmlElement is an element that matters to links; the zero value is any other.
type htmlElement uint8

const (
	elementOther htmlElement = iota
	elementA
	elementArea
	elementAudio
	elementBase
	elementEmbed
	elementFeImage
	elementFrame
	elementIframe
	elementImage
	elementImg
	elementInput
	elementLink
	elementMeta
	elementObject
	elementScript
	elementSource
	elementTrack
	elementUse
	elementVideo
	elementTablePart // body, table and what tables are made of: they may have a background
	elementForeign   // svg, math
	elementHTMLInside
	elementBreakout // ends svg and math: HTML standard, "any other start tag, in foreign content"
	elementStyle
	elementTitle
	elementTextarea
	elementXmp
	elementNoembed
	elementNoframes
	elementPlaintext
)

// maxElementName is the length of the longest name that is looked up.
const maxElementName = 16

func htmlElementOf(name []byte) htmlElement {
	var low [maxElementName]byte
	if len(name) > len(low) {
		return elementOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	switch string(low[:len(name)]) {
	case "a":
		return elementA
	case "area":
		return elementArea
	case "audio":
		return elementAudio
	case "base":
		return elementBase
	case "embed":
		return elementEmbed
	case "feimage":
		return elementFeImage
	case "frame":
		return elementFrame
	case "iframe":
		return elementIframe
	case "image":
		return elementImage
	case "img":
		return elementImg
	case "input":
		return elementInput
	case "link":
		return elementLink
	case "meta":
		return elementMeta
	case "object":
		return elementObject
	case "script":
		return elementScript
	case "source":
		return elementSource
	case "track":
		return elementTrack
	case "use":
		return elementUse
	case "video":
		return elementVideo
	case "body", "table", "tbody", "td", "tfoot", "th", "thead", "tr":
		return elementTablePart
	case "svg", "math":
		return elementForeign
	case "foreignobject", "desc", "annotation-xml":
		return elementHTMLInside
	case "b", "big", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
		"h5", "h6", "head", "hr", "i", "li", "menu", "nobr", "ol", "p", "pre", "ruby", "s", "small", "span",
		"strong", "strike", "sub", "sup", "tt", "u", "ul", "var":
		return elementBreakout
	case "style":
		return elementStyle
	case "title":
		return elementTitle
	case "textarea":
		return elementTextarea
	case "xmp":
		return elementXmp
	case "noembed":
		return elementNoembed
	case "noframes":
		return elementNoframes
	case "plaintext":
		return elementPlaintext
	}
	return elementOther
}

// isRaw reports whether what follows the start tag is text up to the end tag, whatever it looks like.
func (e htmlElement) isRaw() bool {
	return e == elementScript || e >= elementStyle || e == elementIframe
}

// name is the name of an element with raw text.
func (e htmlElement) name() string {
	switch e {
	case elementIframe:
		return "iframe"
	case elementStyle:
		return "style"
	case elementTitle:
		return "title"
	case elementTextarea:
		return "textarea"
	case elementXmp:
		return "xmp"
	case elementNoembed:
		return "noembed"
	}
	return "noframes"
}

// attrID is a set of attributes.
type attrID uint16

const (
	attrHref attrID = 1 << iota
	attrSrc
	attrSrcset
	attrRel
	attrContent
	attrHTTPEquiv
	attrStyle
	attrData
	attrPoster
	attrBackground
	attrType
	attrXlinkHref
	attrImagesrcset
	attrCount = iota

	attrURLs = attrHref | attrSrc | attrData | attrPoster | attrBackground | attrXlinkHref // one URL each
)

func attrOf(name []byte) attrID {
	is := func(s string, id attrID) attrID {
		for i := range len(s) {
			if name[i] != s[i] && (name[i]|0x20 != s[i] || !isLetter(name[i])) {
				return 0
			}
		}
		return id
	}
	switch len(name) {
	case 3:
		return is("src", attrSrc) | is("rel", attrRel)
	case 4:
		return is("href", attrHref) | is("data", attrData) | is("type", attrType)
	case 5:
		return is("style", attrStyle)
	case 6:
		return is("srcset", attrSrcset) | is("poster", attrPoster)
	case 7:
		return is("content", attrContent)
	case 10:
		return is("http-equiv", attrHTTPEquiv) | is("background", attrBackground) | is("xlink:href", attrXlinkHref)
	case 11:
		return is("imagesrcset", attrImagesrcset)
	}
	return 0
}

// attrs are the attributes of an element that matter.
func (e htmlElement) attrs() attrID {
	switch e {
	case elementA:
		return attrStyle | attrHref | attrXlinkHref
	case elementArea, elementBase:
		return attrStyle | attrHref
	case elementImg, elementSource:
		return attrStyle | attrSrc | attrSrcset
	case elementAudio, elementEmbed, elementFrame, elementIframe, elementTrack:
		return attrStyle | attrSrc
	case elementImage, elementScript:
		return attrStyle | attrSrc | attrHref | attrXlinkHref
	case elementUse, elementFeImage:
		return attrStyle | attrHref | attrXlinkHref
	case elementInput:
		return attrStyle | attrSrc | attrType
	case elementLink:
		return attrStyle | attrHref | attrRel | attrImagesrcset
	case elementMeta:
		return attrStyle | attrHTTPEquiv | attrContent
	case elementObject:
		return attrStyle | attrData
	case elementVideo:
		return attrStyle | attrSrc | attrPoster
	case elementTablePart:
		return attrStyle | attrBackground
	}
	return attrStyle
}

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
	*t = openTag{end: end, values: t.values}
}

func (t *openTag) set(id attrID, value []byte) {
	if (t.seen|t.lost)&id == 0 {
		t.seen |= id
		t.values[id.index()] = value
	}
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
	if t.end {
		switch t.element {
		case elementForeign:
			h.foreign, h.inside = false, false
		case elementHTMLInside:
			h.foreign, h.inside = h.foreign || h.inside, false
		}
		return
	}
	switch t.element {
	case elementForeign:
		h.foreign = !t.closed
	case elementHTMLInside:
		h.foreign, h.inside = false, h.foreign && !t.closed
	case elementBreakout, elementImg, elementMeta, elementEmbed, elementTablePart:
		h.foreign = false
	}
	if t.seen != 0 {
		h.tagLinks()
		t.seen = 0
	}
	h.beginRaw()
}

func (h *htmlScanner) tagLinks() {
	switch h.tag.element {
	case elementA:
		h.link(attrHref, LinkPage)
		h.foreignLink(LinkPage)
	case elementArea:
		h.link(attrHref, LinkPage)
	case elementFrame, elementIframe:
		h.link(attrSrc, LinkPage)
	case elementAudio, elementEmbed, elementTrack, elementScript, elementImg, elementSource, elementImage,
		elementUse, elementFeImage:
		h.link(attrSrc, LinkRequisite)
		h.srcset(attrSrcset)
		h.foreignLink(LinkRequisite)
	case elementInput:
		if typ, _ := h.value(attrType); strings.EqualFold(string(typ), "image") {
			h.link(attrSrc, LinkRequisite)
		}
	case elementObject:
		h.link(attrData, LinkRequisite)
	case elementVideo:
		h.link(attrSrc, LinkRequisite)
		h.link(attrPoster, LinkRequisite)
	case elementTablePart:
		h.link(attrBackground, LinkRequisite)
	case elementLink:
		rel, _ := h.value(attrRel)
		if kind, ok := relKind(string(rel)); ok {
			h.link(attrHref, kind)
			h.srcset(attrImagesrcset)
		}
	case elementMeta:
		h.meta()
	case elementBase:
		if href, ok := h.value(attrHref); ok {
			h.sink.setBase(string(href))
		}
	}
	if style, ok := h.value(attrStyle); ok && bytes.IndexByte(style, '(') >= 0 {
		h.sink.css.scan(style, true)
	}
}

// value is an attribute's value with its character references decoded. It is good until the next call.
func (h *htmlScanner) value(id attrID) ([]byte, bool) {
	if h.tag.seen&id == 0 {
		return nil, false
	}
	var v []byte
	v, h.text = decodeAttribute(h.tag.values[id.index()], h.text)
	return v, true
}

// link takes an attribute that is a URL. An empty one means the page itself in a and area, and nothing in
// all others.
func (h *htmlScanner) link(id attrID, kind LinkKind) {
	v, ok := h.value(id)
	if v = trimHTML(v); ok && (len(v) > 0 || h.tag.element == elementA || h.tag.element == elementArea) {
		h.sink.found(v, kind)
	}
}

// foreignLink takes the references of SVG; those into the own document are none.
func (h *htmlScanner) foreignLink(kind LinkKind) {
	if !h.foreign && !h.xml {
		return
	}
	id := attrHref
	if h.tag.seen&attrHref == 0 {
		id = attrXlinkHref
	} else if kind == LinkPage {
		return // taken already
	}
	if v, ok := h.value(id); ok && !bytes.HasPrefix(trimHTML(v), []byte("#")) {
		h.link(id, kind)
	}
}

func (h *htmlScanner) srcset(id attrID) {
	if v, ok := h.value(id); ok {
		scanSrcset(v, func(ref []byte) { h.sink.found(ref, LinkRequisite) })
	}
}

func (h *htmlScanner) meta() {
	if v, _ := h.value(attrHTTPEquiv); !strings.EqualFold(string(v), "refresh") {
		return
	}
	content, ok := h.value(attrContent)
	if !ok {
		return
	}
	if ref, ok := refreshTarget(string(content)); ok && ref != "" {
		h.sink.found([]byte(ref), LinkPage)
	} else if ok {
		h.sink.found([]byte(h.sink.page.text), LinkPage)
	}
}
