package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// fullRow has a value in every column.
func fullRow() *crawler.Row {
	return &crawler.Row{
		Result: crawler.Result{
			URL: weburl.MustParse("https://example.com:8443/a?b=c"), Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus,
			Status: 404, ContentType: "text/html; charset=utf-8", Bytes: 1234, Digest: crawler.Digest{0xab, 31: 0xcd}, Truncated: true,
			Title: `A "title", with <marks>`, RedirectTo: weburl.MustParse("https://example.com/next"), Links: 7,
			FetchedAt: time.Date(2026, 3, 1, 12, 30, 45, 678_900_000, time.FixedZone("CET", 3600)), Duration: 1500*time.Millisecond + 900,
			IP: "93.184.216.34", Archive: crawler.Locator{File: "archive/f1-0001.warc.gz", Offset: 0, Length: 999},
			ETag: `"abc"`, LastModified: "Sun, 01 Mar 2026 11:00:00 GMT", Detail: "404 Not Found",
		},
		Depth: 2, Via: "https://example.com:8443/", Seed: "example.com", Attempts: 1, Fetcher: "f1",
		FirstSeen: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), Names: "files/a\"b\tfiles/c",
	}
}

func bareRow() *crawler.Row {
	return &crawler.Row{Result: crawler.Result{URL: weburl.MustParse("http://example.com/")}, Seed: "http://example.com/", FirstSeen: time.Unix(0, 0)}
}

func rowsOf(rows ...*crawler.Row) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func failing(r *crawler.Row, err error) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		if yield(r, nil) {
			yield(nil, err)
		}
	}
}

const wantJSONL = `{"url":"https://example.com:8443/a?b=c","host":"example.com:8443","outcome":"failed","reason":"http_status","status":404,` +
	`"content_type":"text/html; charset=utf-8","bytes":1234,"digest":"sha256:ab000000000000000000000000000000000000000000000000000000000000cd",` +
	`"truncated":true,"title":"A \"title\", with <marks>","depth":2,"via":"https://example.com:8443/","seed":"example.com",` +
	`"redirect_to":"https://example.com/next","links":7,"attempts":1,"first_seen":"2026-03-01T11:00:00.000Z","fetched_at":"2026-03-01T11:30:45.678Z",` +
	`"duration_ms":1500,"ip":"93.184.216.34","fetcher":"f1","archive_file":"archive/f1-0001.warc.gz","archive_offset":0,"archive_length":999,` +
	`"etag":"\"abc\"","last_modified":"Sun, 01 Mar 2026 11:00:00 GMT","detail":"404 Not Found","names":["files/a\"b","files/c"]}
{"url":"http://example.com/","host":"example.com","outcome":"waiting","reason":null,"status":null,"content_type":null,"bytes":0,"digest":null,` +
	`"truncated":false,"title":null,"depth":0,"via":null,"seed":"http://example.com/","redirect_to":null,"links":0,"attempts":0,` +
	`"first_seen":"1970-01-01T00:00:00.000Z","fetched_at":null,"duration_ms":0,"ip":null,"fetcher":null,"archive_file":null,"archive_offset":null,` +
	`"archive_length":null,"etag":null,"last_modified":null,"detail":null,"names":null}
`

const wantCSV = "url,host,outcome,reason,status,content_type,bytes,digest,truncated,title,depth,via,seed,redirect_to,links,attempts,first_seen," +
	"fetched_at,duration_ms,ip,fetcher,archive_file,archive_offset,archive_length,etag,last_modified,detail,names\r\n" +
	"https://example.com:8443/a?b=c,example.com:8443,failed,http_status,404,text/html; charset=utf-8,1234," +
	"sha256:ab000000000000000000000000000000000000000000000000000000000000cd,true,\"A \"\"title\"\", with <marks>\",2,https://example.com:8443/," +
	"example.com,https://example.com/next,7,1,2026-03-01T11:00:00.000Z,2026-03-01T11:30:45.678Z,1500,93.184.216.34,f1,archive/f1-0001.warc.gz,0,999," +
	"\"\"\"abc\"\"\",\"Sun, 01 Mar 2026 11:00:00 GMT\",404 Not Found,\"files/a\"\"b\tfiles/c\"\r\n" +
	"http://example.com/,example.com,waiting,,,,0,,false,,0,,http://example.com/,,0,0,1970-01-01T00:00:00.000Z,,0,,,,,,,,,\r\n"

func TestExportsAreAsDocumented(t *testing.T) {
	for f, want := range map[Format]string{JSONL: wantJSONL, CSV: wantCSV} {
		var b bytes.Buffer
		n, err := Rows(&b, f, rowsOf(fullRow(), bareRow()))
		if err != nil || n != 2 {
			t.Fatalf("%s: %d rows, %v", f, n, err)
		}
		if b.String() != want {
			t.Errorf("%s is\n%s\nnot\n%s", f, b.String(), want)
		}
	}
}

// texts are what servers write into titles.
var texts = []string{
	"", "plain", `quotes " and ' and \ `, "comma, semicolon; tab\there", "line\nbreak\r\nand more", "null \x00 and \x1f bell\a",
	"ümläut 漢字 🦊", "bad \xff\xfe utf-8 \xc3", "\u2028\u2029", " spaces ", "<script>&amp;</script>", "\xef\xbb\xbfbom",
	"=1+1", "+1", "-1", "@SUM(A1)", "'quoted",
}

func TestAnyTextComesBackFromJSONL(t *testing.T) {
	for _, s := range texts {
		r := bareRow()
		r.Title, r.Detail = s, s
		var b bytes.Buffer
		if _, err := Rows(&b, JSONL, rowsOf(r)); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "\n") != 1 {
			t.Errorf("%q takes more than one line", s)
		}
		var got struct{ Title *string }
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Errorf("%q: %v in %s", s, err, b.Bytes())
			continue
		}
		want := strings.ToValidUTF8(s, "\uFFFD")
		if s == "" && got.Title != nil || s != "" && (got.Title == nil || *got.Title != want) {
			t.Errorf("%q came back as %v", s, got.Title)
		}
	}
}

func TestAnyTextComesBackFromCSV(t *testing.T) {
	for _, s := range texts {
		r := bareRow()
		r.Title, r.Detail = s, s
		var b bytes.Buffer
		if _, err := Rows(&b, CSV, rowsOf(r, bareRow())); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(lines) != 3 || len(lines[1]) != len(columns) {
			t.Errorf("%q: %v, %v", s, lines, err)
			continue
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		if s != "" && strings.ContainsAny(s[:1], "=+-@") {
			want = "'" + want
		}
		want = strings.ReplaceAll(want, "\r\n", "\n") // as the reader does
		if got := lines[1][9]; got != want || lines[1][26] != want {
			t.Errorf("%q came back as %q", s, got)
		}
	}
}

func TestJSONLHasTheColumnsInOrder(t *testing.T) {
	var b bytes.Buffer
	if _, err := Rows(&b, JSONL, rowsOf(fullRow())); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&b)
	var keys []string
	for i := 0; ; i++ {
		token, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(string); ok && i%2 == 1 && (len(keys) == 0 || keys[len(keys)-1] != "names") { // which is a list, and the last
			keys = append(keys, s)
		}
	}
	if strings.Join(keys, ",")+"\r\n" != string(csvLine{}.header(nil)) {
		t.Errorf("keys are %v", keys)
	}
}

func TestAnExportWithoutRowsHasAHeaderOnly(t *testing.T) {
	for f, lines := range map[Format]int{JSONL: 0, CSV: 1} {
		var b bytes.Buffer
		if n, err := Rows(&b, f, rowsOf()); n != 0 || err != nil || strings.Count(b.String(), "\n") != lines {
			t.Errorf("%s: %q, %v", f, b.String(), err)
		}
	}
}

func TestTheFormatIsByTheEnding(t *testing.T) {
	for name, want := range map[string]Format{
		"a.jsonl": JSONL, "a.b/c.ndjson": JSONL, "a.CSV": CSV, "a.csv.gz": CSV, "a.JSONL.GZ": JSONL,
		"a.parquet": Parquet, "a.Parquet": Parquet,
	} {
		if f, err := FormatOf(name); f != want || err != nil {
			t.Errorf("FormatOf(%q) = %q, %v", name, f, err)
		}
	}
	for name, says := range map[string]string{
		"a": "no ending", "a.gz": "no ending", "a.txt": `"txt"`, "a.json": "use jsonl, csv or parquet", "dir.csv/a": "no ending",
		"a.parquet.gz": "use .parquet without .gz",
	} {
		if f, err := FormatOf(name); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("FormatOf(%q) = %q, %v", name, f, err)
		}
	}
}

func TestAnExportFileAppearsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	if n, err := File(t.Context(), path, "", rowsOf(fullRow(), bareRow())); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != wantJSONL {
		t.Errorf("the file is %q, %v", b, err)
	}
	broken := errors.New("broken")
	if n, err := File(t.Context(), path, "", failing(bareRow(), broken)); n != 1 || !errors.Is(err, broken) {
		t.Errorf("a broken ledger: %d, %v", n, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != wantJSONL {
		t.Errorf("the older file became %q, %v", b, err)
	}
	if _, err := File(t.Context(), filepath.Join(dir, "other.csv"), "", failing(bareRow(), broken)); err == nil {
		t.Error("a broken ledger is no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

func TestAnExportFileMayBeCompressed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv.gz")
	if n, err := File(t.Context(), path, "", rowsOf(fullRow(), bareRow())); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || string(b) != wantCSV {
		t.Errorf("it holds %q, %v", b, err)
	}
}

func TestTheFormatMayBeSaidInstead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.txt")
	if _, err := File(t.Context(), path, "", rowsOf()); err == nil {
		t.Error("an unknown ending was taken")
	}
	if n, err := File(t.Context(), path, CSV, rowsOf(fullRow(), bareRow())); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != wantCSV {
		t.Errorf("it holds %q, %v", b, err)
	}
}

func TestAnExportToAPlaceThatIsNoneIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := File(t.Context(), filepath.Join(dir, "d.csv"), "", rowsOf()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := File(t.Context(), filepath.Join(dir, "nowhere", "a.csv"), "", rowsOf()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := File(t.Context(), os.DevNull, CSV, rowsOf(bareRow())); err != nil {
		t.Errorf("a device: %v", err)
	}
}

func TestAFullDiskStopsAnExport(t *testing.T) {
	full := errors.New("full")
	many := func(yield func(*crawler.Row, error) bool) {
		for r := bareRow(); yield(r, nil); {
		}
	}
	if n, err := Rows(failingWriter{full}, JSONL, many); !errors.Is(err, full) || n == 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestAnExportFollowsALinkToItsTarget(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.csv"), filepath.Join(dir, "link.csv")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := File(t.Context(), link, "", rowsOf()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link became a file (%v)", err)
	}
	if b, err := os.ReadFile(target); err != nil || len(b) == 0 {
		t.Errorf("the target is %q, %v", b, err)
	}
}
