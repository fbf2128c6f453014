package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// outDir is where RESULTS.md is, from the module's root.
const outDir = "bench"

// spread is the middle of some figures, and how far they reach.
type spread struct{ median, low, high float64 }

func newSpread(v []float64) spread {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return spread{}
	}
	return spread{median: (v[(n-1)/2] + v[n/2]) / 2, low: v[0], high: v[n-1]}
}

func (s spread) format(verb string) string {
	if s.low == s.high {
		return fmt.Sprintf(verb, s.median)
	}
	return fmt.Sprintf(verb+" ("+verb+"–"+verb+")", s.median, s.low, s.high)
}

// wholeTime is what all scenarios may take on two processors.
const wholeTime = 30 * time.Minute

// report prints figures and findings, writes the files that are asked for, and returns whether all hold.
func (m *measurement) report(stdout io.Writer) (bool, error) {
	var text bytes.Buffer
	all := true
	for _, s := range m.studies {
		all = s.write(&text, m.studies) && all
	}
	took := time.Since(m.started).Round(time.Second)
	if m.only == "all" && !m.quick {
		fits := found(took <= wholeTime, "all took %v, at most %v wanted", took, wholeTime)
		fits.write(&text)
		all = all && fits.ok
	}
	if _, err := stdout.Write(text.Bytes()); err != nil {
		return all, err
	}
	switch {
	case m.quick && m.settings.write:
		return all, writeRatios(filepath.Join(outDir, ratiosFile), m.studies)
	case m.quick:
		return guard(filepath.Join(outDir, ratiosFile), m.studies, stdout)
	case m.settings.write:
		return all, m.writeResults(text.String(), took)
	}
	return all, nil
}

// write prints a line for a finding.
func (f finding) write(out io.Writer) {
	word := "PASS"
	if !f.ok {
		word = "FAIL"
	}
	fmt.Fprintf(out, "%s  %s\n", word, f.text)
}

// write prints a scenario.
func (s *study) write(out io.Writer, all []*study) bool {
	fmt.Fprintf(out, "%s: %s\n%d pages on %d hosts; median (lowest–highest)\n\n", s.name, s.title, s.total, s.shape.hosts)
	s.table(out)
	s.explain(out)
	holds := true
	for _, f := range s.findings(all) {
		f.write(out)
		holds = holds && f.ok
	}
	fmt.Fprintln(out)
	return holds
}

// findings are what the scenario asks for, line by line.
func (s *study) findings(all []*study) []finding {
	var out []finding
	for _, t := range s.tools {
		if t.broken != nil {
			out = append(out, found(false, "%s: %v", t.name, t.broken))
		}
	}
	if !s.measured() {
		return out
	}
	for _, c := range append([]check{ratiosHold}, s.checks...) {
		out = append(out, c(s, all)...)
	}
	return out
}

func (s *study) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "tool\trounds\tpages/s\tto %s\tCPU s\tCPU µs/page\tidle\tpeak RSS MB\tpages\trepeats\n", s.tools[0].name)
	for _, t := range s.tools {
		if len(t.done) == 0 {
			continue
		}
		last := t.done[len(t.done)-1]
		idle := "-"
		if share, ok := t.idle(); ok {
			idle = fmt.Sprintf("%.2f", share.median)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.2f\t%.0f\t%s\t%.0f\t%d\t%d\n", t.name, len(t.done),
			t.spread(t.rate).format(rateVerb(t)), t.ratio(s.tools[0]).format("%.3f"),
			t.spread(func(o outcome) float64 { return o.cpu.Seconds() }).median,
			t.spread(func(o outcome) float64 { return float64(t.cpuPerPage(o)) / float64(time.Microsecond) }).median,
			idle, t.spread(func(o outcome) float64 { return float64(o.rss) / 1e6 }).high,
			t.pages(last), last.audit.Pages-t.pages(last))
	}
	w.Flush()
	fmt.Fprintln(out)
}

// rateVerb shows slow rates with digits.
func rateVerb(t *tool) string {
	if t.spread(t.rate).median < 100 {
		return "%.2f"
	}
	return "%.0f"
}

// explain says what each tool did, and what is peculiar about its figures.
func (s *study) explain(out io.Writer) {
	for _, t := range s.tools {
		fmt.Fprintf(out, "%s: %s\n", t.name, t.what)
		if len(t.done) == 0 {
			if !t.installed() {
				fmt.Fprintf(out, "  (not measured: %s is not installed)\n", t.program)
			}
			continue
		}
		switch last := t.done[len(t.done)-1]; {
		case last.cut:
			fmt.Fprintf(out, "  (stopped after %v, with %d of %d pages)\n", cmp.Or(t.limit, roundTime), last.audit.Unique, s.total)
		case last.audit.Unique != int64(s.total):
			fmt.Fprintf(out, "  (ended without all pages, %d of %d)\n", last.audit.Unique, s.total)
		}
		if last := t.done[len(t.done)-1]; last.failed != nil {
			fmt.Fprintf(out, "  (ended with %v)\n", last.failed)
		}
	}
	fmt.Fprintln(out)
}

// writeResults writes RESULTS.md, its plot and the ratios that README.md shows.
func (m *measurement) writeResults(text string, took time.Duration) error {
	var b strings.Builder
	b.WriteString("# Results of `make bench`\n\nFigures from one machine on one day. Only ratios within one run mean something elsewhere.\n\n")
	fmt.Fprintf(&b, "- date: %s, in %s\n- machine: %s/%s, %d CPUs%s\n- Go: %s\n- server and tools share the machine; loopback, no TLS\n\n![ratios, pages a second and processor time](%s)\n\n",
		m.started.UTC().Format(time.DateOnly), took, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version(), plotFile)
	b.WriteString("## What must be true\n\n```\n")
	for _, s := range m.studies {
		for _, f := range s.findings(m.studies) {
			f.text = s.name + ": " + f.text
			f.write(&b)
		}
	}
	fmt.Fprintf(&b, "```\n\n## Figures\n\n```\n%s```\n", text)
	return errors.Join(
		os.WriteFile(filepath.Join(outDir, "RESULTS.md"), []byte(b.String()), 0o644),
		os.WriteFile(filepath.Join(outDir, plotFile), plot(m.studies), 0o644),
		writeRatios(filepath.Join(outDir, resultsFile), m.studies),
	)
}

// processor is the name of the processor, where the system tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return ", " + strings.TrimSpace(value)
		}
	}
	return ""
}
