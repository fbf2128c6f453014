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

// exchangeRecords makes the records of an exchange, the answer and the request (nil when there is none).
// The caller calls closeBody when they are written.
func exchangeRecords(ctx context.Context, x *crawler.Exchange) (answer, request *warc.Record, closeBody func(), err error) {
	if len(x.Response) == 0 {
		return nil, nil, nil, errors.New("exchange without the head of an answer")
	}
	size := x.Body.Size
	if x.Body.File == "" {
		size = int64(len(x.Body.Bytes))
	}
	answer = &warc.Record{Type: warc.TypeResponse, ID: warc.NewID(), Date: x.FetchedAt, TargetURI: x.URL.String(),
		IP: x.IP, Protocol: x.Protocol, Truncated: x.Truncated, ContentType: warc.ContentResponse,
		Head: warc.ArchiveHead(x.Response, size), Body: x.Body.Bytes}
	closeBody = func() {}
	if x.Body.File != "" {
		f, err := os.Open(x.Body.File)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("open spool file: %w", err)
		}
		closeBody = func() { f.Close() } // it was only read
		answer.Body, answer.BodySize = nil, size
		answer.BodyReader = &contextReader{ctx, f}
	}
	if err := setDigests(answer, x); err != nil {
		closeBody()
		return nil, nil, nil, err
	}
	if len(x.Request) == 0 {
		return answer, nil, closeBody, nil
	}
	request = &warc.Record{Type: warc.TypeRequest, ID: warc.NewID(), Date: x.FetchedAt, TargetURI: x.URL.String(),
		ConcurrentTo: answer.ID, IP: x.IP, Protocol: x.Protocol, ContentType: warc.ContentRequest,
		Head: warc.RequestHead(x.Request)}
	request.BlockDigest = crawler.Digest(sha256.Sum256(request.Head)).String()
	answer.ConcurrentTo = request.ID
	return answer, request, closeBody, nil
}

// setDigests reads the body once for both digests. The payload's is the row's where the body is whole and
// has no content coding, since these are the same bytes then.
func setDigests(r *warc.Record, x *crawler.Exchange) error {
	block := sha256.New()
	block.Write(r.Head)
	var payload hash.Hash
	if x.Digest.IsZero() || x.Truncated != "" || headerValue(r.Head, "Content-Encoding") != "" {
		payload = sha256.New()
	}
	if err := hashBody(r, block, payload); err != nil {
		return err
	}
	r.BlockDigest = crawler.Digest(block.Sum(nil)).String()
	r.PayloadDigest = x.Digest.String()
	if payload != nil {
		r.PayloadDigest = crawler.Digest(payload.Sum(nil)).String()
	}
	return nil
}

func hashBody(r *warc.Record, block, payload hash.Hash) error {
	if r.BodyReader == nil {
		block.Write(r.Body)
		if payload != nil {
			payload.Write(r.Body)
		}
		return nil
	}
	var to io.Writer = block
	if payload != nil {
		to = io.MultiWriter(block, payload)
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
