package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

type pageRow struct {
	URL   *string `parquet:"url,optional,dict"`
	Bytes int64   `parquet:"bytes"`
	Inner struct {
		Links []string `parquet:"links"`
	} `parquet:"inner"`
}

// pagesFile is a Parquet file with so many rows, a few in a page and 500 in a row group. Every tenth row has no URL; row N has
// N % 3 links.
func pagesFile(tb testing.TB, rows int) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[pageRow](&b, parquet.MaxRowsPerRowGroup(500), parquet.PageBufferSize(512), parquet.Compression(&parquet.Snappy))
	for i := range rows {
		var r pageRow
		if u := fmt.Sprint("http://a.test/", i+1); i%10 != 9 {
			r.URL = &u
		}
		for n := range (i + 1) % 3 {
			r.Inner.Links = append(r.Inner.Links, fmt.Sprint("http://b.test/", i+1, "/", n))
		}
		if _, err := w.Write([]pageRow{r}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func columnTexts(file []byte, name string) (texts []string, err error) {
	columns, err := OpenParquetColumns(bytes.NewReader(file), int64(len(file)), []string{name})
	if err != nil {
		return nil, err
	}
	c := columns[0]
	defer c.Close()
	for {
		row, text, err := c.Next()
		if errors.Is(err, io.EOF) {
			return texts, nil
		} else if err != nil {
			return texts, err
		}
		texts = append(texts, fmt.Sprint(row, " ", string(text)))
	}
}

func TestAColumnOfAParquetFileIsReadWithItsRows(t *testing.T) {
	const rows = 1234
	var urls, links []string
	for i := 1; i <= rows; i++ {
		if i%10 != 0 {
			urls = append(urls, fmt.Sprint(i, " http://a.test/", i))
		}
		for n := range i % 3 {
			links = append(links, fmt.Sprint(i, " http://b.test/", i, "/", n))
		}
	}
	file := pagesFile(t, rows)
	for name, want := range map[string][]string{"url": urls, "inner.links": links} {
		if got, err := columnTexts(file, name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d texts, %v; want %d, from %q to %q", name, len(got), err, len(want), want[0], want[len(want)-1])
		}
	}
	if got, err := columnTexts(pagesFile(t, 0), "url"); err != nil || len(got) > 0 {
		t.Errorf("an empty table: %q, %v", got, err)
	}
}

func TestAColumnThatIsNotThereOrHasNoTextIsTold(t *testing.T) {
	file := pagesFile(t, 1)
	for name, want := range map[string]string{"links": `there is no column "links"`, "bytes": `the column "bytes" has no text but INT`, "": `there is no column ""`} {
		_, err := columnTexts(file, name)
		absent, is := errors.AsType[*NoColumnError](err)
		if !is || !strings.HasPrefix(err.Error(), want) || !slices.Equal(absent.Columns, []string{"url", "inner.links"}) && absent.Kind == "" {
			t.Errorf("%q: %v, %+v", name, err, absent)
		}
	}
}

// TestABrokenParquetFileEndsWithAnError: whatever is cut or changed in it; what was read before are its first rows.
func TestABrokenParquetFileEndsWithAnError(t *testing.T) {
	file := pagesFile(t, 1234)
	for _, n := range []int{0, 4, 11, 12, len(file) / 2, len(file) - 1} {
		if got, err := columnTexts(file[:n], "url"); err == nil || len(got) > 0 {
			t.Errorf("cut after %d bytes: %d texts", n, len(got))
		}
	}
	whole, err := columnTexts(file, "url")
	if err != nil {
		t.Fatal(err)
	}
	for at := 100; at < len(file)/2; at += 1999 {
		broken := slices.Clone(file)
		for i := range 40 {
			broken[at+i] ^= 0xa5
		}
		got, err := columnTexts(broken, "url")
		if err == nil && len(got) != len(whole) {
			t.Errorf("changed at %d: %d texts, and no word", at, len(got))
		}
	}
	long := slices.Clone(file)
	copy(long[len(long)-8:], "\xff\xff\xff\xff")
	if _, err := columnTexts(long, "url"); err == nil {
		t.Error("a description larger than the file is taken")
	}
}

func FuzzParquetColumn(f *testing.F) {
	f.Add(pagesFile(f, 3))
	f.Add([]byte("PAR1\x15\x04PAR1"))
	f.Fuzz(func(_ *testing.T, file []byte) {
		_, _ = columnTexts(file, "url") // it ends
	})
}
