package media

import (
	"bytes"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// WideLook is how many bytes without a mark must look like UTF-16 to be taken for it: "http", a line "User".
const WideLook = 8

// WideText is the encoding of a text that begins with head and is in UTF-16, by its mark or, without one, because
// every second byte is zero, as editors of one system save plain words; nil when it is not. The mark is not
// part of what is decoded.
func WideText(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case len(head) < WideLook:
		return nil
	}
	var zeros [2]int
	for i, c := range head[:WideLook] {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch zeros {
	case [2]int{0, WideLook / 2}:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case [2]int{WideLook / 2, 0}:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}
