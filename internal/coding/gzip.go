package coding

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// maxGzipHead is the longest header of a gzip member that is read, in bytes: its name and comment have no limit
// of their own.
const maxGzipHead = 128 << 10

// ErrGzip: bytes that are no gzip member.
var ErrGzip = errors.New("gzip: invalid header")

// Gunzip reads one gzip member after the other (RFC 1952 section 2.2). What follows the last one and is no member
// is passed over, and a trailer that is missing or wrong is noted but no error, as in browsers: the text is
// there, and servers pad and cut. The zero value is ready for Reset, and may be used again after another.
type Gunzip struct {
	in    *bufio.Reader
	text  io.ReadCloser // of the member, also a flate.Resetter
	sum   uint32
	size  uint32
	begun bool // the header of the first member was read
	note  string
	ended error // why nothing more is read
}

// Reset makes g read from in.
func (g *Gunzip) Reset(in *bufio.Reader) {
	g.in, g.begun, g.note, g.ended = in, false, "", nil
}

// Note reports what was wrong with a trailer, "" when nothing was.
func (g *Gunzip) Note() string { return g.note }

func (g *Gunzip) Read(p []byte) (n int, err error) {
	if g.ended == nil {
		n, g.ended = g.read(p)
	}
	return n, g.ended
}

func (g *Gunzip) read(p []byte) (int, error) {
	if !g.begun {
		if err := g.next(); err != nil {
			return 0, err
		}
		g.begun = true
	}
	for {
		n, err := g.text.Read(p)
		g.sum = crc32.Update(g.sum, crc32.IEEETable, p[:n])
		g.size += uint32(n)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil // the end comes again
		}
		if more, err := g.trailer(); err != nil || !more {
			return 0, err
		}
	}
}

// trailer reads what follows a member's text and the head of the next member. Its error is io.EOF when there is
// no other.
func (g *Gunzip) trailer() (more bool, err error) {
	var b [8]byte
	n, err := io.ReadFull(g.in, b[:])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		g.note = "the gzip trailer is missing"
		if n > 0 {
			g.note = "the gzip trailer is cut"
		}
		return false, io.EOF
	case err != nil:
		return false, err
	case binary.LittleEndian.Uint32(b[:4]) != g.sum || binary.LittleEndian.Uint32(b[4:]) != g.size:
		g.note = "the gzip checksum is wrong"
	}
	if magic, _ := g.in.Peek(2); string(magic) != "\x1f\x8b" {
		return false, io.EOF
	}
	return true, g.next()
}

// next reads the header of a member. A header that is cut is io.ErrUnexpectedEOF.
func (g *Gunzip) next() error {
	h := gzipHead{in: g.in, left: maxGzipHead}
	if magic := h.bytes(3); h.err == nil && string(magic) != "\x1f\x8b\x08" {
		return ErrGzip
	}
	flags := h.bytes(7)
	if h.err != nil {
		return h.err
	}
	const hasCRC, hasExtra, hasName, hasComment = 2, 4, 8, 16
	f := flags[0]
	if f&hasExtra != 0 {
		if size := h.bytes(2); h.err == nil {
			h.skip(int(binary.LittleEndian.Uint16(size)))
		}
	}
	if f&hasName != 0 {
		h.text()
	}
	if f&hasComment != 0 {
		h.text()
	}
	if f&hasCRC != 0 {
		h.skip(2)
	}
	if h.err != nil {
		return h.err
	}
	g.sum, g.size = 0, 0
	if g.text == nil {
		g.text = flate.NewReader(g.in)
		return nil
	}
	return g.text.(flate.Resetter).Reset(g.in, nil)
}

// gzipHead reads the parts of a member's header. Its first error stays.
type gzipHead struct {
	in   *bufio.Reader
	left int
	buf  [8]byte
	err  error
}

func (h *gzipHead) byte() byte {
	if h.left--; h.left < 0 && h.err == nil {
		h.err = ErrGzip
	}
	if h.err != nil {
		return 0
	}
	c, err := h.in.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	h.err = err
	return c
}

// bytes reads n bytes, 8 at most, good until the next call.
func (h *gzipHead) bytes(n int) []byte {
	for i := range n {
		h.buf[i] = h.byte()
	}
	return h.buf[:n]
}

func (h *gzipHead) skip(n int) {
	for ; n > 0 && h.err == nil; n-- {
		h.byte()
	}
}

// text passes over a text that ends with a zero byte.
func (h *gzipHead) text() {
	for h.err == nil && h.byte() != 0 {
	}
}
