package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want spread
	}{
		{[]float64{3}, spread{3, 3, 3}}, {[]float64{3, 1, 2}, spread{2, 1, 3}}, {[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
	} {
		if got := newSpread(c.in); got != c.want {
			t.Errorf("%v gives %v, want %v", c.in, got, c.want)
		}
	}
}

// round is a round of n pages in a second.
func round(n int64, rss int64) outcome {
	a := webfarm.Total{Counts: webfarm.Counts{Pages: n, Unique: n, Robots: 2}, MaxConcurrency: 1}
	return outcome{usage: usage{wall: time.Second, rss: rss}, audit: a}
}

func TestChecks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*outcome)
		want   string // what fails, "" for nothing
	}{
		"all is well":       {func(*outcome) {}, ""},
		"too slow":          {func(o *outcome) { o.wall *= 100 }, "ratio trawl/bare 0.010"},
		"too large":         {func(o *outcome) { o.rss = 500e6 }, "peak RSS 500 MB"},
		"a page missing":    {func(o *outcome) { o.audit.Unique-- }, "asked for 99 of 100 pages"},
		"a page twice":      {func(o *outcome) { o.audit.Repeats++ }, "1 again"},
		"robots.txt twice":  {func(o *outcome) { o.audit.Robots++ }, "robots.txt 3 times for 2 hosts"},
		"two at once":       {func(o *outcome) { o.audit.MaxConcurrency++ }, "2 at once"},
		"what is forbidden": {func(o *outcome) { o.audit.Disallowed++ }, "1 disallowed"},
		"a bad export":      {func(o *outcome) { o.written = errors.New("row 7") }, "export: row 7"},
	} {
		t.Run(name, func(t *testing.T) {
			o := round(100, 1e6)
			c.change(&o)
			tools := []*tool{{name: toolBare, passes: 1, rounds: []outcome{round(100, 0)}}, {name: toolTrawl, passes: 1, rounds: []outcome{o}}}
			var out bytes.Buffer
			ok := checks(&out, tools, settings{hosts: 2}, 100)
			var failed []string
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, "FAIL") {
					failed = append(failed, line)
				}
			}
			if ok != (c.want == "") || ok != (len(failed) == 0) || !ok && (len(failed) != 1 || !strings.Contains(failed[0], c.want)) {
				t.Errorf("ok %v, failed %q, want %q", ok, failed, c.want)
			}
		})
	}
}

func TestCheckExport(t *testing.T) {
	const a, b = `{"url":"u/a","outcome":"fetched","digest":"x"}` + "\n", `{"url":"u/b","outcome":"fetched","digest":"x"}` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"every page once":   {a + b, ""},
		"a page is missing": {a, "1 rows for 2 pages, 1 pages are missing"},
		"a page twice":      {a + a + b, "3 rows for 2 pages"},
		"a page failed":     {a + strings.Replace(b, "fetched", "failed", 1), "row 2: u/b is failed"},
		"no JSON":           {a + "{", "row 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "out.jsonl"), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := checkExport(dir, &web{list: []string{"u/a", "u/b"}})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if err := checkExport(t.TempDir(), &web{}); err == nil {
		t.Error("no export is no error")
	}
}

func TestLoopsAskForEveryPageAsOftenAsTold(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 3, PagesPerHost: 20, MinBytes: 1, MaxBytes: 40_000, Assets: -1})
	var list strings.Builder
	for u := range f.URLs() {
		list.WriteString(u + "\n")
	}
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, loop := range map[string]func(context.Context, string, int, int) error{"bare": bareLoop, "raw": rawLoop} {
		f.ResetAudit()
		if err := loop(t.Context(), file, 8, 3); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if a := f.Audit().Total; a.Pages != 180 || a.Unique != 60 || a.Unknown != 0 || a.BadHost != 0 {
			t.Errorf("%s: %+v, want 60 pages three times", name, a)
		}
	}
	if err := os.WriteFile(file, []byte(f.Seeds()[0]+"nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := bareLoop(t.Context(), file, 1, 1); err == nil {
		t.Error("a page that is not there is no error of the bare loop")
	}
}

func TestProcessTellsWhatFailed(t *testing.T) {
	if _, err := process(t.Context(), t.TempDir(), "go", "no-such-command"); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("%v, want the output of the command", err)
	}
	u, err := process(t.Context(), t.TempDir(), "go", "version")
	if err != nil || u.wall <= 0 || u.cpu <= 0 || u.rss <= 0 {
		t.Errorf("%+v %v", u, err)
	}
	w := &tail{}
	for range 1000 {
		w.Write([]byte("0123456789"))
	}
	if len(w.text) != outputKept {
		t.Errorf("%d bytes kept, want %d", len(w.text), outputKept)
	}
}

func TestWrongUseIsToldBeforeAnythingStarts(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-no-such-flag"}, {"argument"}, {"-hosts", "0"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: status %d, %q", args, code, errs.String())
		}
	}
}
