package main

import (
	"bytes"
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

// spread is the middle of some figures, and how far they reach.
type spread struct{ median, low, high float64 }

func newSpread(v []float64) spread {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return spread{median: (v[(n-1)/2] + v[n/2]) / 2, low: v[0], high: v[n-1]}
}

func (s spread) format(verb string) string {
	return fmt.Sprintf(verb+" ("+verb+"–"+verb+")", s.median, s.low, s.high)
}

func (t *tool) spread(value func(round int, o outcome) float64) spread {
	var v []float64
	for i, o := range t.rounds {
		v = append(v, value(i, o))
	}
	return newSpread(v)
}

// pages is how many pages a round brought, as the server saw it: for a crawl each counts once.
func (t *tool) pages(o outcome) int64 {
	if t.passes > 1 {
		return o.audit.Pages
	}
	return o.audit.Unique
}

// rate is pages a second.
func (t *tool) rate(o outcome) float64 { return float64(t.pages(o)) / o.wall.Seconds() }

// report prints figures and checks, and tells whether the checks hold.
func report(s settings, tools []*tool, total int, started time.Time, stdout io.Writer) (bool, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%d pages on %d hosts, %d rounds; median (lowest–highest)\n\n", total, s.hosts, s.rounds)
	table(&text, tools, total)
	ok := checks(&text, tools, s, total)
	if _, err := stdout.Write(text.Bytes()); err != nil || !s.write {
		return ok, err
	}
	return ok, writeResults(text.String(), started)
}

func table(out io.Writer, tools []*tool, total int) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "tool\tpages/s\tto bare\tCPU s\tCPU µs/page\tpeak RSS MB\tpages\trepeats")
	bare := tools[0]
	for _, t := range tools {
		last := t.rounds[len(t.rounds)-1]
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%.0f\t%.0f\t%d\t%d\n", t.name,
			t.spread(func(_ int, o outcome) float64 { return t.rate(o) }).format("%.0f"),
			t.ratio(bare).format("%.3f"),
			t.spread(func(_ int, o outcome) float64 { return o.cpu.Seconds() }).median,
			t.spread(func(_ int, o outcome) float64 { return o.cpu.Seconds() * 1e6 / float64(max(t.pages(o), 1)) }).median,
			t.spread(func(_ int, o outcome) float64 { return float64(o.rss) / 1e6 }).high,
			t.pages(last), last.audit.Pages-t.pages(last))
	}
	w.Flush()
	fmt.Fprintln(out)
	for _, t := range tools {
		fmt.Fprintf(out, "%s: %s\n", t.name, t.what)
		switch last := t.rounds[len(t.rounds)-1]; {
		case last.cut:
			fmt.Fprintf(out, "  (stopped after %v)\n", roundTime)
		case last.audit.Unique != int64(total):
			fmt.Fprintln(out, "  (ended without all pages)")
		}
	}
	fmt.Fprintln(out)
}

// ratio compares with another tool, round by round.
func (t *tool) ratio(to *tool) spread {
	return t.spread(func(i int, o outcome) float64 { return t.rate(o) / to.rate(to.rounds[i]) })
}

// checks prints a line for each, and tells whether all hold.
func checks(out io.Writer, tools []*tool, s settings, total int) bool {
	all := true
	check := func(ok bool, format string, args ...any) {
		word := "PASS"
		if !ok {
			word, all = "FAIL", false
		}
		fmt.Fprintf(out, "%s  %s\n", word, fmt.Sprintf(format, args...))
	}
	bare, trawl := tools[0], tools[1]
	for i, o := range bare.rounds {
		if want := int64(total * bare.passes); o.audit.Pages != want || o.cut {
			check(false, "the bare loop got %d pages in round %d, want %d", o.audit.Pages, i+1, want)
		}
	}
	ratio := trawl.ratio(bare)
	check(ratio.median >= wantRatio, "ratio trawl/bare %s, at least %.2f wanted", ratio.format("%.3f"), wantRatio)
	rss := trawl.spread(func(_ int, o outcome) float64 { return float64(o.rss) })
	check(rss.high < wantRSS, "peak RSS %.0f MB, less than %.0f wanted", rss.high/1e6, wantRSS/1e6)
	for i, o := range trawl.rounds {
		a := o.audit
		check(a.Unique == int64(total) && a.Repeats == 0 && a.Unknown == 0,
			"round %d: asked for %d of %d pages, %d again, %d unknown", i+1, a.Unique, total, a.Repeats, a.Unknown)
		check(a.Robots == int64(s.hosts) && a.BeforeRobots == 0 && a.Disallowed == 0 && a.MaxConcurrency <= 1,
			"round %d: robots.txt %d times for %d hosts, %d pages before it, %d disallowed, %d at once", i+1, a.Robots, s.hosts, a.BeforeRobots, a.Disallowed, a.MaxConcurrency)
		if o.written != nil {
			check(false, "round %d: export: %v", i+1, o.written)
		} else {
			check(true, "round %d: the export has every page once, fetched", i+1)
		}
	}
	return all
}

// writeResults writes RESULTS.md.
func writeResults(text string, started time.Time) error {
	var b strings.Builder
	b.WriteString("# Results of `make bench`\n\nFigures from one machine on one day. Only ratios within one run mean something elsewhere.\n\n")
	fmt.Fprintf(&b, "- date: %s\n- machine: %s/%s, %d CPUs%s\n- Go: %s\n- server and tools share the machine; loopback, no TLS\n\n",
		started.UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version())
	fmt.Fprintf(&b, "```\n%s```\n", text)
	return os.WriteFile(filepath.Join(outDir, "RESULTS.md"), []byte(b.String()), 0o644)
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
