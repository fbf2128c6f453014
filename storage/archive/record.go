package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"trawl/crawler"
	"trawl/storage/archive/warc"
)

// ErrDigest says that a stored body is not the one that its row names.
var ErrDigest = errors.New("stored body differs from the row's digest")

// maxHTTPHead is the most bytes of an HTTP head in a record that is read back.
const maxHTTPHead = 1 << 20

// Record is a stored body that is being read. It is for one goroutine, and must be closed.
type Record struct {
	Header warc.Header // of the WARC record; empty for a plain file
	Head   []byte      // HTTP head as archived, with the empty line; nil for a plain file
	Body   io.Reader   // as stored: a WARC record keeps the server's content coding, a plain file has none

	root   *os.Root
	file   *os.File
	reader *warc.Reader
	length int64
	ended  func() error // ends decoding with its error; nil = never
}

// OpenRecord opens what a locator points to. The error wraps fs.ErrNotExist when the file is not there (it
// may still lie with its fetcher), and is a *[warc.Error] when no whole record begins there.
func OpenRecord(dir string, l crawler.Locator) (*Record, error) {
	if err := CheckName(l.File); err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open record: %w", err)
	}
	r := &Record{root: root}
	if err := r.open(l); err != nil {
		return nil, errors.Join(fmt.Errorf("open record in %s at %d: %w", l.File, l.Offset, err), r.Close())
	}
	return r, nil
}

func (r *Record) open(l crawler.Locator) (err error) {
	name := l.File
	plain := !InWARC(name)
	if r.file, err = r.root.Open(name); err != nil {
		return err
	}
	part := io.NewSectionReader(r.file, l.Offset, l.Length)
	if plain {
		info, err := r.file.Stat()
		if err == nil && info.Size() != l.Length {
			err = fmt.Errorf("file has %d bytes, the row says %d", info.Size(), l.Length)
		}
		r.Body = part
		return err
	}
	r.reader, r.length = warc.NewReader(part), l.Length
	entry, err := r.reader.Next()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return r.take(entry)
}

// take makes the record that of an entry, whose block is read from here on.
func (r *Record) take(e *warc.Entry) (err error) {
	r.Header, r.Body = e.Header, e.Block
	if strings.HasPrefix(e.Get("Content-Type"), "application/http") {
		block := bufio.NewReader(e.Block)
		r.Head, err = readHTTPHead(block)
		r.Body = block
	}
	return err
}

// RecordAt is the record that the reader of a WARC file stands on; there is nothing to close. Its row says that it has length
// bytes in the file. Decoding ends with the error of ended as soon as that gives one.
func RecordAt(r *warc.Reader, e *warc.Entry, length int64, ended func() error) (*Record, error) {
	at := &Record{reader: r, length: length, ended: ended}
	return at, at.take(e)
}

// Close closes the file.
func (r *Record) Close() error {
	var err error
	if r.file != nil {
		err = r.file.Close()
	}
	return errors.Join(err, r.root.Close())
}

// Decode returns the body without its content codings; those that are unknown, or that the bytes are not in, are
// passed over. Use it instead of Body. The caller closes it.
func (r *Record) Decode() (io.ReadCloser, error) {
	d, err := decodeBody(r.Body, codings(headerValue(r.Head, "Content-Encoding")), r.ended)
	if err != nil {
		return nil, err
	}
	return decodedBody{d}, nil
}

type decodedBody struct{ *bodyDecoder }

func (d decodedBody) Close() error { d.bodyDecoder.Close(); return nil }

// VerifyRecord reads a stored body, to its end, and compares it with the digest of its row: the SHA-256 of the
// decoded body. It returns an error that wraps [ErrDigest] when it is another one. A body that cannot be
// decoded to its end is judged by what came out before, as the fetcher did. A zero digest compares nothing,
// and the record must be whole all the same.
func VerifyRecord(dir string, l crawler.Locator, want crawler.Digest) error {
	return VerifyCut(dir, l, want, -1)
}

// VerifyCut is VerifyRecord for a body that was cut by a limit of ours after the given number of decoded bytes
// (the row's): what was stored may decode to a little more. Below 0 it was not cut.
func VerifyCut(dir string, l crawler.Locator, want crawler.Digest, bytes int64) (err error) {
	r, err := OpenRecord(dir, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	switch err := r.Verify(want, bytes); {
	case errors.Is(err, ErrDigest):
		return fmt.Errorf("record in %s at %d: %w", l.File, l.Offset, err)
	case err != nil:
		return fmt.Errorf("read record in %s at %d: %w", l.File, l.Offset, err)
	}
	return nil
}

// Verify is [VerifyCut] of an open record.
func (r *Record) Verify(want crawler.Digest, bytes int64) error {
	decoded, stored, decodeErr, err := r.digests(bytes)
	if err != nil || want.IsZero() || decoded == want || stored == want {
		return err
	}
	return errors.Join(ErrDigest, decodeErr)
}

// digests reads all of the record. decodeErr is what ended decoding early; err a record that is not whole.
func (r *Record) digests(limit int64) (decoded, stored crawler.Digest, decodeErr, err error) {
	raw, plain := sha256.New(), sha256.New()
	body := r.Body
	r.Body = io.TeeReader(body, raw)
	decodeErr = r.hashDecoded(plain, limit)
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return decoded, stored, decodeErr, err
	}
	if r.reader != nil {
		n, err := r.reader.End()
		if err == nil && n != r.length {
			err = fmt.Errorf("record has %d bytes, the row says %d", n, r.length)
		}
		if err != nil {
			return decoded, stored, decodeErr, err
		}
	}
	return crawler.Digest(plain.Sum(nil)), crawler.Digest(raw.Sum(nil)), decodeErr, nil
}

func (r *Record) hashDecoded(h hash.Hash, limit int64) error {
	d, err := r.Decode()
	if err != nil {
		return err
	}
	defer d.Close()
	var from io.Reader = d
	if limit >= 0 {
		from = io.LimitReader(d, limit)
	}
	_, err = io.Copy(h, from)
	return err
}

// readHTTPHead reads up to the empty line.
func readHTTPHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		head = append(head, line...)
		if err != nil {
			return head, fmt.Errorf("HTTP head in record: %w", err)
		}
		if len(head) > maxHTTPHead {
			return head, fmt.Errorf("HTTP head in record is over %d bytes", maxHTTPHead)
		}
		if bytes.HasSuffix(head, []byte("\r\n\r\n")) {
			return head, nil
		}
	}
}
