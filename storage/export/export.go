package export

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/schema"
)

// Format is the format of an export.
type Format string

const (
	JSONL   Format = "jsonl"   // a JSON object a line
	CSV     Format = "csv"     // RFC 4180, with a header
	Parquet Format = "parquet" // Apache Parquet, compressed with zstd
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "jsonl", "ndjson":
		return JSONL, nil
	case "csv":
		return CSV, nil
	case "parquet":
		return Parquet, nil
	}
	return "", unknownFormat(name)
}

func unknownFormat(name string) error {
	return fmt.Errorf("unknown export format %q: use jsonl, csv or parquet", name)
}

// FormatOf reads the format from the ending of a file name: .jsonl, .ndjson, .csv or .parquet, the first
// three also with .gz after it for a file that is to be compressed.
func FormatOf(name string) (Format, error) {
	ending := strings.TrimPrefix(filepath.Ext(trimGzip(name)), ".")
	if ending == "" {
		return "", fmt.Errorf("%s has no ending that names a format: use .jsonl, .csv or .parquet, or say `format`", name)
	}
	f, err := ParseFormat(ending)
	if err == nil {
		err = f.checkGzip(name)
	}
	if err != nil {
		return "", fmt.Errorf("export to %s: %w", name, err)
	}
	return f, nil
}

// FormatFor is the format of this name for an export to path; without a name, the format of the path's ending.
func FormatFor(path, name string) (Format, error) {
	if name == "" {
		return FormatOf(path)
	}
	f, err := ParseFormat(name)
	if err != nil {
		return "", err
	}
	if err := f.checkGzip(path); err != nil {
		return "", fmt.Errorf("export to %s: %w", path, err)
	}
	return f, nil
}

// checkGzip: a Parquet file in gzip is one that no reader of Parquet opens.
func (f Format) checkGzip(name string) error {
	if f == Parquet && isGzip(name) {
		return errors.New("a Parquet file is compressed as it is: use .parquet without .gz")
	}
	return nil
}

const gzipEnding = ".gz"

func isGzip(name string) bool { return strings.EqualFold(filepath.Ext(name), gzipEnding) }

func trimGzip(name string) string {
	if isGzip(name) {
		return name[:len(name)-len(gzipEnding)]
	}
	return name
}

// columns are the columns of every format, in order, as the table of rows says.
var columns = records.Row.Columns()

type column = schema.Column[crawler.Row]

// Rows writes rows in a format and reports how many. It stops at the first error, of the rows or of w; what
// was written until then is there. Its memory is bounded whatever the number of rows: some 100 kB for JSONL
// and CSV; see parquetGroupBytes for Parquet.
func Rows(w io.Writer, f Format, rows iter.Seq2[*crawler.Row, error]) (n int64, err error) {
	var out interface {
		Write(*crawler.Row) error
		Close() error
	}
	if f == Parquet {
		out, err = newParquetWriter(w, defaultParquetLimits)
	} else {
		out, err = NewWriter(w, f)
	}
	if err != nil {
		return 0, err
	}
	for r, err := range rows {
		if err != nil {
			return n, fmt.Errorf("export after %d rows: %w", n, err)
		}
		n++
		if err := out.Write(r); err != nil {
			return n, err
		}
	}
	return n, out.Close()
}

// timeFormat is RFC 3339 with milliseconds, in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z"

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, timeFormat) }

// valid makes invalid UTF-8 valid, as readers of the formats refuse it.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}
