package main

import (
	"bytes"
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

// aRound is a round of n pages in a second, in which half of the machine's time was idle.
func aRound(n int64, rss int64) outcome {
	a := webfarm.Total{Counts: webfarm.Counts{Pages: n, Unique: n, Robots: 2}, MaxConcurrency: 1}
	return outcome{usage: usage{wall: time.Second, cpu: 10 * time.Millisecond, rss: rss}, audit: a, line: timeline{
		{}, {at: time.Second, pages: n, machine: 2 * time.Second, idle: 100 * time.Millisecond},
	}}
}

func TestTheChecksOfACrawlFindWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*outcome)
		want   string // what fails, "" for nothing
	}{
		"all is well":       {func(*outcome) {}, ""},
		"too slow":          {func(o *outcome) { o.wall *= 100 }, "trawl/bare 0.010"},
		"too large":         {func(o *outcome) { o.rss = 500e6 }, "peak RSS 500 MB"},
		"too much work":     {func(o *outcome) { o.cpu *= 10 }, "CPU 1000 µs"},
		"an idle machine":   {func(o *outcome) { o.line[1].idle = time.Second }, "machine idle 0.50"},
		"a page missing":    {func(o *outcome) { o.audit.Unique-- }, "asked for 99 of 100 pages"},
		"a page twice":      {func(o *outcome) { o.audit.Repeats++ }, "1 again"},
		"robots.txt twice":  {func(o *outcome) { o.audit.Robots++ }, "robots.txt 3 times for 2 hosts"},
		"two at once":       {func(o *outcome) { o.audit.MaxConcurrency++ }, "2 at once"},
		"what is forbidden": {func(o *outcome) { o.audit.Disallowed++ }, "1 disallowed"},
		"a bad export":      {func(o *outcome) { o.written = errors.New("row 7") }, "export: row 7"},
	} {
		t.Run(name, func(t *testing.T) {
			o := aRound(100, 1e6)
			c.change(&o)
			s := &study{
				scenario: &scenario{ratios: toFirst(map[string]float64{toolTrawl: 0.2}), checks: []check{allByFirst, crawledWhole(1), cpuAtMost(180), idleAtMost(0.1), rssAtMost(300e6)}},
				shape:    shape{hosts: 2, pages: 50}, total: 100,
				tools: []*tool{
					{name: toolBare, done: []outcome{aRound(100, 0)}},
					{name: toolTrawl, after: checkExport, done: []outcome{o}},
				},
			}
			var out bytes.Buffer
			ok := s.write(&out, nil)
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

func TestTheIdleShareLeavesStartAndEndOut(t *testing.T) {
	s := func(second time.Duration, pages int64, idle time.Duration) sample {
		return sample{at: second * time.Second, pages: pages, machine: 2 * second * time.Second, idle: idle * time.Second}
	}
	// Idle for the whole first second and the last, half idle in the two between.
	share, ok := timeline{s(0, 0, 0), s(1, 100, 2), s(2, 500, 3), s(3, 950, 4), s(4, 1000, 6)}.idle()
	if !ok || share != 0.5 {
		t.Errorf("idle %v %v, want 0.5", share, ok)
	}
	if _, ok := (timeline{s(0, 0, 0)}).idle(); ok {
		t.Error("one sample has an idle share")
	}
}

func TestASlowSecondInMidRunIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		slow int64 // pages in each sample of the slow second
		want float64
	}{"none": {100, 1}, "half as fast": {50, 0.5}} {
		line := timeline{{}}
		for i := range 40 {
			s := line[len(line)-1]
			s.at += interval
			if s.pages += 100; i >= 20 && i < 24 {
				s.pages += c.slow - 100
			}
			line = append(line, s)
		}
		if got, ok := line.slowest(); !ok || got != c.want {
			t.Errorf("%s: %v %v, want %v", name, got, ok, c.want)
		}
	}
	if _, ok := (timeline{{}, {at: interval, pages: 1}}).slowest(); ok {
		t.Error("a short round has a slow second")
	}
}

func TestAToolThatFailsLeavesTheOthersFigures(t *testing.T) {
	s := aStudy(0.4)
	s.tools[1].own, s.tools[1].done, s.tools[1].broken = true, nil, errors.New("round 1: no disk")
	if f := s.findings([]*study{s}); len(f) != 1 || f[0].ok || !strings.Contains(f[0].text, "no disk") {
		t.Errorf("%v, want what failed", f)
	}
	if s.tools[1].more(1) || s.figures(nil) != nil || find([]*study{s}, plainName) != nil {
		t.Error("what failed runs again, or counts")
	}
}

func TestPacedCrawlsAreComparedWithWhatTheyCouldDo(t *testing.T) {
	// 2 hosts of 9 pages, served in 20 s.
	o := aRound(18, 0)
	o.audit.Last = o.audit.First.Add(20 * time.Second)
	s := &study{shape: shape{hosts: 2, pages: 9, latency: time.Second}, total: 18, tools: []*tool{{name: toolTrawl, done: []outcome{o}}}}
	for name, c := range map[string]struct {
		ratios ratios
		want   float64
	}{
		"one connection": {ofLatency(1, 0.9), 0.5},   // robots.txt and 9 pages, a second each
		"a delay":        {ofDelay(0.9), 19.0 / 20},  // 10 answers and 9 delays
		"efficiency":     {efficiency(0.9), 1.0 / 2}, // as long as one fetcher needs
	} {
		if name == "efficiency" {
			s.tools = append(s.tools, s.tools[0])
		}
		got := c.ratios(s, nil)
		s.tools = s.tools[:1]
		if len(got) != 1 || got[0].value.median != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	// The machine carries 10 pages a second, 18 in 1.8 s; latency asks for 4 s with 4 connections to a host.
	plain := aStudy(0.1)
	if got := ofLatency(4, 0.9)(s, []*study{plain}); len(got) != 1 || got[0].value.median != 0.2 {
		t.Errorf("four connections: %v, want 0.2", got)
	}
	plain.tools[1].done[0].wall *= 10 // now it carries one, and needs 18 s
	if got := ofLatency(4, 0.9)(s, []*study{plain}); len(got) != 1 || got[0].value.median != 0.9 {
		t.Errorf("four connections on a slow machine: %v, want 0.9", got)
	}
}

func TestCheckExport(t *testing.T) {
	const a, b = `{"url":"u/a","outcome":"fetched","digest":"x"}` + "\n", `{"url":"u/b","outcome":"fetched","digest":"x"}` + "\n"
	w := &web{list: []string{"u/a", "u/b"}}
	for name, c := range map[string]struct{ text, want string }{
		"every page once":   {a + b, ""},
		"a page is missing": {a, "1 rows for 2 pages, 1 pages are missing"},
		"a page twice":      {a + a + b, "3 rows for 2 pages"},
		"a page failed":     {a + strings.Replace(b, "fetched", "failed", 1), "row 2: u/b is failed"},
		"no JSON":           {a + "{", "row 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, exportFile), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := checkExport(newRound(w, dir))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if err := checkExport(newRound(w, t.TempDir())); err == nil {
		t.Error("no export is no error")
	}
}

// listOf writes the URLs of a farm to a file.
func listOf(t *testing.T, f *webfarm.Farm) string {
	var list strings.Builder
	for u := range f.URLs() {
		list.WriteString(u + "\n")
	}
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoopsAskForEveryPageAsOftenAsTold(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 3, PagesPerHost: 20, MinBytes: 1, MaxBytes: 40_000, Assets: -1, Gzip: 0.5})
	file := listOf(t, f)
	for _, kind := range []string{"bare", "gzip", "raw"} {
		f.ResetAudit()
		s := loopSettings{kind: kind, urls: file, passes: 3}
		if err := s.run(t.Context(), 8); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if a := f.Audit().Total; a.Pages != 180 || a.Unique != 60 || a.Unknown != 0 || a.BadHost != 0 {
			t.Errorf("%s: %+v, want 60 pages three times", kind, a)
		}
	}
	if err := os.WriteFile(file, []byte(f.Seeds()[0]+"nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := loopSettings{kind: "bare", urls: file, passes: 1}
	if err := s.run(t.Context(), 1); err == nil {
		t.Error("a page that is not there is no error of the bare loop")
	}
}

func TestProcessSaysWhatFailed(t *testing.T) {
	r := newRound(nil, t.TempDir())
	if err := r.process(t.Context(), "go", "no-such-command"); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("%v, want the output of the command", err)
	}
	r = newRound(nil, t.TempDir())
	if err := r.process(t.Context(), "go", "version"); err != nil || r.usage.cpu <= 0 || r.usage.rss <= 0 || len(r.pids) > 0 {
		t.Errorf("%+v %v", r.usage, err)
	}
	w := &tail{}
	for range 1000 {
		w.Write([]byte("0123456789"))
	}
	if len(w.text) != outputKept {
		t.Errorf("%d bytes kept, want %d", len(w.text), outputKept)
	}
}

func TestScenariosAreNamedOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, sc := range scenarios() {
		if seen[sc.name] || sc.title == "" || sc.shape.total() == 0 || sc.ratios == nil || len(sc.checks) == 0 {
			t.Errorf("%q is there twice, or has no title, web, ratios or check", sc.name)
		}
		seen[sc.name] = true
	}
	if all := (settings{only: "all"}).chosen(); len(all) != len(seen) {
		t.Errorf("all are %d of %d scenarios", len(all), len(seen))
	}
	if some := (settings{only: "a-g,a-plain"}).chosen(); len(some) != 2 {
		t.Errorf("%d scenarios, want 2", len(some))
	}
}

func TestWrongUseIsToldBeforeAnythingStarts(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "-1"}, {"-no-such-flag"}, {"argument"}, {"-hosts", "-1"}, {"-only", "nothing"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("%q: status %d, %q", args, code, errs.String())
		}
	}
}
