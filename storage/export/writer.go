package export

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"trawl/crawler"
)

// exportBuffer is how many bytes are gathered before they are written.
const exportBuffer = 64 << 10

// Writer writes rows one by one, in JSONL or CSV, for exports and for readers of a running job
// runs. Rows are gathered, up to exportBuffer bytes, and every write to w is of whole lines. It is for one goroutine. After an
// error of w every call returns that error.
type Writer struct {
	w    io.Writer
	line lineWriter
	buf  []byte
	err  error
}

// lineWriter appends rows to a buffer in one format.
type lineWriter interface {
	header(b []byte) []byte
	append(b []byte, r *crawler.Row) []byte
}

// NewWriter writes to w, which stays the caller's to close. Parquet is refused, as a reader can do
// nothing with a Parquet file before its end.
func NewWriter(w io.Writer, f Format) (*Writer, error) {
	rw := &Writer{w: w}
	switch f {
	case JSONL:
		rw.line = jsonLine{}
	case CSV:
		rw.line = csvLine{}
	case Parquet:
		return nil, errors.New("rows cannot be streamed as Parquet: use jsonl or csv, or name a file that ends with .parquet")
	default:
		return nil, unknownFormat(string(f))
	}
	rw.buf = rw.line.header(make([]byte, 0, exportBuffer+exportBuffer/4))
	return rw, nil
}

// Write adds a row. It may stay in memory until Flush or Close. The row is the caller's again afterwards.
func (w *Writer) Write(r *crawler.Row) error {
	if w.err != nil {
		return w.err
	}
	w.buf = w.line.append(w.buf, r)
	if len(w.buf) < exportBuffer {
		return nil
	}
	return w.Flush()
}

// Flush passes on what was gathered; of CSV also the header, when no row has come yet.
func (w *Writer) Flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	if _, err := w.w.Write(w.buf); err != nil {
		w.err = fmt.Errorf("write export: %w", err)
	}
	w.buf = w.buf[:0]
	return w.err
}

// Close is the last Flush; there is nothing else to be ended.
func (w *Writer) Close() error { return w.Flush() }

// ReaderLeft reports whether an export ended because nobody reads it any more, which is the reader's right.
func ReaderLeft(err error) bool { return errors.Is(err, syscall.EPIPE) }
