package decode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"trawl/crawler"
	"trawl/internal/coding"
)

const (
	// AcceptEncoding is what every request asks for.
	AcceptEncoding = "gzip, deflate, br, zstd"
	// zstdWindow is the largest window a zstd body may ask for, in bytes (RFC 9659 section 3).
	zstdWindow = 8 * crawler.MiB
)

// Errors of bounds that were hit.
var (
	ErrRatio      = errors.New("the body decodes to too much")
	ErrStageLimit = errors.New("one of the codings of the body gives more than the limit")
)

// errDecoder: a decoder broke on what a server sent.
var errDecoder = errors.New("the decoder gave up")

// Decoders lends decoders, which are costly to make. Safe for concurrent use; the zero value is ready.
type Decoders struct {
	inputs, gzip, flate, zlib, brotli, zstd sync.Pool
}

// Decoding undoes the codings of one body. Its first error stays. Owned by one goroutine.
type Decoding struct {
	io.Reader
	stages []decodingStage
}

// Bounds holds for each coding of a body: what comes out of one may go into the next and vanish there, so it is
// not enough to look at what comes out of the last.
type Bounds struct {
	Ctx   context.Context // of the exchange; ends with its limits of time
	Wire  *int64          // bytes that were read for the first coding
	Most  int64           // bytes out of a stage, 0 = no limit
	Ratio int64           // bytes out of a stage for each on the wire, beyond after; 0 = no limit
	After int64
	Hit   error // the bound that ended it. Decoders may hand errors on as other ones
}

// check is called before a stage is read, out of which so many bytes came.
func (b *Bounds) check(out int64) error {
	switch {
	case b == nil || b.Hit != nil:
	case b.Ctx.Err() != nil:
		b.Hit = b.Ctx.Err()
	case b.Ratio > 0 && out > b.After && out > b.Ratio*(*b.Wire):
		b.Hit = ErrRatio
	case b.Most > 0 && out > b.Most:
		b.Hit = ErrStageLimit
	}
	if b == nil {
		return nil
	}
	return b.Hit
}

// Open reads wire through the codings, the last applied first. bounds may be nil.
func (d *Decoders) Open(codings []string, wire io.Reader, bounds *Bounds) *Decoding {
	dec := &Decoding{Reader: wire}
	if len(codings) > 0 {
		dec.stages = make([]decodingStage, len(codings))
	}
	for i := range dec.stages {
		s := &dec.stages[i]
		*s = decodingStage{from: d, coding: codings[len(codings)-1-i], in: d.input(dec.Reader), bounds: bounds}
		dec.Reader = s
	}
	return dec
}

// Close gives the decoders back.
func (d *Decoding) Close() {
	for i := range d.stages {
		d.stages[i].close()
	}
}

func (d *Decoders) input(r io.Reader) *bufio.Reader {
	if b, ok := d.inputs.Get().(*bufio.Reader); ok {
		b.Reset(r)
		return b
	}
	return bufio.NewReaderSize(r, 16*crawler.KiB)
}

// Remarks lists what was odd about the codings, in the order in which they are undone.
func (d *Decoding) Remarks() (list []string) {
	for i := range d.stages {
		s := &d.stages[i]
		if s.remark != "" {
			list = append(list, s.remark)
		}
		if g, ok := s.r.(*coding.Gunzip); ok && g.Note() != "" {
			list = append(list, g.Note())
		}
	}
	return list
}

// decodingStage undoes one coding. It starts with the first byte: a body without any is empty and not
// broken. Bytes that are plainly not in the coding pass through it.
type decodingStage struct {
	from   *Decoders
	coding string
	bounds *Bounds // nil = none
	out    int64   // bytes that came out
	in     *bufio.Reader
	r      io.Reader
	pool   *sync.Pool // that r goes back to, nil = none
	remark string
	err    error
}

func (s *decodingStage) Read(p []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	if err := s.bounds.check(s.out); err != nil {
		s.err = err
		return 0, err
	}
	defer func() {
		if broken := recover(); broken != nil { // decoders are other people's code, fed by anybody
			n, err = 0, fmt.Errorf("%w: %v", errDecoder, broken)
			s.pool = nil
		}
		s.err, s.out = err, s.out+int64(n)
	}()
	if s.r == nil {
		head, err := s.look()
		if len(head) == 0 {
			return 0, err
		}
		if !coding.Holds(s.coding, head, err == io.EOF) {
			s.r, s.remark = s.in, "labelled "+s.coding+", which the bytes are not: read as they came"
			return s.r.Read(p)
		}
		if err := s.start(); err != nil {
			return 0, unexpected(err)
		}
	}
	return s.r.Read(p)
}

// look returns the first bytes, enough to see whether they are in the coding. With fewer there is the reason why.
func (s *decodingStage) look() ([]byte, error) {
	const mark = 4 // length of the marks of codings that have one
	if s.coding == "gzip" || s.coding == "zstd" {
		return s.in.Peek(mark)
	}
	return s.in.Peek(coding.CodingLook)
}

// unexpected: an end inside of a header is not an end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *decodingStage) start() error {
	switch s.coding {
	case "gzip":
		return s.startGzip()
	case "deflate":
		return s.startDeflate()
	case "br":
		r, ok := s.from.brotli.Get().(*brotli.Reader)
		if !ok {
			r = new(brotli.Reader)
		}
		s.r, s.pool = r, &s.from.brotli
		return r.Reset(s.in)
	}
	return s.startZstd()
}

func (s *decodingStage) startGzip() error {
	g, ok := s.from.gzip.Get().(*coding.Gunzip)
	if !ok {
		g = new(coding.Gunzip)
	}
	g.Reset(s.in)
	s.r, s.pool = g, &s.from.gzip
	return nil
}

// startDeflate takes zlib, which is what the word means (RFC 9110 section 8.4.1.2), and raw deflate, which
// some servers send.
func (s *decodingStage) startDeflate() error {
	head, _ := s.in.Peek(2)
	if coding.IsZlib(head) {
		if r, ok := s.from.zlib.Get().(io.ReadCloser); ok {
			s.r, s.pool = r, &s.from.zlib
			return r.(zlib.Resetter).Reset(s.in, nil)
		}
		r, err := zlib.NewReader(s.in)
		if err != nil {
			return err
		}
		s.r, s.pool = r, &s.from.zlib
		return nil
	}
	r, ok := s.from.flate.Get().(io.ReadCloser)
	if !ok {
		r = flate.NewReader(s.in)
	}
	s.r, s.pool = r, &s.from.flate
	return r.(flate.Resetter).Reset(s.in, nil)
}

func (s *decodingStage) startZstd() error {
	r, ok := s.from.zstd.Get().(*zstd.Decoder)
	if !ok {
		var err error
		r, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return err
		}
	}
	s.r, s.pool = r, &s.from.zstd
	return r.Reset(s.in)
}

func (s *decodingStage) close() {
	if s.pool != nil {
		if z, ok := s.r.(*zstd.Decoder); !ok || z.Reset(nil) == nil {
			s.pool.Put(s.r)
		}
		s.pool = nil
	}
	s.in.Reset(nil)
	s.from.inputs.Put(s.in)
	s.r, s.err = nil, io.ErrClosedPipe
}
