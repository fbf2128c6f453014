package coding

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

const (
	// MaxCodings is the most codings on one body that are undone.
	MaxCodings = 3
	// CodingLook is how many bytes at the beginning of a body decide whether it is coded as its label says.
	CodingLook = 1024
)

// ContentCodings reads the values of Content-Encoding (RFC 9110 section 8.4), in the order applied. unknown are
// the words that are no coding which can be undone: most of them say nothing about the bytes ("none", "utf-8"),
// so the others are undone all the same. When there are too many to undo, all of them are unknown.
func All(values []string) (codings, unknown []string) {
	for _, line := range values {
		for token := range strings.SplitSeq(line, ",") {
			switch c := strings.ToLower(strings.TrimSpace(token)); c {
			case "", "identity":
			case "gzip", "x-gzip":
				codings = append(codings, "gzip")
			case "deflate", "br", "zstd":
				codings = append(codings, c)
			default:
				unknown = append(unknown, c)
			}
		}
	}
	if len(codings) > MaxCodings {
		return nil, append(unknown, codings...)
	}
	return codings, unknown
}

// CodingHolds reports whether bytes that begin with head, CodingLook of them or all there are, may be in the
// coding that a label says. Servers label what they did not code, and browsers show it all the same. whole says
// that head is all of the body. A coded body that is broken further on holds.
func Holds(coding string, head []byte, whole bool) bool {
	if len(head) == 0 {
		return true
	}
	switch coding {
	case "gzip":
		return mayBegin(head, "\x1f\x8b")
	case "zstd":
		return mayBegin(head, "\x28\xb5\x2f\xfd") || head[0]&0xf0 == 0x50 && mayBegin(head[1:], "\x2a\x4d\x18")
	}
	// These two have no mark. Coded bytes do not look like text for long, nor like an image.
	if !LooksLikeText(head) && http.DetectContentType(head) == "application/octet-stream" {
		return true
	}
	return triesWell(coding, head, whole)
}

// mayBegin reports whether b begins with the mark, or is the beginning of it.
func mayBegin(b []byte, mark string) bool {
	n := min(len(b), len(mark))
	return string(b[:n]) == mark[:n]
}

// triesWell decodes head. Bytes that are of another kind are an error at once, or give nothing.
func triesWell(coding string, head []byte, whole bool) (ok bool) {
	defer func() {
		if recover() != nil { // decoders are other people's code, fed by anybody
			ok = false
		}
	}()
	in := bytes.NewReader(head)
	var r io.Reader
	switch {
	case coding == "br":
		r = brotli.NewReader(in)
	case IsZlib(head):
		z, err := zlib.NewReader(in)
		if err != nil {
			return false
		}
		r = z
	default:
		r = flate.NewReader(in)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, 4*CodingLook))
	if err == io.ErrUnexpectedEOF {
		// One that is cut within its first tables gives nothing; but no text begins like that.
		return !whole && n > 0 || IsZlib(head) && !utf8.Valid(head)
	}
	return err == nil && (n > 0 || in.Len() == 0)
}

// IsZlib reports whether a deflate body has the frame of zlib, which the word means (RFC 9110 section 8.4.1.2);
// some servers leave it away.
func IsZlib(head []byte) bool {
	return len(head) > 1 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0
}

// LooksLikeText reports whether bytes may be text: they have none that the MIME Sniffing standard calls a binary
// data byte, or begin with the mark of UTF-16.
func LooksLikeText(b []byte) bool {
	if bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe")) {
		return true
	}
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\f' && c != '\r' && c != 0x1b {
			return false
		}
	}
	return true
}
