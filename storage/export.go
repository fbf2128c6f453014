package storage

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
)

// Format is the format of an export.
type Format string

const (
	FormatJSONL Format = "jsonl" // a JSON object a line
	FormatCSV   Format = "csv"   // RFC 4180, with a header
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "jsonl", "ndjson":
		return FormatJSONL, nil
	case "csv":
		return FormatCSV, nil
	case "parquet":
		return "", errors.New("export format parquet comes later: use .csv or .jsonl, from which DuckDB or pandas make Parquet")
	}
	return "", fmt.Errorf("unknown export format %q: use jsonl or csv", name)
}

// FormatOf reads the format from the ending of a file name: .jsonl, .ndjson or .csv, each also with .gz
// after it for a file that is to be compressed.
func FormatOf(name string) (Format, error) {
	ending := strings.TrimPrefix(filepath.Ext(trimGzip(name)), ".")
	if ending == "" {
		return "", fmt.Errorf("%s has no ending that names a format: use .jsonl or .csv, or say --format", name)
	}
	f, err := ParseFormat(ending)
	if err != nil {
		return "", fmt.Errorf("export to %s: %w", name, err)
	}
	return f, nil
}

const gzipEnding = ".gz"

func isGzip(name string) bool { return strings.EqualFold(filepath.Ext(name), gzipEnding) }

func trimGzip(name string) string {
	if isGzip(name) {
		return name[:len(name)-len(gzipEnding)]
	}
	return name
}

// columns are the columns of every format, in order. They are a contract with users: new ones are only
// appended. docs/formats.md says what each means.
var columns = [...]string{
	"url", "host", "outcome", "reason", "status", "content_type", "bytes", "digest", "truncated", "title",
	"depth", "via", "seed", "redirect_to", "links", "attempts", "first_seen", "fetched_at", "duration_ms",
	"ip", "fetcher", "archive_file", "archive_offset", "archive_length", "etag", "last_modified", "detail",
}

// exportBuffer is how many bytes are gathered before they are written.
const exportBuffer = 64 << 10

// Export writes rows in a format and tells how many. It stops at the first error, of the rows or of w; what
// was written until then is there.
func Export(w io.Writer, f Format, rows iter.Seq2[*crawler.Row, error]) (n int64, err error) {
	var line lineWriter
	switch f {
	case FormatJSONL:
		line = &jsonLine{}
	case FormatCSV:
		line = &csvLine{}
	default:
		return 0, fmt.Errorf("unknown export format %q: use jsonl or csv", f)
	}
	buf := line.header(make([]byte, 0, exportBuffer+exportBuffer/4))
	for r, err := range rows {
		if err != nil {
			return n, fmt.Errorf("export after %d rows: %w", n, err)
		}
		buf = line.append(buf, r)
		n++
		if len(buf) >= exportBuffer {
			if _, err := w.Write(buf); err != nil {
				return n, fmt.Errorf("write export: %w", err)
			}
			buf = buf[:0]
		}
	}
	if _, err := w.Write(buf); err != nil {
		return n, fmt.Errorf("write export: %w", err)
	}
	return n, nil
}

// lineWriter appends rows to a buffer in one format.
type lineWriter interface {
	header(b []byte) []byte
	append(b []byte, r *crawler.Row) []byte
}

// cells takes the values of a row one after the other, in the order of columns. Which format they become is
// its own matter; which values they are is said once, in writeCells.
type cells interface {
	text(s string)       // always there
	optional(s string)   // "" = absent
	foreign(s string)    // optional, and written by a server
	number(n int64)      // always there
	optionalInt(n int64) // 0 = absent
	numberIf(n int64, there bool)
	flag(b bool)
	moment(t time.Time) // zero = absent
}

func writeCells(c cells, r *crawler.Row) {
	c.text(r.URL.String())
	c.text(string(r.URL.Host()))
	c.text(r.Outcome.String())
	c.optional(string(r.Reason))
	c.optionalInt(int64(r.Status))
	c.foreign(r.ContentType)
	c.number(r.Bytes)
	c.optional(r.Digest.String())
	c.flag(r.Truncated)
	c.foreign(r.Title)
	c.number(int64(r.Depth))
	c.optional(r.Via)
	c.foreign(r.Seed)
	c.optional(r.RedirectTo.String())
	c.number(int64(r.Links))
	c.number(int64(r.Attempts))
	c.moment(r.FirstSeen)
	c.moment(r.FetchedAt)
	c.number(r.Duration.Milliseconds())
	c.optional(r.IP)
	c.optional(r.Fetcher)
	stored := !r.Archive.IsZero()
	c.foreign(r.Archive.File)
	c.numberIf(r.Archive.Offset, stored)
	c.numberIf(r.Archive.Length, stored)
	c.foreign(r.ETag)
	c.foreign(r.LastModified)
	c.foreign(r.Detail)
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
