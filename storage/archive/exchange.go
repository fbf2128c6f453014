package archive

import (
	"bytes"
	"context"
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

// putting is what storing one exchange needs, kept for the next one: a page makes no garbage.
type putting struct {
	out             bytes.Buffer // both records as they go into the file; unused where they are too large for memory
	src             bytes.Reader // of out
	answer, request warc.Record
	heads           []byte // of both
	block, payload  hash.Hash
}

func newPutting() any { return &putting{block: sha256.New(), payload: sha256.New()} }

// forget drops what is the caller's.
func (p *putting) forget() {
	p.answer, p.request = warc.Record{}, warc.Record{}
	p.out.Reset()
	p.src.Reset(nil)
}

// take makes the records of an exchange. There is a request only if its Head is not empty. The caller calls closeBody when the
// records are written. compress says that they become gzip members.
func (p *putting) take(ctx context.Context, x *crawler.Exchange, compress bool) (closeBody func(), err error) {
	if len(x.Response) == 0 {
		return nil, errors.New("exchange without the head of an answer")
	}
	size := x.Body.Size
	if x.Body.File == "" {
		size = int64(len(x.Body.Bytes))
	}
	p.heads = warc.AppendHead(p.heads[:0], x.Response, size)
	end := len(p.heads)
	if len(x.Request) > 0 {
		p.heads = warc.AppendRequest(p.heads, x.Request)
	}
	p.answer = warc.Record{Type: warc.TypeResponse, ID: warc.NewID(), Date: x.FetchedAt, TargetURI: x.URL.String(),
		IP: x.IP, Protocol: x.Protocol, Truncated: x.Truncated, ContentType: warc.ContentResponse,
		Head: p.heads[:end], Body: x.Body.Bytes}
	closeBody = func() {}
	if x.Body.File != "" {
		f, err := os.Open(x.Body.File)
		if err != nil {
			return nil, fmt.Errorf("open spool file: %w", err)
		}
		closeBody = func() { f.Close() } // it was only read
		p.answer.Body, p.answer.BodySize = nil, size
		p.answer.BodyReader = &contextReader{ctx, f}
	}
	if err := p.setDigests(x, compress); err != nil {
		closeBody()
		return nil, err
	}
	if len(x.Request) == 0 {
		return closeBody, nil
	}
	p.request = warc.Record{Type: warc.TypeRequest, ID: warc.NewID(), Date: x.FetchedAt, TargetURI: x.URL.String(),
		ConcurrentTo: p.answer.ID, IP: x.IP, Protocol: x.Protocol, ContentType: warc.ContentRequest,
		Head: p.heads[end:]}
	p.request.BlockDigest = sha256.Sum256(p.request.Head)
	p.answer.ConcurrentTo = p.request.ID
	return closeBody, nil
}

// setDigests gives the answer its digests. The payload's is the row's where the body is whole and has no content coding, since
// these are the same bytes then; it is not taken again. The block's is for records without a checksum, which are those that are
// not compressed: of others the payload's digest covers the body, and the member's CRC-32 all of it.
func (p *putting) setDigests(x *crawler.Exchange, compress bool) error {
	r := &p.answer
	r.PayloadDigest = warc.Digest(x.Digest)
	known := !x.Digest.IsZero() && x.Truncated == "" && headerValue(r.Head, "Content-Encoding") == ""
	var to io.Writer
	switch {
	case known && compress:
		return nil
	case known:
		to = p.block
	case compress:
		to = p.payload
	default:
		to = io.MultiWriter(p.block, p.payload)
	}
	p.payload.Reset()
	p.block.Reset()
	p.block.Write(r.Head)
	if err := readBody(r, to); err != nil {
		return err
	}
	if !known {
		p.payload.Sum(r.PayloadDigest[:0])
	}
	if !compress {
		p.block.Sum(r.BlockDigest[:0])
	}
	return nil
}

// readBody hands the body to a digest, and goes back to its beginning.
func readBody(r *warc.Record, to io.Writer) error {
	if r.BodyReader == nil {
		_, err := to.Write(r.Body)
		return err
	}
	n, err := io.Copy(to, io.LimitReader(r.BodyReader, r.BodySize))
	if err == nil && n < r.BodySize {
		err = warc.ErrBodySize
	}
	if err != nil {
		return fmt.Errorf("read spool file: %w", err)
	}
	_, err = r.BodyReader.(io.Seeker).Seek(0, io.SeekStart)
	return err
}

// contextReader ends long copies with their context.
type contextReader struct {
	ctx context.Context
	f   io.ReadSeeker
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.f.Read(p)
}

func (c *contextReader) Seek(offset int64, whence int) (int64, error) {
	return c.f.Seek(offset, whence)
}

// headerValue returns the values of a field in an HTTP head, joined by commas. The head is as a server sent it, and is
// read as the fetcher did: a line may continue the one before, and control characters count as spaces.
func headerValue(head []byte, name string) string {
	var values []string
	found := false // the line before was one of the field
	for i := 0; len(head) > 0; i++ {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		head = rest
		if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			if found {
				values[len(values)-1] += " " + fieldText(line)
			}
			continue
		}
		n, v, ok := bytes.Cut(line, []byte(":"))
		if found = i > 0 && ok && strings.EqualFold(string(bytes.TrimRight(n, " \t")), name); found {
			values = append(values, fieldText(v))
		}
	}
	return strings.TrimSpace(strings.Join(values, ", "))
}

func fieldText(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, string(b)))
}
