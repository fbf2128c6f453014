package warc

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Type is the value of WARC-Type.
type Type string

const (
	TypeInfo     Type = "warcinfo"
	TypeRequest  Type = "request"
	TypeResponse Type = "response"
)

// Content types of blocks.
const (
	ContentRequest  = "application/http;msgtype=request"
	ContentResponse = "application/http;msgtype=response"
	ContentFields   = "application/warc-fields"
)

// Reasons of WARC-Truncated (ISO 28500, 5.13).
const (
	TruncatedLength      = "length"
	TruncatedTime        = "time"
	TruncatedDisconnect  = "disconnect"
	TruncatedUnspecified = "unspecified"
)

const (
	version    = "WARC/1.1"
	dateLayout = "2006-01-02T15:04:05.000Z"
)

// Field is a named field of a record's header or of a warcinfo block.
type Field struct{ Name, Value string }

// ID is the id of a record, a UUID. The zero value is none.
type ID [16]byte

// Digest is a SHA-256. The zero value is none.
type Digest [32]byte

// Record is a record to be written. Empty fields are left out; ID, Type and Date must be set. The block is
// Head followed by Body, or by BodySize bytes from BodyReader when that is not nil.
type Record struct {
	Type          Type
	ID            ID // from [NewID]
	Date          time.Time
	TargetURI     string
	ConcurrentTo  ID     // of the other record of the same exchange
	IP            string // of the server; left out when it is not an address
	Protocol      string // WARC-Protocol, an extension of 1.1 by the IIPC: "http/1.1", "h2"
	Truncated     string // one of the Truncated words; another word is written as "unspecified"
	PayloadDigest Digest
	BlockDigest   Digest
	Filename      string // of warcinfo: name of the file it stands in
	ContentType   string
	Stored        bool // its gzip member holds the bytes as they are, in blocks that are not compressed

	Head       []byte
	Body       []byte
	BodyReader io.Reader
	BodySize   int64
}

// NewID returns a fresh record id, a random UUID.
func NewID() (id ID) {
	rand.Read(id[:]) // never fails (crypto/rand)
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Info returns the warcinfo record for the head of a file.
func Info(date time.Time, filename string, fields []Field) *Record {
	var b []byte
	for _, f := range fields {
		b = appendField(b, f.Name, f.Value)
	}
	return &Record{Type: TypeInfo, ID: NewID(), Date: date, Filename: filename, ContentType: ContentFields, Body: b}
}

// Size is the length of the block.
func (r *Record) Size() int64 {
	if r.BodyReader != nil {
		return int64(len(r.Head)) + r.BodySize
	}
	return int64(len(r.Head) + len(r.Body))
}

// appendHeader appends the record's header with its empty line.
func (r *Record) appendHeader(b []byte) ([]byte, error) {
	if r.Type == "" || r.ID == (ID{}) || r.Date.IsZero() || r.BodySize < 0 {
		return b, fmt.Errorf("%s record without type, id, date or size", r.Type)
	}
	b = append(b, version+"\r\n"...)
	b = appendField(b, "WARC-Type", string(r.Type))
	b = appendID(b, "WARC-Record-ID", r.ID)
	b = append(b, "WARC-Date: "...)
	b = append(r.Date.UTC().AppendFormat(b, dateLayout), "\r\n"...)
	b = appendField(b, "WARC-Filename", r.Filename)
	b = appendField(b, "WARC-Target-URI", cleanURI(r.TargetURI))
	b = appendID(b, "WARC-Concurrent-To", r.ConcurrentTo)
	if a, err := netip.ParseAddr(r.IP); err == nil {
		b = append(b, "WARC-IP-Address: "...)
		b = append(a.WithZone("").Unmap().AppendTo(b), "\r\n"...)
	}
	b = appendField(b, "WARC-Protocol", r.Protocol)
	b = appendField(b, "WARC-Truncated", truncatedWord(r.Truncated))
	b = appendDigest(b, "WARC-Payload-Digest", &r.PayloadDigest)
	b = appendDigest(b, "WARC-Block-Digest", &r.BlockDigest)
	b = appendField(b, "Content-Type", r.ContentType)
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, r.Size(), 10)
	return append(b, "\r\n\r\n"...), nil
}

// appendID appends a line with the id as a URN in angle brackets, nothing for none.
func appendID(b []byte, name string, id ID) []byte {
	if id == (ID{}) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": <urn:uuid:"...)
	b = hex.AppendEncode(b, id[:4])
	for _, group := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), group)
	}
	return append(b, ">\r\n"...)
}

// appendDigest appends a line with the digest, nothing for none.
func appendDigest(b []byte, name string, d *Digest) []byte {
	if *d == (Digest{}) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": sha256:"...)
	return append(hex.AppendEncode(b, d[:]), "\r\n"...)
}

// appendField appends a line, nothing for an empty value. No byte of the value can end the line: control
// characters become spaces. A name that is not a token is left out with its value.
func appendField(b []byte, name, value string) []byte {
	if value == "" || !isToken(name) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	for i := range len(value) {
		c := value[i]
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return append(b, "\r\n"...)
}

// isToken reports whether s is a token of RFC 2616, which names of fields are.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// cleanURI percent-encodes what may not stand in a URI and would end it or its line.
func cleanURI(s string) string {
	bad := func(c byte) bool { return c <= ' ' || c == 0x7f || c == '<' || c == '>' }
	i := 0
	for i < len(s) && !bad(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+8), s[:i]...)
	for ; i < len(s); i++ {
		if bad(s[i]) {
			b = fmt.Appendf(b, "%%%02X", s[i])
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func truncatedWord(s string) string {
	switch s {
	case "", TruncatedLength, TruncatedTime, TruncatedDisconnect:
		return s
	}
	return TruncatedUnspecified
}
