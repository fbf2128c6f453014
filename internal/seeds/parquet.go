package seeds

import (
	"errors"
	"fmt"
	"io"
	"os"

	"trawl/crawler"
	"trawl/storage/export"
)

func (l Lists) openParquet(li *list, size int64) error {
	columns, err := export.OpenParquetColumns(li.from, size, l.Columns)
	absent, isAbsent := errors.AsType[*export.NoColumnError](err)
	switch {
	case isAbsent && !li.table:
		err = fmt.Errorf("this is Parquet: name the column of its URLs with `column` (%s)", told(absent.Columns))
	case isAbsent && absent.Kind == "":
		err = noColumn(absent.Name, absent.Columns)
	case li.from.err != nil:
		return fmt.Errorf("read seeds from %s: %w", li.name, err)
	case err != nil && !isAbsent:
		return &BadLine{Place: li.name, Err: fmt.Errorf("%w: get the file again", err)}
	}
	if err != nil {
		return crawler.UsageError(fmt.Errorf("%s: %w", li.name, err))
	}
	li.unit, li.texts = ": row ", &parquetTexts{columns: columns}
	return nil
}

// parquetTexts are the texts of columns.
type parquetTexts struct {
	columns []*export.ParquetColumn
	ahead   [maxColumns - 1]struct { // the last text that was read of the columns behind the first
		row   int64
		text  []byte
		ended bool
	}
}

// next reads the next URL. A name and a digest are the first that their columns have in its row.
func (p *parquetTexts) next() (t listText, more bool, err error) {
	row, text, err := p.columns[0].Next()
	t.at = row
	if errors.Is(err, io.EOF) {
		return t, false, nil
	} else if err != nil {
		return t, false, err
	}
	t.set(0, text)
	for i, c := range p.columns[1:] {
		a := &p.ahead[i]
		for !a.ended && a.row < row {
			if a.row, a.text, err = c.Next(); errors.Is(err, io.EOF) {
				a.ended = true
			} else if err != nil {
				return t, false, err
			}
		}
		if !a.ended && a.row == row {
			t.set(i+1, a.text)
		}
	}
	return t, true, nil
}

// parquetFile reports whether a list is Parquet that can be read from its end, and its size.
func parquetFile(r io.Reader) (size int64, is bool) {
	f, isFile := r.(*os.File)
	if !isFile {
		return 0, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	var head [4]byte
	n, _ := f.ReadAt(head[:], 0) // what is wrong is told when it is read
	return info.Size(), export.IsParquet(head[:n])
}
