package export

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"trawl/crawler"
	"trawl/crawler/recordtest"
)

// parquetRow is how a program reads an export.
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

// exportParquet writes rows with the given limits and opens the file.
func exportParquet(tb testing.TB, limits parquetLimits, rows iter.Seq2[*crawler.Row, error]) *parquet.File {
	tb.Helper()
	var b bytes.Buffer
	w, err := newParquetWriter(&b, limits)
	if err != nil {
		tb.Fatal(err)
	}
	for r, err := range rows {
		if err = errors.Join(err, w.Write(r)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestParquetHasTheColumnsInOrderWithTheirTypes(t *testing.T) {
	const text, number, moment = "STRING", "INT(64,true)", "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)"
	want := []string{ // "?" = may be absent
		text, text, text, text + "?", "INT(32,true)?", text + "?", number, text + "?", "BOOLEAN", text + "?",
		number, text + "?", text + "?", text + "?", number, number, moment + "?", moment + "?", number,
		text + "?", text + "?", text + "?", number + "?", number + "?", text + "?", text + "?", text + "?",
		text + "?",
	}
	leaves := exportParquet(t, defaultParquetLimits, rowsOf()).Root().Columns()
	if len(leaves) != len(columns) {
		t.Fatalf("%d columns", len(leaves))
	}
	for i, c := range leaves {
		got := c.Type().String()
		if c.Optional() {
			got += "?"
		}
		if c.Name() != columns[i].Name || got != want[i] {
			t.Errorf("column %d is %s %s, not %s %s", i, c.Name(), got, columns[i].Name, want[i])
		}
	}
}

// anyRow has a value in about half of the columns, all kinds of text among them.
func anyRow(tb testing.TB, rng *rand.Rand) *crawler.Row {
	var full crawler.Row
	recordtest.Fill(tb, rng, &full)
	full.Status = rng.IntN(1000)
	r := &crawler.Row{Result: crawler.Result{URL: full.URL}}
	for _, part := range []struct{ to, from reflect.Value }{
		{reflect.ValueOf(&r.Result).Elem(), reflect.ValueOf(full.Result)},
		{reflect.ValueOf(r).Elem(), reflect.ValueOf(full)},
	} {
		for i := range part.to.NumField() {
			if f := part.to.Field(i); rng.IntN(2) == 0 && f.Type() != reflect.TypeFor[crawler.Result]() {
				f.Set(part.from.Field(i))
			}
		}
	}
	for _, s := range []*string{&r.Title, &r.ContentType, &r.Detail, &r.Seed, &r.ETag} {
		if rng.IntN(2) == 0 {
			*s = texts[rng.IntN(len(texts))]
		}
	}
	return r
}

// lineOf writes a row of a Parquet file as JSONL does.
func lineOf(row parquet.Row) string {
	var b []byte
	for _, v := range row {
		b = appendKey(b, v.Column())
		switch name := columns[v.Column()].Name; {
		case v.IsNull():
			b = append(b, "null"...)
		case v.Kind() == parquet.Boolean:
			b = fmt.Append(b, v.Boolean())
		case name == "names":
			for i, text := range strings.Split(string(v.ByteArray()), "\t") {
				b = appendJSON(append(b, "[,"[min(i, 1)]), text)
			}
			b = append(b, ']')
		case v.Kind() == parquet.ByteArray:
			b = appendJSON(b, string(v.ByteArray()))
		case name == "first_seen" || name == "fetched_at":
			b = append(appendTime(append(b, '"'), time.UnixMilli(v.Int64())), '"')
		case v.Kind() == parquet.Int32:
			b = fmt.Append(b, v.Int32())
		default:
			b = fmt.Append(b, v.Int64())
		}
	}
	return string(b) + "}"
}

func readParquet(tb testing.TB, f *parquet.File) (lines []string) {
	tb.Helper()
	buf := make([]parquet.Row, 64)
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		for {
			n, err := rows.ReadRows(buf)
			for _, r := range buf[:n] {
				lines = append(lines, lineOf(r))
			}
			if err == io.EOF {
				break
			} else if err != nil {
				tb.Fatal(err)
			}
		}
		if err := rows.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return lines
}

func TestParquetHoldsTheValuesOfJSONL(t *testing.T) {
	for name, limits := range map[string]parquetLimits{
		"in one row group":                  defaultParquetLimits,
		"in row groups of 300 rows":         {groupRows: 300, groupBytes: 1 << 30, pageBytes: 4 << 10, dictionaryBytes: 1 << 20},
		"in row groups of 100,000 bytes":    {groupRows: 1 << 20, groupBytes: 100_000, pageBytes: 4 << 10, dictionaryBytes: 1 << 20},
		"where dictionaries grow too large": {groupRows: 700, groupBytes: 1 << 30, pageBytes: 1 << 10, dictionaryBytes: 300},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			all := []*crawler.Row{fullRow(), bareRow()}
			for range 2000 {
				all = append(all, anyRow(t, rng))
			}
			f := exportParquet(t, limits, rowsOf(all...))
			var jsonl strings.Builder
			if _, err := Rows(&jsonl, JSONL, rowsOf(all...)); err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSuffix(jsonl.String(), "\n"), "\n")
			got := readParquet(t, f)
			if len(got) != len(want) || f.NumRows() != int64(len(want)) {
				t.Fatalf("%d rows of %d, the footer says %d", len(got), len(want), f.NumRows())
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("row %d is\n%s\nnot\n%s", i, got[i], want[i])
				}
			}
			checkGroups(t, f, limits)
			checkPageIndex(t, f)
			if full := limits.dictionaryBytes < 1000; full != hasFullDictionary(f) {
				t.Errorf("dictionaries that were full: %v", !full)
			}
		})
	}
}

// checkGroups looks whether row groups end at the limits, and not before.
func checkGroups(t *testing.T, f *parquet.File, limits parquetLimits) {
	t.Helper()
	groups := f.Metadata().RowGroups
	for i, g := range groups {
		last := i == len(groups)-1
		if g.NumRows > limits.groupRows || g.TotalCompressedSize > 2*limits.groupBytes {
			t.Errorf("row group %d has %d rows in %d bytes", i, g.NumRows, g.TotalCompressedSize)
		}
		if !last && g.NumRows < limits.groupRows && g.TotalCompressedSize < limits.groupBytes/4 {
			t.Errorf("row group %d ended with %d rows in %d bytes", i, g.NumRows, g.TotalCompressedSize)
		}
	}
}

func placeOf(name string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.Name == name })
}

// hasFullDictionary reports whether the seeds of a row group are partly in a dictionary, partly in full.
func hasFullDictionary(f *parquet.File) bool {
	for _, g := range f.Metadata().RowGroups {
		var data int
		for _, s := range g.Columns[placeOf("seed")].MetaData.EncodingStats {
			if s.PageType == format.DataPage {
				data++
			}
		}
		if data > 1 {
			return true
		}
	}
	return false
}

// checkPageIndex: readers skip pages and row groups by their bounds, so a bound that is wrong loses rows.
func checkPageIndex(t *testing.T, f *parquet.File) {
	t.Helper()
	for g, group := range f.RowGroups() {
		for c, chunk := range group.ColumnChunks() {
			index, err := chunk.ColumnIndex()
			if err != nil {
				t.Fatal(err)
			}
			low, high, bounded := chunk.(*parquet.FileColumnChunk).Bounds()
			pages, typ := chunk.Pages(), chunk.Type()
			for n := 0; ; n++ {
				page, err := pages.ReadPage()
				if err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				values := make([]parquet.Value, page.NumValues())
				if k, err := page.Values().ReadValues(values); k != len(values) || err != nil && err != io.EOF {
					t.Fatalf("%d of %d values: %v", k, len(values), err)
				}
				var nulls int64
				for _, v := range values {
					if v.IsNull() {
						nulls++
						continue
					}
					if typ.Compare(v, index.MinValue(n)) < 0 || typ.Compare(v, index.MaxValue(n)) > 0 {
						t.Errorf("row group %d, %s, page %d: %v is not in %v to %v", g, columns[c].Name, n, v, index.MinValue(n), index.MaxValue(n))
					}
					if bounded && (typ.Compare(v, low) < 0 || typ.Compare(v, high) > 0) {
						t.Errorf("row group %d, %s: %v is not in %v to %v", g, columns[c].Name, v, low, high)
					}
				}
				if nulls != index.NullCount(n) || index.NullPage(n) != (nulls == int64(len(values))) {
					t.Errorf("row group %d, %s, page %d: %d nulls of %d, the index says %d", g, columns[c].Name, n, nulls, len(values), index.NullCount(n))
				}
				parquet.Release(page)
			}
			if err := pages.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAParquetExportWithoutRowsIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if n, err := File(t.Context(), path, "", rowsOf()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	rows, err := parquet.ReadFile[parquetRow](path)
	if err != nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
}

func TestAParquetFileIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if n, err := File(t.Context(), path, "", rowsOf(fullRow(), bareRow())); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	rows, err := parquet.ReadFile[parquetRow](path)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	full := rows[0]
	if full.URL != "https://example.com:8443/a?b=c" || full.Status != 404 || !full.Truncated || full.Digest != fullRow().Digest.String() ||
		!full.FetchedAt.Equal(time.Date(2026, 3, 1, 11, 30, 45, 678_000_000, time.UTC)) || full.ArchiveLength != 999 {
		t.Errorf("it holds %+v", full)
	}
}

func TestParquetIsNotCompressedAgain(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []Format{"", Parquet} {
		if _, err := File(t.Context(), filepath.Join(dir, "a.parquet.gz"), f, rowsOf()); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", f, err)
		}
	}
}

func TestAFullDiskStopsAParquetExport(t *testing.T) {
	full := errors.New("full")
	w, err := newParquetWriter(failingWriter{full}, parquetLimits{groupRows: 1000, groupBytes: 1 << 20, pageBytes: 1 << 10, dictionaryBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		if err = w.Write(anyRow(t, rng)); err != nil {
			break
		}
	}
	if !errors.Is(err, full) {
		t.Errorf("it went on: %v", err)
	}
}

// noise are rows that do not compress, 600 bytes of text each.
func noise(tb testing.TB, n int, each func(i int)) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		rng := rand.NewChaCha8([32]byte{1})
		r := fullRow()
		var random [150]byte
		for i := range n {
			each(i)
			rng.Read(random[:])
			text := hex.EncodeToString(random[:])
			copy(r.Digest[:], random[:])
			r.Title, r.Detail, r.ETag = text[:200], text, text[200:]
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestAParquetExportTakesBoundedMemory(t *testing.T) {
	const rows, groupBytes, most = 200_000, 8 << 20, 48 << 20
	var start, peak uint64
	w, err := newParquetWriter(io.Discard, parquetLimits{groupRows: parquetGroupRows, groupBytes: groupBytes, pageBytes: parquetPageBytes, dictionaryBytes: parquetDictionaryBytes})
	if err != nil {
		t.Fatal(err)
	}
	start = liveHeap()
	for r, err := range noise(t, rows, func(i int) {
		if i%10_000 == 0 {
			peak = max(peak, liveHeap())
		}
	}) {
		if err = errors.Join(err, w.Write(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if written := w.out.Size(); written < 2*most {
		t.Fatalf("%d bytes were written, too few to prove anything", written)
	}
	if peak > start+most {
		t.Errorf("%d MiB live at once", (peak-start)>>20)
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
