package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/proto"
)

// CompressAbove is the size from which a reply's body is compressed, in bytes. Below it a reply is small
// anyway; above it robots.txt files make up most of it, and they shrink well.
const CompressAbove = 16 << 10

// maxReplyError is the longest explanation that a reply carries, in bytes.
const maxReplyError = 512

// EncodeReply wraps an encoded answer or notice.
func EncodeReply(body []byte) []byte {
	m := &Reply{Body: body}
	if len(body) > CompressAbove {
		if c := s2.EncodeBetter(nil, body); len(c) < len(body) {
			m.Body, m.S2 = c, true
		}
	}
	b, _ := proto.Marshal(m) // of two plain fields: it cannot fail
	return b
}

// EncodeFailure is the reply of a scheduler that could not decide.
func EncodeFailure(why error) []byte {
	text := why.Error()
	if text == "" {
		text = "no reason given"
	}
	b, _ := proto.Marshal(&Reply{Error: []byte(text[:min(len(text), maxReplyError)])})
	return b
}

// DecodeReply unwraps a reply. failure is set when there is no answer in it.
func DecodeReply(b []byte) (body []byte, failure string, err error) {
	var m Reply
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	if len(m.Error) > 0 {
		text := string(m.Error[:min(len(m.Error), maxReplyError)])
		if !utf8.ValidString(text) {
			text = fmt.Sprintf("%q", text)
		}
		return nil, text, nil
	}
	if !m.S2 {
		return m.Body, "", nil
	}
	n, err := s2.DecodedLen(m.Body)
	if err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	if n > MaxReplyBytes {
		return nil, "", fmt.Errorf("reply of %d bytes, at most %d: %w", n, MaxReplyBytes, ErrTooLarge)
	}
	if body, err = s2.Decode(nil, m.Body); err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	return body, "", nil
}
