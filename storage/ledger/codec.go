package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// A value is a byte of format, then fields in any order. A field is a uvarint of its number and wire (the
// lower two bits), then what the wire says. Zero values are left out; a field that is there more than once
// is an element of a list. Readers pass over fields they do not know, so fields are only ever added and
// numbers never used again. A new format is for what this cannot say.
const codecFormat = 1

type wire byte

const (
	wireInt   wire = 0 // uvarint; signed numbers zigzag
	wireBytes wire = 1 // uvarint length, bytes
	wireFixed wire = 2 // 8 bytes, little-endian
)

// Errors of decoding. Every one of them means that the record is damaged or was written by a newer trawl.
var (
	errCut    = errors.New("ends in the middle of a field")
	errWire   = errors.New("has a field of another type")
	errFormat = errors.New("is of a format this trawl does not know")
	errRange  = errors.New("has a number out of range")
	errLength = errors.New("has an id of another length")
)

// encoder appends fields to b.
type encoder struct{ b []byte }

// begin starts a value in the buffer given, which is used from its start.
func (e *encoder) begin(buf []byte) { e.b = append(buf[:0], codecFormat) }

func (e *encoder) tag(n int, w wire) { e.b = binary.AppendUvarint(e.b, uint64(n)<<2|uint64(w)) }

func (e *encoder) uint(n int, v uint64) {
	if v != 0 {
		e.tag(n, wireInt)
		e.b = binary.AppendUvarint(e.b, v)
	}
}

func (e *encoder) int(n int, v int64) { e.uint(n, zigzag(v)) }

func (e *encoder) bool(n int, v bool) {
	if v {
		e.uint(n, 1)
	}
}

func (e *encoder) text(n int, s string) {
	if s != "" {
		e.element(n, s)
	}
}

// element is text that is written when it is empty, too: an element of a list.
func (e *encoder) element(n int, s string) {
	e.tag(n, wireBytes)
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bytes(n int, b []byte) {
	if len(b) > 0 {
		e.tag(n, wireBytes)
		e.b = binary.AppendUvarint(e.b, uint64(len(b)))
		e.b = append(e.b, b...)
	}
}

// id is 16 random bytes, or a digest.
func (e *encoder) id(n int, id []byte) {
	for _, c := range id {
		if c != 0 {
			e.bytes(n, id)
			return
		}
	}
}

func (e *encoder) time(n int, t time.Time) {
	if !t.IsZero() {
		e.fixed(n, uint64(nanos(t)))
	}
}

func (e *encoder) fixed(n int, v uint64) {
	e.tag(n, wireFixed)
	e.b = binary.LittleEndian.AppendUint64(e.b, v)
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// decoder reads fields one after the other. Texts it returns share the memory of s. Errors stick: after one,
// next is false.
type decoder struct {
	s    string
	num  int // of the field that next found
	wire wire
	u    uint64 // of wireInt and wireFixed
	str  string // of wireBytes
	err  error
}

// newDecoder begins a value; it makes the one copy of it that all texts share.
func newDecoder(value []byte) *decoder {
	d := &decoder{s: string(value)}
	if len(value) == 0 {
		d.err = errCut
	} else if value[0] != codecFormat {
		d.err = fmt.Errorf("%w (%d)", errFormat, value[0])
	} else {
		d.s = d.s[1:]
	}
	return d
}

// next finds the next field. It is false at the end and after an error.
func (d *decoder) next() bool {
	if d.err != nil || d.s == "" {
		return false
	}
	tag := d.uvarint()
	d.num, d.wire = int(tag>>2), wire(tag&3)
	switch d.wire {
	case wireInt:
		d.u = d.uvarint()
	case wireBytes:
		n := d.uvarint()
		if n > uint64(len(d.s)) {
			d.fail(errCut)
			return false
		}
		d.str, d.s = d.s[:n], d.s[n:]
	case wireFixed:
		if len(d.s) < 8 {
			d.fail(errCut)
			return false
		}
		d.u = binary.LittleEndian.Uint64([]byte(d.s[:8]))
		d.s = d.s[8:]
	default:
		d.fail(errWire)
	}
	return d.err == nil
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		c := d.s[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.s = d.s[i+1:]
			return v
		}
	}
	d.fail(errCut)
	return 0
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) want(w wire) bool {
	if d.wire != w {
		d.fail(errWire)
	}
	return d.wire == w
}

func (d *decoder) uint() uint64 {
	if !d.want(wireInt) {
		return 0
	}
	return d.u
}

func (d *decoder) int64() int64            { return unzigzag(d.uint()) }
func (d *decoder) int() int                { return int(d.int64()) }
func (d *decoder) duration() time.Duration { return time.Duration(d.int64()) }
func (d *decoder) bool() bool              { return d.uint() != 0 }

// below is a number that indexes a table of size n.
func (d *decoder) below(n int) uint8 {
	v := d.uint()
	if v >= uint64(n) {
		d.fail(errRange)
		return 0
	}
	return uint8(v)
}

func (d *decoder) text() string {
	if !d.want(wireBytes) {
		return ""
	}
	return d.str
}

// bytes is text as bytes of its own; nil when there are none.
func (d *decoder) bytes() []byte {
	if s := d.text(); s != "" {
		return []byte(s)
	}
	return nil
}

func (d *decoder) id(to []byte) {
	if s := d.text(); len(s) == len(to) {
		copy(to, s)
	} else {
		d.fail(errLength)
	}
}

func (d *decoder) time() time.Time {
	if !d.want(wireFixed) {
		return time.Time{}
	}
	if int64(d.u) == math.MinInt64 { // see nanos
		d.fail(errRange)
	}
	return time.Unix(0, int64(d.u)).UTC()
}
