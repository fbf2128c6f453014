package export

import (
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"trawl/crawler"
	"trawl/crawler/schema"
)

// parquetSchema has the columns in order, with types and encodings that every reader knows (PLAIN and dictionaries; text is UTF-8;
// times are in UTC). Optional columns are those that may be absent in the other formats. The library keeps the order of columns of
// structs alone, so one is made.
func parquetSchema() *parquet.Schema {
	fields := make([]reflect.StructField, len(columns))
	for i := range columns {
		c := &columns[i]
		typ, tag := parquetType(c)
		if !c.Has(schema.Always) {
			tag = ",optional" + tag
		}
		fields[i] = reflect.StructField{Name: fmt.Sprint("Column", i), Type: typ, Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s%s"`, c.Name, tag))}
	}
	return parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface())
}

func parquetType(c *column) (typ reflect.Type, encoding string) {
	if c.Has(schema.Repeats) {
		encoding = ",dict"
	}
	switch {
	case c.Form == schema.FormFlag:
		return reflect.TypeFor[bool](), encoding
	case c.Form == schema.FormTime:
		return reflect.TypeFor[time.Time](), ",timestamp(millisecond:utc)"
	case c.Has(schema.Small):
		return reflect.TypeFor[int32](), encoding
	case c.Form == schema.FormNumber:
		return reflect.TypeFor[int64](), encoding
	case encoding == "":
		encoding = ",plain"
	}
	return reflect.TypeFor[string](), encoding
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
	out     *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter
	present []int // definition level of a value that is there, by column
	limits  parquetLimits

	batch [][]parquet.Value // by column
	texts []byte            // what the batch's values point into

	rows  int64 // of the row group, written to the columns
	start int64 // size of the file where the row group begins, in bytes
}

func newParquetWriter(w io.Writer, limits parquetLimits) (*parquetWriter, error) {
	shape := parquetSchema()
	config, err := parquet.NewWriterConfig(shape,
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
	out := parquet.NewGenericWriter[any](w, config)
	p := &parquetWriter{out: out, columns: out.ColumnWriters(), limits: limits}
	for i := range columns {
		leaf, ok := shape.Lookup(columns[i].Name)
		if !ok || leaf.ColumnIndex != i {
			return nil, fmt.Errorf("begin Parquet export: the schema has no column %s at place %d", columns[i].Name, i)
		}
		p.present = append(p.present, leaf.MaxDefinitionLevel)
		p.batch = append(p.batch, make([]parquet.Value, 0, parquetBatch))
	}
	return p, nil
}

func (p *parquetWriter) Write(r *crawler.Row) error {
	for i := range columns {
		p.put(i, columns[i].Cell(r))
	}
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

func (p *parquetWriter) put(column int, v schema.Cell) {
	c := &columns[column]
	value, level := parquet.NullValue(), 0
	if v.There || c.Has(schema.Always) {
		value, level = p.value(c, v), p.present[column]
	}
	p.batch[column] = append(p.batch[column], value.Level(0, level, column))
}

func (p *parquetWriter) value(c *column, v schema.Cell) parquet.Value {
	switch {
	case c.Form == schema.FormFlag:
		return parquet.BooleanValue(v.Flag)
	case c.Form == schema.FormTime:
		return parquet.Int64Value(v.Time.UnixMilli())
	case c.Has(schema.Small):
		return parquet.Int32Value(int32(v.Number))
	case c.Form == schema.FormNumber:
		return parquet.Int64Value(v.Number)
	}
	from := len(p.texts)
	p.texts = append(p.texts, valid(v.Text)...)
	return parquet.ByteArrayValue(p.texts[from:len(p.texts):len(p.texts)])
}
