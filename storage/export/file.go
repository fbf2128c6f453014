package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/gzip"

	"trawl/crawler"
	"trawl/internal/durable"
)

// File writes rows to a file and reports how many. The format is by the ending of the path when f is "";
// a path that ends with .gz is compressed. The file appears whole or not at all: it is written beside its
// place, synced, and renamed; an older one of that name is replaced at that moment. What exports to this
// name left there when they were killed is removed first. What is not a plain file (a pipe, /dev/stdout) is
// written to directly. The end of ctx ends the export with its error, also where nobody reads the pipe.
func File(ctx context.Context, path string, f Format, rows iter.Seq2[*crawler.Row, error]) (n int64, err error) {
	if f == "" {
		f, err = FormatOf(path)
	} else if err = f.checkGzip(path); err != nil {
		err = fmt.Errorf("export to %s: %w", path, err)
	}
	if err != nil {
		return 0, err
	}
	return Write(ctx, path, func(w io.Writer) (int64, error) { return Rows(w, f, whileAlive(ctx, rows)) })
}

// Write makes an export of what write writes, and gives the number of rows that it reports; see [File], whose way
// to treat the path it is. The writer of rows may be elsewhere, such as in the process that runs the crawl.
func Write(ctx context.Context, path string, write func(io.Writer) (int64, error)) (n int64, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return 0, fmt.Errorf("export to %s: it is a directory; name a file in it", path)
	}
	err = durable.WriteFile(ctx, path, 0o666, func(file *os.File) (err error) {
		n, err = compressed(file, isGzip(path), write)
		return errors.Join(err, ctx.Err())
	})
	return n, err
}

// whileAlive passes rows on until the context ends.
func whileAlive(ctx context.Context, rows iter.Seq2[*crawler.Row, error]) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		for row, err := range rows {
			if err == nil && ctx.Err() != nil {
				row, err = nil, ctx.Err()
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func compressed(w io.Writer, compress bool, write func(io.Writer) (int64, error)) (int64, error) {
	if !compress {
		return write(w)
	}
	out := bufio.NewWriterSize(w, exportBuffer)
	z := gzip.NewWriter(out)
	n, err := write(z)
	if err == nil {
		err = errors.Join(z.Close(), out.Flush())
	}
	return n, err
}
