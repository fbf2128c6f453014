package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"trawl/internal/coding"
)

const (
	// decodeRatio is the most decoded bytes for each encoded one, beyond decodeFree decoded bytes. It is what
	// deflate can reach at most: the fetcher applied its own, much lower limit before anything was stored.
	decodeRatio = 1100
	decodeFree  = 16 << 20
	// zstdMemory is the most a zstd decoder may use, in bytes.
	zstdMemory = 128 << 20
)

var errDecodeRatio = errors.New("decoded body is out of all proportion to the stored one")

// decoder of a body; Close frees what its codings hold.
type bodyDecoder struct {
	io.Reader
	closers []func()
}

func (d *bodyDecoder) Close() {
	for _, c := range d.closers {
		c()
	}
}

// codings lists the content codings of a Content-Encoding value that can be undone, in the order in which they
// were applied, as the fetcher reads them.
func codings(value string) []string {
	list, _ := coding.All([]string{value})
	return list
}

// decodeBody undoes the codings that the bytes are in, as the fetcher does. A deflate body may be with the zlib wrapping that the standard asks for
// or without, as browsers take both. ended is asked again and again, and ends decoding with its error; nil = never.
func decodeBody(body io.Reader, list []string, ended func() error) (*bodyDecoder, error) {
	d := &bodyDecoder{Reader: body}
	if len(list) == 0 {
		return d, nil
	}
	in := &countingReader{r: body}
	d.Reader = in
	for i := len(list) - 1; i >= 0; i-- {
		if err := d.wrap(list[i]); err != nil {
			d.Close()
			return nil, fmt.Errorf("decode %s: %w", list[i], err)
		}
		d.Reader = &ratioReader{r: d.Reader, in: in, ended: ended}
	}
	return d, nil
}

func (d *bodyDecoder) wrap(name string) (err error) {
	in := bufio.NewReader(d.Reader)
	head, short := in.Peek(coding.CodingLook)
	d.Reader = in
	if !coding.Holds(name, head, short == io.EOF) {
		return nil
	}
	switch name {
	case "gzip":
		g := new(coding.Gunzip)
		g.Reset(in)
		d.Reader = g
	case "br":
		d.Reader = brotli.NewReader(in)
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(zstdMemory))
		if err == nil {
			d.Reader, d.closers = z, append(d.closers, z.Close)
		}
	case "deflate":
		if coding.IsZlib(head) {
			d.Reader, err = zlib.NewReader(in)
		} else {
			d.Reader = flate.NewReader(in)
		}
	}
	return err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ratioReader ends with errDecodeRatio when far more comes out of one coding than was stored. What comes out of it may
// go into the next and vanish there, so each has its own.
type ratioReader struct {
	r     io.Reader
	in    *countingReader
	ended func() error // nil = never
	out   int64
}

func (r *ratioReader) Read(p []byte) (int, error) {
	if r.ended != nil {
		if err := r.ended(); err != nil {
			return 0, err
		}
	}
	n, err := r.r.Read(p)
	r.out += int64(n)
	if r.out > decodeFree && r.out/decodeRatio > r.in.n {
		return n, errDecodeRatio
	}
	return n, err
}
