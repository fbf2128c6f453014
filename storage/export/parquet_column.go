package export

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
)

const (
	// maxParquetFooter is the largest description of a Parquet file that is read, in bytes: a few hundred for each column
	// of each row group.
	maxParquetFooter = 64 << 20
	// parquetMagic begins and ends Parquet files.
	parquetMagic = "PAR1"
	// parquetValues is how many values are read at once.
	parquetValues = 256
)

// NoColumnError says that a table has no column of a name, or none of text.
type NoColumnError struct {
	Name    string
	Kind    string   // what the column has in place of text, "" when there is none of the name
	Columns []string // those that the table has; of a Parquet file those of text
}

func (e *NoColumnError) Error() string {
	if e.Kind != "" {
		return fmt.Sprintf("the column %q has no text but %s", e.Name, e.Kind)
	}
	return fmt.Sprintf("there is no column %q", e.Name)
}

// IsParquet reports whether a file that begins with head is Parquet; four bytes tell.
func IsParquet(head []byte) bool { return string(head) == parquetMagic }

// ParquetColumn reads the texts of one column of a Parquet file, a page at a time.
type ParquetColumn struct {
	file   *parquet.File
	leaf   parquet.LeafColumn
	group  int // the next row group
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	left   []parquet.Value // of buf
	row    int64           // of the value read last, from 1
	rows   int64           // up to the end of the row group that is read
}

// OpenParquetColumns finds columns by their names; parts of a nested one have dots between them. They are read each for
// itself. A [*NoColumnError] says that one is not there, or that none was asked for; any other error that the file is broken,
// or r's own.
func OpenParquetColumns(r io.ReaderAt, size int64, names []string) ([]*ParquetColumn, error) {
	var tail [8]byte
	if size < int64(len(tail)) {
		return nil, errors.New("the Parquet file is cut")
	}
	if _, err := r.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return nil, fmt.Errorf("read the end of the Parquet file: %w", err)
	}
	footer := int64(binary.LittleEndian.Uint32(tail[:4]))
	if string(tail[4:]) != parquetMagic || footer > size-int64(len(tail)) {
		return nil, errors.New("the Parquet file is cut")
	}
	if footer > maxParquetFooter {
		return nil, fmt.Errorf("the description of the Parquet file has %d bytes, more than %d", footer, maxParquetFooter)
	}
	var file *parquet.File
	err := guarded(func() (err error) {
		file, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the Parquet file is broken: %w", err)
	}
	if len(names) == 0 {
		names = []string{""}
	}
	var columns []*ParquetColumn
	for _, name := range names {
		c := &ParquetColumn{file: file, buf: make([]parquet.Value, parquetValues)}
		if err := guarded(func() error { return c.find(name) }); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// guarded calls a decoder, which is other people's code, on files of anybody's.
func guarded(decode func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its bytes cannot be read: %v", p)
		}
	}()
	return decode()
}

func (c *ParquetColumn) find(name string) error {
	schema, absent := c.file.Schema(), &NoColumnError{Name: name}
	for _, path := range schema.Columns() {
		leaf, ok := schema.Lookup(path...)
		if !ok {
			continue
		}
		isText := leaf.Node.Type().Kind() == parquet.ByteArray
		switch is := strings.Join(path, ".") == name; {
		case is && isText:
			c.leaf = leaf
			return nil
		case is:
			absent.Kind = leaf.Node.Type().String()
		case isText:
			absent.Columns = append(absent.Columns, strings.Join(path, "."))
		}
	}
	return absent
}

// Next reads the next text, which is good until the next one is read; rows count from 1, and a row without one is passed
// over. At the end the error is io.EOF; any other says that the file is broken in that row, and nothing more can be read.
func (c *ParquetColumn) Next() (row int64, text []byte, err error) {
	for {
		for len(c.left) > 0 {
			v := c.left[0]
			c.left = c.left[1:]
			if v.RepetitionLevel() == 0 {
				c.row++
			}
			if !v.IsNull() {
				return c.row, v.ByteArray(), nil
			}
		}
		if err := guarded(c.fill); err != nil {
			c.Close()
			return c.row + 1, nil, err
		}
	}
}

// fill reads more values.
func (c *ParquetColumn) fill() error {
	switch {
	case c.values != nil:
		n, err := c.values.ReadValues(c.buf)
		c.left = c.buf[:n]
		if errors.Is(err, io.EOF) {
			c.values, err = nil, nil
		}
		if c.values == nil && n == 0 {
			c.endPage()
		}
		return err
	case c.page != nil: // its last values were used
		c.endPage()
		return nil
	case c.pages != nil:
		page, err := c.pages.ReadPage()
		if errors.Is(err, io.EOF) {
			err = c.pages.Close()
			if c.pages = nil; err == nil && c.row != c.rows {
				err = fmt.Errorf("%d rows are there, and there should be %d", c.row, c.rows)
			}
			return err
		} else if err != nil {
			return err
		}
		c.page, c.values = page, page.Values()
		return nil
	}
	groups := c.file.RowGroups()
	if c.group == len(groups) {
		return io.EOF
	}
	c.pages = groups[c.group].ColumnChunks()[c.leaf.ColumnIndex].Pages()
	c.rows += groups[c.group].NumRows()
	c.group++
	return nil
}

func (c *ParquetColumn) endPage() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.values = nil, nil
}

// Close gives up what is held in memory; the file is its opener's.
func (c *ParquetColumn) Close() {
	_ = guarded(func() error {
		c.endPage()
		if c.pages != nil {
			_ = c.pages.Close() // it is only read
		}
		c.pages = nil
		return nil
	})
	c.left, c.group = nil, len(c.file.RowGroups())
}
