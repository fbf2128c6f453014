package export

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/recordtest"
)

// unseen are the fields of a row that exports leave out, and why.
var unseen = map[string]string{
	"Result.RetryAfter": "it is over when the row is final",
	"Result.Asked":      "it is for the scheduler, to see whether cookies changed",
	"Result.Unsent":     "attempts does not count it",
	"Result.Progress":   "it is between two tries",
	"Referrer":          "via is the page or redirect that led here",
	"IsSeed":            "depth is 0 and via is absent",
	"Requisite":         "via has it",
	"Redirects":         "via is the redirect",
	"Name":              "archive_file is the file",
	"Inherits":          "archive_file is the file",
	"Aliases":           "names has them",
	"Want":              "a row with another digest failed",
	"Tries":             "attempts has them",
	"Spared":            "attempts has them",
	"Sequence":          "first_seen has the order",
	"RetryAt":           "the row waits with reason retry",
	"Lapses":            "no request was sent",
}

// eachField walks the fields of a row; those of values that are shown in parts, too.
func eachField(v reflect.Value, path string, visit func(field reflect.Value, path string)) {
	for i := range v.NumField() {
		name := strings.TrimPrefix(path+"."+v.Type().Field(i).Name, ".")
		switch v.Field(i).Interface().(type) {
		case crawler.Result, crawler.Locator:
			eachField(v.Field(i), name, visit)
		default:
			visit(v.Field(i), name)
		}
	}
}

func TestEveryFieldOfARowIsExportedOrLeftOutForAReason(t *testing.T) {
	var full crawler.Row
	recordtest.Fill(t, rand.New(rand.NewPCG(5, 6)), &full)
	exported := func(r *crawler.Row) map[string]string {
		lines := make(map[string]string)
		for _, f := range []Format{JSONL, CSV} {
			var b strings.Builder
			if _, err := Rows(&b, f, rowsOf(r)); err != nil {
				t.Fatal(err)
			}
			lines[string(f)] = b.String()
		}
		lines["parquet"] = strings.Join(readParquet(t, exportParquet(t, defaultParquetLimits, rowsOf(r))), "\n")
		return lines
	}
	want := exported(&full)
	eachField(reflect.ValueOf(&full).Elem(), "", func(field reflect.Value, path string) {
		if path == "Result.URL" {
			return // every row has one
		}
		old := reflect.New(field.Type()).Elem()
		old.Set(field)
		field.SetZero()
		for format, line := range exported(&full) {
			if reason := unseen[path]; (line != want[format]) == (reason != "") {
				t.Errorf("%s: the %s of a row without %s is the same: %v; it is left out since %q", format, format, path, line == want[format], reason)
			}
		}
		field.Set(old)
	})
}

func TestColumnsHaveTheirPlaces(t *testing.T) {
	seen := make(map[string]bool)
	for i, c := range columns {
		if c.Place != i+1 || seen[c.Name] {
			t.Errorf("column %d is %s, with place %d", i+1, c.Name, c.Place)
		}
		seen[c.Name] = true
	}
}

// What trawl explain shows of a row has the keys and values of exports, but for what exports leave out.
func TestExplanationsShowRowsAsExportsDo(t *testing.T) {
	var row crawler.Row
	recordtest.Fill(t, rand.New(rand.NewPCG(7, 8)), &row)
	row.Seed, row.Detail, row.Title = "seed", "detail", "title" // as UTF-8: what is not is replaced
	row.Via, row.Fetcher, row.IP, row.Archive.File = "via", "fetcher", "ip", "file"
	e := explain.Explain(&explain.Facts{URL: row.URL, Row: &row, Chain: []*crawler.Row{&row}, Cut: true})
	var line strings.Builder
	if _, err := Rows(&line, JSONL, rowsOf(&row)); err != nil {
		t.Fatal(err)
	}
	exported := objectOf(t, []byte(line.String()))
	text, err := json.Marshal(e.Row)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range objectOf(t, text) {
		want, is := exported[key]
		if moment, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value)); err == nil {
			value = string(appendTime(nil, moment))
		}
		switch key {
		case "chain", "chain_cut", "is_seed", "requisite", "redirects", "lapsed_turns":
			if is {
				t.Errorf("%s is a column now", key)
			}
		default:
			if !is || !reflect.DeepEqual(value, want) {
				t.Errorf("%s is %v, and %v in exports", key, value, want)
			}
		}
	}
}

func objectOf(t *testing.T, text []byte) (object map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}
