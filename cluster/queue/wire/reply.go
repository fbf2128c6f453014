package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"

	"trawl/crawler/schema"
)

// reply carries an answer or a notice to the asker, or says why there is none.
type reply struct {
	body    []byte
	s2      bool   // body is an S2 block
	failure []byte // nothing was decided; the question may be repeated
}

var replies = schema.Of("Reply",
	schema.Bytes(1, "body", func(r *reply) *[]byte { return &r.body }),
	schema.Bool(2, "s2", func(r *reply) *bool { return &r.s2 }),
	schema.Bytes(3, "error", func(r *reply) *[]byte { return &r.failure }),
)

// CompressAbove is the size from which a reply's body is compressed, in bytes. Below it a reply is small
// anyway; above it robots.txt files make up most of it, and they shrink well.
const CompressAbove = 16 << 10

// maxReplyError is the longest explanation that a reply carries, in bytes.
const maxReplyError = 512

// EncodeReply wraps an encoded answer or notice.
func EncodeReply(body []byte) []byte {
	r := reply{body: body}
	if len(body) > CompressAbove {
		if c := s2.EncodeBetter(nil, body); len(c) < len(body) {
			r.body, r.s2 = c, true
		}
	}
	return replies.Append(nil, &r)
}

// EncodeFailure is the reply of a scheduler that could not decide.
func EncodeFailure(why error) []byte {
	text := why.Error()
	if text == "" {
		text = "no reason given"
	}
	return replies.Append(nil, &reply{failure: []byte(text[:min(len(text), maxReplyError)])})
}

// DecodeReply unwraps a reply. failure is set when there is no answer in it.
func DecodeReply(b []byte) (body []byte, failure string, err error) {
	var m reply
	if err := replies.Read(b, &m); err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	if len(m.failure) > 0 {
		text := string(m.failure[:min(len(m.failure), maxReplyError)])
		if !utf8.ValidString(text) {
			text = fmt.Sprintf("%q", text)
		}
		return nil, text, nil
	}
	if !m.s2 {
		return m.body, "", nil
	}
	n, err := s2.DecodedLen(m.body)
	if err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	if n > MaxReplyBytes {
		return nil, "", fmt.Errorf("reply of %d bytes, at most %d: %w", n, MaxReplyBytes, ErrTooLarge)
	}
	if body, err = s2.Decode(nil, m.body); err != nil {
		return nil, "", fmt.Errorf("decode reply: %w", err)
	}
	return body, "", nil
}
