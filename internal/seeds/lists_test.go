package seeds_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/seeds"
	"trawl/storage/export"
)

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err) // it is memory
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// parquetOf is an export with rows of these URLs.
func parquetOf(t *testing.T, urls ...string) string {
	t.Helper()
	var rows []crawler.Row
	for _, text := range urls {
		u, err := weburl.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, crawler.Row{Result: crawler.Result{URL: u, Outcome: crawler.Fetched}})
	}
	return parquetRows(t, rows)
}

func parquetRows(t *testing.T, rows []crawler.Row) string {
	t.Helper()
	var b bytes.Buffer
	_, err := export.Rows(&b, export.Parquet, func(yield func(*crawler.Row, error) bool) {
		for i := range rows {
			if !yield(&rows[i], nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func listFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// toldOf renders what a stream of seeds gives.
func toldOf(l seeds.Lists, args []string, stdin io.Reader) (got []string) {
	for s, err := range l.Read(args, stdin) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		text := s.URL.String()
		if s.Name != "" {
			text += " name=" + s.Name
		}
		if s.Want != (crawler.Digest{}) {
			text += " digest=" + s.Want.String()
		}
		got = append(got, text)
	}
	return got
}

// sameTold compares; what is wanted of a problem is its beginning, in which FILE stands for where the list came from.
func sameTold(t *testing.T, from string, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(got, want string) bool {
		rest, problem := strings.CutPrefix(want, "FILE")
		return got == want || problem && strings.HasPrefix(got, from+rest)
	}) {
		t.Errorf("from %s:\n%s\nwant\n%s", from, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAListInGzipIsReadAsItIsWithout(t *testing.T) {
	lines := "# note\nhttp://a.test/1\thttps.png\nhttp://a.test/2\r\nno\nhttp://a.test/3"
	want := []string{"http://a.test/1 name=https.png", "http://a.test/2", "FILE:4: \"no\": no URL", "http://a.test/3"}
	cut := packed(strings.Repeat("http://a.test/same\n", 3) + "http://a.test/" + strings.Repeat("abcdefghijklmnopqrstuvwxyz", 8))
	wrong := []byte(packed("http://a.test/1\n"))
	wrong[len(wrong)-6] ^= 1
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"by its name and its bytes":     {"list.txt.gz", packed(lines), want},
		"by its bytes alone":            {"list", packed(lines), want},
		"in UTF-16":                     {"list.gz", packed(wide("\ufeffhttp://a.test/ж\n")), []string{"http://a.test/%D0%B6"}},
		"several, one after the other":  {"list.gz", packed("http://a.test/1\nhttp://a.te") + packed("st/2\n"), []string{"http://a.test/1", "http://a.test/2"}},
		"padded with zeros":             {"list.gz", packed("http://a.test/1\n") + strings.Repeat("\x00", 600), []string{"http://a.test/1"}},
		"unpacked on its way, by name":  {"LIST.GZ", lines, want},
		"with nothing in it":            {"list.gz", packed(""), nil},
		"empty":                         {"list.gz", "", nil},
		"neither packed nor text":       {"list.gz", "\x00\x01\x02\xff", []string{"FILE: its name ends in .gz, and it is neither gzip nor text"}},
		"cut in the middle of a line":   {"list.gz", cut[:len(cut)-14], []string{"http://a.test/same", "http://a.test/same", "http://a.test/same", fmt.Sprintf("FILE:4: the gzip data ends in the middle, after byte %d of the file: what stands before was read", len(cut)-14)}},
		"cut at its end":                {"list.gz", packed("http://a.test/1\n")[:len(packed("http://a.test/1\n"))-8], []string{"http://a.test/1", "FILE:2: the gzip trailer is missing: "}},
		"changed on its way":            {"list.gz", string(wrong), []string{"http://a.test/1", "FILE:2: the gzip checksum is wrong: "}},
		"packed in a way nobody uses":   {"list.gz", "\x1f\x8b\x07\x00", []string{"FILE:1: the gzip data is broken before byte "}},
		"with lines behind it":          {"list.gz", packed("http://a.test/1\n") + "http://a.test/2\n", []string{"http://a.test/1", "FILE:2: other bytes follow the gzip data, and are not read"}},
		"with a line as long as a disk": {"list.gz", packed("http://a.test/" + strings.Repeat("x", 6<<20) + "\nhttp://a.test/2\n"), []string{"FILE:1: ", "http://a.test/2"}},
		"that is a bomb":                {"list.gz", packed("http://a.test/1\n" + strings.Repeat("\n", 24<<20)), []string{"http://a.test/1", "FILE:"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := listFile(t, c.file, c.text)
			after := append(slices.Clone(c.want), "http://a.test/after") // the rest of the seeds goes on
			if err := (seeds.Lists{}).Check([]string{file}); err != nil {
				t.Error(err)
			}
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			got := toldOf(seeds.Lists{}, []string{file, "http://a.test/after"}, nil)
			runtime.ReadMemStats(&now)
			sameTold(t, file, got, after)
			if n := now.TotalAlloc - before.TotalAlloc; n > 4<<20 {
				t.Errorf("%d bytes were allocated", n)
			}
			if c.file != "LIST.GZ" && !strings.HasPrefix(name, "neither") {
				sameTold(t, "standard input", toldOf(seeds.Lists{}, []string{"-", "http://a.test/after"}, iotest.OneByteReader(strings.NewReader(c.text))), after)
			}
		})
	}
}

func TestALongListInGzipIsNoBomb(t *testing.T) {
	var note strings.Builder
	for i := range 24 << 20 / 1024 {
		fmt.Fprintf(&note, "#%01022d\n", i) // makes about 150 times as much
	}
	file := listFile(t, "list.gz", packed(note.String()+"http://a.test/1\n"))
	if info, err := os.Stat(file); err != nil || int64(note.Len())/info.Size() < 50 {
		t.Errorf("it unpacks to little: %v, %v", info.Size(), err)
	}
	sameTold(t, file, toldOf(seeds.Lists{}, []string{file}, nil), []string{"http://a.test/1"})
}

func TestAListThatFailsWhileItIsUnpackedEndsTheStream(t *testing.T) {
	broken := errors.New("disk on fire")
	text := packed("http://a.test/1\n")
	got := toldOf(seeds.Lists{}, []string{"-"}, io.MultiReader(strings.NewReader(text[:len(text)-8]), iotest.ErrReader(broken)))
	sameTold(t, "", got, []string{"http://a.test/1", "read seeds from standard input: disk on fire"})
}

func TestTheURLsOfATableAreThoseOfItsColumn(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"with commas":                       {"status,url\n200,http://a.test/1\n404,http://a.test/2\n", []string{"http://a.test/1", "http://a.test/2"}},
		"with line ends of Windows":         {"url,x\r\nhttp://a.test/1,\r\nhttp://a.test/2,", []string{"http://a.test/1", "http://a.test/2"}},
		"with line ends of old machines":    {"url\rhttp://a.test/1\r\rhttp://a.test/2\r", []string{"http://a.test/1", "http://a.test/2"}},
		"with semicolons, commas in names":  {"\"a, b, c\";url;d\nx;http://a.test/1,2;y\n", []string{"http://a.test/1,2"}},
		"with tabs":                         {"a\turl\n1\thttp://a.test/1\n", []string{"http://a.test/1"}},
		"with a mark, quoted":               {"\ufeff\"url\",\"t\"\n\"http://a.test/1\",\"x\"\n", []string{"http://a.test/1"}},
		"in UTF-16":                         {wide("\ufeffurl,t\nhttp://a.test/ж,\n"), []string{"http://a.test/%D0%B6"}},
		"with line ends and marks in cells": {"t,url\n\"a\n\"\"b\"\",\r\nc\",http://a.test/1\nd, \"http://a.test/2?a,b\" \n", []string{"http://a.test/1", "http://a.test/2?a,b"}},
		"with empty cells and empty lines":  {"t,url\n\n1,\n2,\"\"\n\n3,http://a.test/1\n", []string{"http://a.test/1"}},
		"with rows that are too short":      {"a,b,url\n1\n1,2,http://a.test/1\n", []string{"FILE:2: the row has 1 cells, and the URL should be in number 3", "http://a.test/1"}},
		"with bad URLs, told by line": {
			"t,url\n\"x\ny\",example.com\n#,#\n1,http://a.test/ b\n2,\"http://a.test/\tname\"\n3,\"http://a.test/\nb\"\n4,http://user:secret@[\n",
			[]string{"FILE:2: \"example.com\": no URL", "FILE:4: \"#\": no URL", "FILE:5: \"http://a.test/ b\": white space", "FILE:6: \"http://a.test/\\tname\": white space", "FILE:7: \"http://a.test/\\nb\": it has a control character", "FILE:9: \"http://…@[\": "},
		},
		"with a quotation mark that stays open": {"t,url\n1,http://a.test/1\n\"2,http://a.test/2\n3,http://a.test/3\n", []string{"http://a.test/1", "FILE:3: a quotation mark is opened in this row and never closed"}},
		"with long cells": {
			"t,url\n" + strings.Repeat("x", 1<<20) + ",http://a.test/1\n1,http://a.test/" + strings.Repeat("x", 1<<20) + "\n2,http://a.test/2\n",
			[]string{"http://a.test/1", "FILE:3: \"http://a.test/", "http://a.test/2"},
		},
		"with two columns of the name": {"url,url\nhttp://a.test/1,http://a.test/2\n", []string{"http://a.test/1"}},
		"with nothing but a header":    {"url", nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := seeds.Lists{Columns: []string{"url"}}
			for ending, text := range map[string]string{".csv": c.text, ".csv.gz": packed(c.text)} {
				file := listFile(t, "rows"+ending, text)
				if err := l.Check([]string{file}); err != nil {
					t.Error(err)
				}
				sameTold(t, file, toldOf(l, []string{file}, nil), c.want)
			}
			sameTold(t, "standard input", toldOf(l, []string{"-"}, iotest.OneByteReader(strings.NewReader(c.text))), c.want)
		})
	}
}

func TestTheURLsOfAParquetFileAreThoseOfItsColumn(t *testing.T) {
	var urls []string
	for i := range 3000 {
		urls = append(urls, fmt.Sprint("http://a.test/", i))
	}
	text := parquetOf(t, urls...)
	file := listFile(t, "rows", text)
	l := seeds.Lists{Columns: []string{"url"}}
	if err := l.Check([]string{file}); err != nil {
		t.Error(err)
	}
	sameTold(t, file, toldOf(l, []string{file, "http://a.test/after"}, nil), append(slices.Clone(urls), "http://a.test/after"))
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	sameTold(t, "standard input", toldOf(l, []string{"-"}, in), urls)

	for row, column := range map[int]string{1: "outcome"} { // its texts are no URLs
		got := toldOf(seeds.Lists{Columns: []string{column}}, []string{file}, nil)
		if want := fmt.Sprintf("%s: row %d: \"fetched\": no URL", file, row); len(got) != len(urls) || !strings.HasPrefix(got[row-1], want) {
			t.Errorf("%d lines, %q; want %q", len(got), got[0], want)
		}
	}
	broken := listFile(t, "broken.parquet", text[:len(text)/2])
	if err := l.Check([]string{broken}); err != nil {
		t.Errorf("a broken list hinders the others: %v", err)
	}
	sameTold(t, broken, toldOf(l, []string{broken, "http://a.test/after"}, nil), []string{"FILE: the Parquet file is cut: get the file again", "http://a.test/after"})
}

func TestATableMayHaveNamesAndDigestsBesideItsURLs(t *testing.T) {
	one, two := crawler.Digest{1}.String(), crawler.Digest{2}.String()
	text := "digest;url;name\n" +
		one + ";http://a.test/1;a/1.png\n" +
		";http://a.test/2; b 2.png \n" +
		two + ";http://a.test/3;\n" +
		"md5:0;http://a.test/4;\n" +
		";http://a.test/5;../5\n" +
		";http://a.test/6\n" +
		";http://a.test/7;" + strings.Repeat("x", 1<<20) + "\n"
	named := []string{"http://a.test/1 name=a/1.png", "http://a.test/2 name=b 2.png", "http://a.test/3", "http://a.test/4",
		"FILE:6: \"http://a.test/5\": not a file name: ", "http://a.test/6", "FILE:8: \"http://a.test/7\": longer than"}
	both := slices.Clone(named)
	both[0], both[2], both[3] = both[0]+" digest="+one, both[2]+" digest="+two, "FILE:5: \"http://a.test/4\": digest: \"md5:0\" is no digest"
	file := listFile(t, "rows.csv", text)
	sameTold(t, file, toldOf(seeds.Lists{Columns: []string{"url", "name"}}, []string{file}, nil), named)
	sameTold(t, file, toldOf(seeds.Lists{Columns: []string{"url", "name", "digest"}}, []string{file}, nil), both)

	var rows []crawler.Row
	var want []string
	for i := range 2000 {
		u, err := weburl.Parse(fmt.Sprint("http://a.test/", i))
		if err != nil {
			t.Fatal(err)
		}
		r, told := crawler.Row{Result: crawler.Result{URL: u, Outcome: crawler.Fetched}}, u.String()
		if i%3 == 0 {
			r.Title = fmt.Sprint("t", i)
			told += " name=" + r.Title
		}
		if i%7 == 0 {
			r.Digest = crawler.Digest{byte(i), 1}
			told += " digest=" + r.Digest.String()
		}
		rows, want = append(rows, r), append(want, told)
	}
	file = listFile(t, "rows.parquet", parquetRows(t, rows))
	sameTold(t, file, toldOf(seeds.Lists{Columns: []string{"url", "title", "digest"}}, []string{file}, nil), want)
	for _, columns := range [][]string{{"url", ""}, {"url", "a", "b", "c"}} {
		if err := (seeds.Lists{Columns: columns}).Check([]string{file}); !errors.Is(err, crawler.ErrUsage) || !strings.HasPrefix(err.Error(), "`column`: name the column of the URLs") {
			t.Errorf("%q: %v", columns, err)
		}
	}
}

func TestATableThatCannotBeReadIsRefusedBeforeAnythingStarts(t *testing.T) {
	table := "status,url,redirect_to\n"
	rows := parquetOf(t, "http://a.test/")
	for name, c := range map[string]struct{ column, file, text, want string }{
		"a column that is not there, in CSV":     {"redirect-to2", "rows.csv", table, `there is no column "redirect-to2": did you mean redirect_to? (it has status, url, redirect_to)`},
		"the same, packed":                       {"ulr", "rows.csv.gz", packed(table), `there is no column "ulr": did you mean url? (it has status, url, redirect_to)`},
		"a column that is not there, in Parquet": {"ulr", "rows.parquet", rows, `there is no column "ulr": did you mean url? (it has url, host, outcome, `},
		"a column of names that is not there":    {"url,naem", "rows.csv", table, `there is no column "naem" (it has status, url, redirect_to)`},
		"the same, in Parquet":                   {"url,nmaes", "rows.parquet", rows, `there is no column "nmaes": did you mean names? (it has url, host, `},
		"a column of numbers":                    {"bytes", "rows.parquet", rows, `the column "bytes" has no text but INT`},
		"an empty table":                         {"url", "rows.csv", "\n\n", "it is empty: a table begins with a row of its columns' names"},
		"a first row without an end":             {"url", "rows.csv", strings.Repeat("x", 70_000), "its first row is longer than 65536 bytes"},
		"a header with an open quotation mark":   {"url", "rows.csv", "\"url\n", "a quotation mark is opened in this row"},
		"Parquet without a column":               {"", "rows.parquet", rows, "this is Parquet: name the column of its URLs with `column` (it has url, "},
		"Parquet that is packed":                 {"url", "rows.parquet.gz", packed(rows), "this is Parquet, which is read from its end: unpack it"},
	} {
		t.Run(name, func(t *testing.T) {
			file := listFile(t, c.file, c.text)
			l := seeds.Lists{Columns: strings.FieldsFunc(c.column, func(r rune) bool { return r == ',' })}
			if err := l.Check([]string{file}); !errors.Is(err, crawler.ErrUsage) || !strings.HasPrefix(err.Error(), file+": "+c.want) {
				t.Errorf("%v\nwant %s: %s", err, file, c.want)
			}
			for _, err := range l.Read([]string{"-"}, strings.NewReader(c.text)) {
				if !errors.Is(err, crawler.ErrUsage) {
					t.Errorf("from standard input: %v", err)
				}
			}
		})
	}
}

func FuzzTables(f *testing.F) {
	f.Add([]byte("url,t\nhttp://a.test/,\"x\n\"\"\"\n"))
	f.Add([]byte(packed("a;url\n1;http://a.test/\n")))
	f.Add([]byte("\ufeff\"url\"\r\rhttp://a.test/\r\n\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		for s, err := range (seeds.Lists{Columns: []string{"url", "t", "t"}}).Read([]string{"-"}, bytes.NewReader(text)) {
			if n++; n > 1<<20 {
				t.Fatal("no end")
			}
			if (err == nil) == s.URL.IsZero() {
				t.Errorf("%v, %v", s.URL, err)
			}
		}
	})
}
