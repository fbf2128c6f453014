package export

import (
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"trawl/crawler"
)

// parquetRow is the schema of Parquet exports: the columns in order, with types and encodings that every
// reader knows (PLAIN and dictionaries; text is UTF-8; times are in UTC). Optional columns are those that may
// be absent in the other formats. Only its tags are used; rows are written column by column.
type parquetRow struct {
	URL           string    `parquet:"url,plain"`
	Host          string    `parquet:"host,dict"`
	Outcome       string    `parquet:"outcome,dict"`
	Reason        string    `parquet:"reason,optional,dict"`
	Status        int32     `parquet:"status,optional,dict"`
	ContentType   string    `parquet:"content_type,optional,dict"`
	Bytes         int64     `parquet:"bytes"`
	Digest        string    `parquet:"digest,optional,plain"`
	Truncated     bool      `parquet:"truncated"`
	Title         string    `parquet:"title,optional,plain"`
	Depth         int64     `parquet:"depth,dict"`
	Via           string    `parquet:"via,optional,plain"`
	Seed          string    `parquet:"seed,optional,dict"`
	RedirectTo    string    `parquet:"redirect_to,optional,plain"`
	Links         int64     `parquet:"links"`
	Attempts      int64     `parquet:"attempts,dict"`
	FirstSeen     time.Time `parquet:"first_seen,optional,timestamp(millisecond:utc)"`
	FetchedAt     time.Time `parquet:"fetched_at,optional,timestamp(millisecond:utc)"`
	DurationMS    int64     `parquet:"duration_ms"`
	IP            string    `parquet:"ip,optional,dict"`
	Fetcher       string    `parquet:"fetcher,optional,dict"`
	ArchiveFile   string    `parquet:"archive_file,optional,dict"`
	ArchiveOffset int64     `parquet:"archive_offset,optional"`
	ArchiveLength int64     `parquet:"archive_length,optional"`
	ETag          string    `parquet:"etag,optional,plain"`
	LastModified  string    `parquet:"last_modified,optional,plain"`
	Detail        string    `parquet:"detail,optional,plain"`
	Names         string    `parquet:"names,optional,plain"`
}

// Limits of a Parquet export. A row group stays in memory, compressed, until it ends, since its columns lie
// one after the other in the file. With these limits an export takes about 150 MB. The one thing that grows
// with the rows is the page index, which comes last: less than 1 MB for each million.
const (
	// parquetGroupRows is the most rows of a row group.
	parquetGroupRows = 1 << 20
	// parquetGroupBytes ends a row group earlier, when its compressed pages, its dictionaries and the pages that are
	// still being filled take so many bytes together.
	parquetGroupBytes = 32 << 20
	// parquetPageBytes is the size of a column's page before compression. A page of each column is being filled.
	parquetPageBytes = 256 << 10
	// parquetDictionaryBytes bounds the dictionary of one column in a row group; values that come after it
	// is full are written in full.
	parquetDictionaryBytes = 1 << 20
	// parquetBatch is how many rows are gathered before they are given to the columns.
	parquetBatch = 256
)

type parquetLimits struct{ groupRows, groupBytes, pageBytes, dictionaryBytes int64 }

var defaultParquetLimits = parquetLimits{parquetGroupRows, parquetGroupBytes, parquetPageBytes, parquetDictionaryBytes}

// parquetWriter writes rows as a Parquet file. It takes the cells of a row into a batch by columns, so that
// nothing is allocated per row.
type parquetWriter struct {
	out     *parquet.GenericWriter[parquetRow]
	columns []*parquet.ColumnWriter
	present []int // definition level of a value that is there, by column
	limits  parquetLimits

	batch  [][]parquet.Value // by column
	texts  []byte            // what the batch's values point into
	column int               // next to be taken

	rows  int64 // of the row group, written to the columns
	start int64 // size of the file where the row group begins, in bytes
}

func newParquetWriter(w io.Writer, limits parquetLimits) (*parquetWriter, error) {
	schema := parquet.SchemaOf(parquetRow{})
	config, err := parquet.NewWriterConfig(schema,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.DataPageVersion(1),        // known to more readers than version 2
		parquet.DataPageStatistics(false), // the page index has them
		parquet.PageBufferSize(int(limits.pageBytes)),
		parquet.DictionaryMaxBytes(limits.dictionaryBytes),
		parquet.WriteBufferSize(exportBuffer),
	)
	if err != nil {
		return nil, fmt.Errorf("begin Parquet export: %w", err)
	}
	out := parquet.NewGenericWriter[parquetRow](w, config)
	p := &parquetWriter{out: out, columns: out.ColumnWriters(), limits: limits}
	for _, name := range columns {
		leaf, ok := schema.Lookup(name)
		if !ok || leaf.ColumnIndex != len(p.present) {
			return nil, fmt.Errorf("begin Parquet export: the schema has no column %s at place %d", name, len(p.present))
		}
		p.present = append(p.present, leaf.MaxDefinitionLevel)
		p.batch = append(p.batch, make([]parquet.Value, 0, parquetBatch))
	}
	return p, nil
}

func (p *parquetWriter) Write(r *crawler.Row) error {
	p.column = 0
	writeCells(p, r)
	if len(p.batch[0]) < parquetBatch && p.rows+int64(len(p.batch[0])) < p.limits.groupRows {
		return nil
	}
	return p.writeBatch()
}

// writeBatch gives the batch to the columns, which copy it, and ends the row group when that is full.
func (p *parquetWriter) writeBatch() error {
	n := len(p.batch[0])
	for i, c := range p.columns {
		if _, err := c.WriteRowValues(p.batch[i]); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		p.batch[i] = p.batch[i][:0]
	}
	p.texts = p.texts[:0]
	p.rows += int64(n)
	if p.rows < p.limits.groupRows && p.out.Size()-p.start < p.limits.groupBytes {
		return nil
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	p.rows, p.start = 0, p.out.Size()
	return nil
}

// Close writes the last row group and the footer.
func (p *parquetWriter) Close() error {
	if err := p.writeBatch(); err != nil {
		return err
	}
	if err := p.out.Close(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

func (p *parquetWriter) put(v parquet.Value, there bool) {
	level := 0
	if there {
		level = p.present[p.column]
	} else {
		v = parquet.NullValue()
	}
	p.batch[p.column] = append(p.batch[p.column], v.Level(0, level, p.column))
	p.column++
}

func (p *parquetWriter) putText(s string, there bool) {
	from := len(p.texts)
	p.texts = append(p.texts, valid(s)...)
	p.put(parquet.ByteArrayValue(p.texts[from:len(p.texts):len(p.texts)]), there)
}

func (p *parquetWriter) text(s string)     { p.putText(s, true) }
func (p *parquetWriter) optional(s string) { p.putText(s, s != "") }
func (p *parquetWriter) foreign(s string)  { p.putText(s, s != "") }
func (p *parquetWriter) list(s string)     { p.putText(s, s != "") }

func (p *parquetWriter) number(n int64)               { p.put(parquet.Int64Value(n), true) }
func (p *parquetWriter) optionalInt(n int64)          { p.put(parquet.Int32Value(int32(n)), n != 0) }
func (p *parquetWriter) numberIf(n int64, there bool) { p.put(parquet.Int64Value(n), there) }
func (p *parquetWriter) flag(b bool)                  { p.put(parquet.BooleanValue(b), true) }

func (p *parquetWriter) moment(t time.Time) { p.put(parquet.Int64Value(t.UnixMilli()), !t.IsZero()) }
