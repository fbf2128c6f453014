package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"trawl/crawler"
	"trawl/internal/durable"
)

// writeTemp brings the decoded body into the scratch directory.
func (f *Files) writeTemp(ctx context.Context, x *crawler.Exchange) (temp string, size int64, err error) {
	temp = scratchDir + "/" + rand.Text()
	if list := codings(headerValue(x.Response, "Content-Encoding")); len(list) > 0 {
		coded, err := isCoded(ctx, x)
		if err != nil {
			return "", 0, err
		}
		if coded {
			size, err = f.writeDecoded(ctx, temp, x, list)
			if !errors.Is(err, errDecode) {
				return temp, size, err
			}
			f.log.Warn("body cannot be decoded and is stored as it came", "url", x.URL.String(), "error", err)
		}
	}
	if x.Body.File != "" {
		size, err = f.takeOver(temp, x.Body.File)
		if err == nil {
			return temp, size, nil
		}
	}
	body, closeBody, err := openBody(ctx, x)
	if err != nil {
		return "", 0, err
	}
	defer closeBody()
	size, err = f.writeFile(temp, body)
	return temp, size, err
}

// takeOver renames a spool file.
func (f *Files) takeOver(temp, spool string) (int64, error) {
	if err := os.Rename(spool, f.path(temp)); err != nil {
		return 0, err
	}
	info, err := os.Stat(f.path(temp))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// errDecode marks a failure of decoding rather than of the disk.
var errDecode = errors.New("content coding")

// writeDecoded writes the body without its codings. Of a body that was cut it keeps what can be decoded.
func (f *Files) writeDecoded(ctx context.Context, temp string, x *crawler.Exchange, list []string) (int64, error) {
	body, closeBody, err := openBody(ctx, x)
	if err != nil {
		return 0, err
	}
	defer closeBody()
	in := &faultReader{r: body}
	d, err := decodeBody(in, list, ctx.Err)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("%w: %w", errDecode, err), in.err)
	}
	defer d.Close()
	from := &untilBroken{r: d}
	size, err := f.writeFile(temp, from)
	switch {
	case in.err != nil || ctx.Err() != nil: // the spool file could not be read, or the context is over: not the server's fault
		return 0, errors.Join(in.err, ctx.Err(), os.Remove(f.path(temp)))
	case err == nil && size == 0 && from.err != nil:
		return 0, errors.Join(fmt.Errorf("%w: %w", errDecode, from.err), os.Remove(f.path(temp)))
	}
	return size, err
}

// faultReader notes an error other than the end.
type faultReader struct {
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// untilBroken ends where its reader fails, and notes why.
type untilBroken struct {
	r   io.Reader
	err error
}

func (u *untilBroken) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF {
		u.err, err = err, io.EOF
	}
	return n, err
}

// writeFile writes a new file, or leaves none.
func (f *Files) writeFile(name string, from io.Reader) (int64, error) {
	out, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, durable.FileMode)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(out, from)
	err = errors.Join(err, out.Close())
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.path(name)))
	}
	return size, nil
}

// isCoded reports whether the body still has its content coding: one whose bytes have the digest of the
// decoded body was decoded before.
func isCoded(ctx context.Context, x *crawler.Exchange) (bool, error) {
	body, closeBody, err := openBody(ctx, x)
	if err != nil {
		return false, err
	}
	defer closeBody()
	d, err := hashReader(body)
	return d != x.Digest, err
}

func openBody(ctx context.Context, x *crawler.Exchange) (io.Reader, func(), error) {
	if x.Body.File == "" {
		return bytes.NewReader(x.Body.Bytes), func() {}, nil
	}
	f, err := os.Open(x.Body.File)
	if err != nil {
		return nil, nil, fmt.Errorf("open spool file: %w", err)
	}
	return &contextReader{ctx, f}, func() { f.Close() }, nil
}

// Sync makes everything that was put before the call durable and visible. Callers at the same time share the
// disk's work. After a failure the archive takes no more: nobody knows what the disk holds.
func (f *Files) Sync(ctx context.Context) error {
	select {
	case f.syncing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.syncing }()
	f.mu.Lock()
	batch, broken := f.pending, f.broken
	if broken == nil {
		f.pending = map[string]string{}
	}
	f.mu.Unlock()
	if broken != nil || len(batch) == 0 {
		return broken
	}
	err := f.publish(batch)
	if err == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = fmt.Errorf("sync files: %w", err)
	return f.broken
}

// publish makes the files of a batch durable, then visible, then their names durable.
func (f *Files) publish(batch map[string]string) error {
	var g errgroup.Group
	g.SetLimit(durable.FilesAtOnce)
	for _, temp := range batch {
		g.Go(func() error { return f.fsync.SyncFile(f.path(temp)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for name, temp := range batch {
		if err := os.Rename(f.path(temp), f.path(name)); err != nil {
			return err
		}
	}
	return f.fsync.SyncDirectory(f.path(bodiesDir))
}
