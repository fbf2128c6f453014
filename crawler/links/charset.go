package links

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"trawl/crawler/ascii"
	"trawl/crawler/media"
	"trawl/crawler/weburl"
)

// CharsetLook is how far into a document its own word about its charset is looked for at once, in bytes, as the
// HTML standard has it. A meta element further on counts from where it stands, and for the title.
const CharsetLook = 1024

// Charset is the encoding of a document. The zero value is UTF-8.
type Charset struct {
	name     string // as the Encoding standard has it, "" for UTF-8
	encoding encoding.Encoding
}

const utf8Name = "utf-8"

// charsetOf finds an encoding by one of its labels.
func charsetOf(label string) (c Charset, ok bool) {
	label = strings.Trim(label, ascii.Space)
	if label == "" || strings.EqualFold(label, utf8Name) {
		return Charset{}, label != ""
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return Charset{}, false
	}
	name, _ := htmlindex.Name(e)
	if name == utf8Name {
		return Charset{}, true
	}
	return Charset{name: name, encoding: e}, true
}

// charsetInside is charsetOf for a label that stands in the document itself, and so can be read as ASCII.
func charsetInside(label string) (c Charset, ok bool) {
	c, ok = charsetOf(label)
	switch c.name {
	case "utf-16be", "utf-16le":
		return Charset{}, ok
	case "x-user-defined":
		return charsetOf("windows-1252")
	}
	return c, ok
}

// wide reports whether the bytes of markup are not those of ASCII, so that a document must be decoded before it is
// scanned. In all others "<", quotation marks and white space are what they seem, and each value is decoded by
// itself.
func (c Charset) wide() bool {
	return c.name == "utf-16le" || c.name == "utf-16be" || c.name == "iso-2022-jp" || c.name == "replacement"
}

// foreign is c, or nil when it is UTF-8.
func (c Charset) foreign() *Charset {
	if c.encoding == nil {
		return nil
	}
	return &c
}

// decode is a text in UTF-8.
func (c Charset) decode(b []byte) []byte {
	out, err := c.encoding.NewDecoder().Bytes(b)
	if err != nil { // decoders replace what they cannot read
		return b
	}
	return out
}

// latin is what a document without any word about its charset is in when its bytes are no UTF-8.
var latin = &Charset{"windows-1252", charmap.Windows1252}

// EncodeQuery is a query in the document's encoding, percent-encoded where it must be (URL standard, "percent-encode after
// encoding"). What the encoding lacks is written as a character reference, as forms are sent.
func (c *Charset) EncodeQuery(query string) (b []byte) {
	if ascii.Only(query) {
		return weburl.AppendQuery(b, query)
	}
	switch c.name { // their output encoding is UTF-8
	case "utf-16be", "utf-16le", "replacement":
		return weburl.AppendQuery(b, query)
	}
	encoder := c.encoding.NewEncoder()
	if whole, err := encoder.Bytes([]byte(query)); err == nil {
		return weburl.AppendQuery(b, string(whole))
	}
	for _, r := range query {
		encoder.Reset()
		one, err := encoder.Bytes(utf8.AppendRune(nil, r))
		if err != nil || r == utf8.RuneError {
			b = append(b, "%26%23"...)
			b = append(strconv.AppendInt(b, int64(r), 10), "%3B"...)
			continue
		}
		b = weburl.AppendQuery(b, string(one))
	}
	return b
}

// sniffCharset finds the encoding of a document that begins with head, by byte order mark, the label that the
// server gives, and the document's own word, in this order. certain is false when nobody says it.
func sniffCharset(label string, format Format, head []byte) (c Charset, certain bool) {
	if mark, ok := markOf(head); ok {
		return mark, true
	}
	if c, ok := charsetOf(label); ok {
		return c, true
	}
	head = head[:min(len(head), CharsetLook)]
	if format == CSS {
		if rest, ok := bytes.CutPrefix(head, []byte(`@charset "`)); ok {
			if said, _, closed := bytes.Cut(rest, []byte(`";`)); closed {
				return charsetInside(string(said))
			}
		}
		return Charset{}, false
	}
	if len(head) >= media.WideLook && (head[0] == '<' || head[1] == '<') && media.WideText(head) != nil {
		if head[0] == 0 {
			return charsetOf("utf-16be")
		}
		return charsetOf("utf-16le")
	}
	if bytes.HasPrefix(head, []byte("<?xml")) {
		if c, ok := xmlCharset(head); ok {
			return c, true
		}
	}
	if format == XML {
		return Charset{}, false
	}
	return prescan(head)
}

// markOf reads a byte order mark.
func markOf(head []byte) (c Charset, ok bool) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return c, true
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return charsetOf("utf-16be")
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return charsetOf("utf-16le")
	}
	return c, false
}

// xmlCharset reads the encoding of an XML declaration.
func xmlCharset(head []byte) (c Charset, ok bool) {
	declaration, _, ok := bytes.Cut(head, []byte(">"))
	if !ok {
		return c, false
	}
	_, rest, ok := bytes.Cut(declaration, []byte("encoding"))
	if !ok {
		return c, false
	}
	rest, ok = bytes.CutPrefix(ascii.Trim(rest), []byte("="))
	if rest = ascii.Trim(rest); !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return c, false
	}
	said, _, ok := bytes.Cut(rest[1:], rest[:1])
	if !ok {
		return c, false
	}
	return charsetInside(string(said))
}

// prescan looks for a meta element that names the charset (HTML standard, "prescan a byte stream to determine its
// encoding").
func prescan(head []byte) (c Charset, ok bool) {
	for i := 0; i < len(head); {
		n := bytes.IndexByte(head[i:], '<')
		if n < 0 {
			return c, false
		}
		b := head[i+n:]
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			end := bytes.Index(b[2:], []byte("-->"))
			if end < 0 {
				return c, false
			}
			i += n + 2 + end + 3
			continue
		case matchTag(b, "<", "meta") == tagMatches:
			if c, ok := metaCharset(b[len("<meta"):]); ok {
				return c, true
			}
		}
		i += n + 1
	}
	return c, false
}

// metaCharset reads the attributes of a meta element.
func metaCharset(b []byte) (c Charset, ok bool) {
	var equiv, content, said []byte
	for len(b) > 0 && b[0] != '>' {
		if b[0] == '/' || ascii.IsSpace(b[0]) {
			b = b[1:]
			continue
		}
		a := splitAttr(b)
		if a.part != attrDone {
			return c, false
		}
		switch value := b[a.from:a.to]; strings.ToLower(string(b[:a.name])) {
		case "http-equiv":
			equiv = value
		case "content":
			content = value
		case "charset":
			said = value
		}
		b = b[a.next:]
	}
	return charsetOfMeta(said, equiv, content)
}

// charsetOfMeta is what a meta element says about the charset: in charset, or in content when the element says
// that it stands for Content-Type, or looks like it in all but a misspelt name.
func charsetOfMeta(said, equiv, content []byte) (c Charset, ok bool) {
	if len(said) > 0 {
		if c, ok := charsetInside(string(said)); ok {
			return c, true
		}
	}
	content = ascii.Trim(content)
	if !bytes.EqualFold(ascii.Trim(equiv), []byte("content-type")) && !ascii.HasAnyPrefixFold(string(content), "text/html", "application/xhtml+xml") {
		return c, false
	}
	for {
		i := indexFold(content, "charset")
		if i < 0 {
			return c, false
		}
		content = ascii.Trim(content[i+len("charset"):])
		if len(content) == 0 || content[0] != '=' {
			continue
		}
		content = ascii.Trim(content[1:])
		if len(content) > 0 && (content[0] == '"' || content[0] == '\'') {
			label, _, closed := bytes.Cut(content[1:], content[:1])
			if !closed {
				return c, false
			}
			return charsetInside(string(label))
		}
		if end := bytes.IndexAny(content, "; \t\n\f\r"); end >= 0 {
			content = content[:end]
		}
		return charsetInside(string(content))
	}
}

// indexFold is bytes.Index without regard to the case of ASCII letters.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
