package links

import (
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// linkCharset is the encoding that a document's values are read in.
type linkCharset struct {
	said    *Charset // nil = UTF-8, or not known
	certain bool     // nobody further on has a say
	decoded bool     // the bytes under the scanner are UTF-8, whatever the document is in
}

// Sniff finds the encoding of the document, which begins with head: CharsetLook bytes of it, or all there are.
// label is the one that the server gives, "" for none. It is called before Write. The decoder is one that the
// document must go through first, nil for most: their values are decoded one by one. Without Sniff a
// document is in UTF-8.
func (s *Scanner) Sniff(label string, head []byte) transform.Transformer {
	c, certain := sniffCharset(label, s.format, head)
	s.charset = linkCharset{said: c.foreign(), certain: certain}
	if c.encoding == nil || !c.wide() && s.format != CSS { // a byte of a character may look like an escape of CSS
		return nil
	}
	s.charset.certain, s.charset.decoded = true, true
	return c.encoding.NewDecoder()
}

// declared takes the charset of a meta element. It counts when nobody said anything before.
func (s *Scanner) declared(said, equiv, content []byte) {
	if s.charset.certain {
		return
	}
	if c, ok := charsetOfMeta(said, equiv, content); ok {
		s.charset = linkCharset{said: c.foreign(), certain: true}
		s.html.title.late = true
	}
}

// utf8 is a value of the document in UTF-8, and the encoding that its URL is written in. As long as nobody has
// said what the document is in, it is what the bytes can be.
func (s *Scanner) utf8(v []byte) ([]byte, *Charset) {
	c := &s.charset
	switch {
	case c.decoded, c.certain && c.said == nil, isPlain(v):
		return v, c.said
	case c.said != nil:
		return c.said.decode(v), c.said
	case mayBeUTF8(v):
		return v, nil
	}
	return latin.decode(v), latin
}

func isPlain(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mayBeUTF8 reports whether b is UTF-8, but for a character that is cut at its end.
func mayBeUTF8(b []byte) bool {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				b = b[:i]
			}
			break
		}
	}
	return utf8.Valid(b)
}
