package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// aStudy is a scenario in which trawl reached a share of the loop's rate.
func aStudy(share float64) *study {
	o := aRound(100, 1e6)
	o.wall = time.Duration(float64(o.wall) / share)
	return &study{
		scenario: &scenario{name: plainName, title: "a <crawl>", ratios: toFirst(map[string]float64{toolTrawl: 0.2})},
		total:    100,
		tools:    []*tool{{name: toolBare, done: []outcome{aRound(100, 0)}}, {name: toolTrawl, done: []outcome{o}}},
	}
}

func TestARatioThatFellBelowTheCommittedOneIsFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), ratiosFile)
	if err := writeRatios(file, []*study{aStudy(0.4)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  float64
		want bool
	}{{0.5, true}, {0.4, true}, {0.4 * (1 - tolerance) * 1.01, true}, {0.4 * (1 - tolerance) * 0.99, false}} {
		var out bytes.Buffer
		if holds, err := guard(file, []*study{aStudy(c.now)}, &out); err != nil || holds != c.want {
			t.Errorf("%.3f: %v %v, want %v: %s", c.now, holds, err, c.want, &out)
		}
	}
	partial := aStudy(0.4)
	partial.tools[1].after = checkExport
	partial.tools[1].done[0].audit.Unique--
	if holds, err := guard(file, []*study{partial}, io.Discard); holds || err != nil {
		t.Errorf("a crawl without all pages holds (%v)", err)
	}
	other := aStudy(0.4)
	other.tools[1].name = "other"
	if holds, err := guard(file, []*study{other}, io.Discard); holds || err != nil {
		t.Errorf("a ratio that is not measured any more holds (%v)", err)
	}
	if _, err := guard(file+"x", nil, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that the file is missing", err)
	}
}

func TestTheTableOfTheReadmeIsWrittenBetweenItsMarks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", readmeFile))
	if err != nil {
		t.Fatal(err)
	}
	rows := []row{{scenario: plainName, name: "trawl/bare", median: 0.25, want: 0.22, date: "2026-01-02"}}
	once, err := withTable(string(text), rows)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(once, "| trawl/bare | 0.25 | 0.22 |") || !strings.Contains(once, "2026-01-02") {
		t.Errorf("the table is not there: %s", once)
	}
	if twice, err := withTable(once, rows); err != nil || twice != once {
		t.Errorf("the second time it is another (%v)", err)
	}
	if _, err := withTable("no marks", rows); err == nil {
		t.Error("a text without marks is no error")
	}
}

func TestThePlotIsXMLWithEachToolsCurve(t *testing.T) {
	picture := plot([]*study{aStudy(0.4)})
	d := xml.NewDecoder(bytes.NewReader(picture))
	lines := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, picture)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 4 {
		t.Errorf("%d curves, want 2 tools in 2 panels", lines)
	}
}

func TestSavingLoopsKeepEveryBody(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 10, MinBytes: 1000, MaxBytes: 1000, Assets: -1, Links: -1})
	file := listOf(t, f)
	var want int64
	for p := range f.Expect() {
		want += p.Bytes
	}
	for kind, files := range map[string]int{"save": 20, "append": 1} {
		s := loopSettings{kind: kind, urls: file, to: t.TempDir(), passes: 1}
		if err := s.run(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(s.to)
		if err != nil || len(entries) != files {
			t.Errorf("%s: %d files, want %d (%v)", kind, len(entries), files, err)
		}
		var size int64
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				size += info.Size()
			}
		}
		if size != want {
			t.Errorf("%s: %d bytes, want %d", kind, size, want)
		}
	}
}
