package links

import (
	"bytes"
	"slices"
	"strings"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

// Lazy makes the scanner take, besides what the HTML standard knows, what scripts load late: the usual data-*
// attributes (data-src, data-srcset, data-original, data-lazy-src, data-lazy-srcset, data-bg) on any element, and
// the pictures that meta elements name for those who link to the page. It stays so over Reset.
func (s *Scanner) Lazy(on bool) { s.lazy = on }

// lazyLinks takes the attributes that scripts read. What is in them is anybody's: a value that is no reference,
// such as a number, JSON or a class, is none.
func (h *htmlScanner) lazyLinks(kind crawler.LinkKind) {
	if !h.sink.lazy {
		return
	}
	left := h.tag.seen & attrLazy
	h.tag.seen &^= left
	for id := attrID(1); left != 0; id <<= 1 {
		if left&id == 0 {
			continue
		}
		left &^= id
		h.tag.seen |= id
		v, _ := h.value(id)
		h.tag.seen &^= id
		switch {
		case id&attrLazySets != 0:
			scanSrcset(v, func(ref []byte) { h.lazyLink(ref, crawler.LinkRequisite) })
		case id == attrDataBg && bytes.IndexByte(v, '(') >= 0:
			h.style(v)
		default:
			h.lazyLink(v, kind)
		}
	}
}

func (h *htmlScanner) lazyLink(v []byte, kind crawler.LinkKind) {
	if v = ascii.Trim(v); isReference(v) {
		h.sink.found(v, kind, h.query)
	}
}

// fileEndings are those of names that count as references although nothing else says so.
var fileEndings = []string{
	"apng", "avif", "bmp", "css", "gif", "heic", "htm", "html", "ico", "jfif", "jpeg", "jpg", "js", "jxl", "m4a", "m4v", "mov",
	"mp3", "mp4", "oga", "ogg", "ogv", "pdf", "php", "png", "svg", "tif", "tiff", "wav", "webm", "webp",
}

// isReference reports whether a text of an attribute that may hold anything is meant as a URL.
func isReference(v []byte) bool {
	if len(v) == 0 || bytes.ContainsAny(v, " \t\n\f\r{}[]<>\"'`|\\^") {
		return false
	}
	s := string(v)
	switch {
	case ascii.HasAnyPrefixFold(s, "http://", "https://"):
		return true
	case otherScheme(s):
		return false
	case s[0] == '?':
		return len(s) > 1
	case s[0] == '/':
		return s != "/" && s != "//"
	case strings.HasPrefix(s, "./"), strings.HasPrefix(s, "../"):
		return true
	}
	path, query, asks := strings.Cut(s, "?")
	path, _, _ = strings.Cut(path, "#")
	name := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot > 0 && slices.Contains(fileEndings, strings.ToLower(name[dot+1:])) {
		return true
	}
	return asks && query != "" && strings.IndexByte(path, '/') > 0
}

// isPicture reports whether a meta element's name is one for pictures of the page.
func isPicture(name []byte) bool {
	switch strings.ToLower(string(name)) {
	case "og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src":
		return true
	}
	return false
}

// sends reports whether a form's method sends data, as one that is not followed.
func (h *htmlScanner) sends(id attrID) bool {
	v, _ := h.value(id)
	return bytes.EqualFold(ascii.Trim(v), []byte("post"))
}

// formaction takes where a button leads to, unless it would send data.
func (h *htmlScanner) formaction() {
	if h.tag.seen&attrFormaction == 0 {
		return
	}
	sends := h.posts
	if h.tag.seen&attrFormmethod != 0 {
		sends = h.sends(attrFormmethod)
	}
	if !sends {
		h.link(attrFormaction, crawler.LinkPage)
	}
}

// srcdoc scans the document that an iframe brings along. Its base is that of the page.
func (h *htmlScanner) srcdoc() {
	if h.nested || h.sink.format == CSS {
		return
	}
	if v, ok := h.value(attrSrcdoc); ok {
		inner := htmlScanner{sink: h.sink, nested: true, query: h.query}
		css := &h.sink.css
		css.given, css.query = true, h.query
		inner.scan(v, true)
		css.given = false
	}
}
