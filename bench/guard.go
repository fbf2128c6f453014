package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// ratiosFile has the ratios of -quick, which guard what was reached.
	ratiosFile = "ratios.csv"
	// resultsFile has those of the last whole run, for README.md.
	resultsFile = "results.csv"
	plotFile    = "results.svg"
	// tolerance is by how much of itself a ratio may fall below the committed one: three short rounds on a
	// busy machine of two processors differ by that much without a change of the program.
	tolerance = 0.25
)

// row is one ratio of a file.
type row struct {
	scenario, name string
	median         float64
	want           float64
	date           string // of the run
}

// writeRatios writes all ratios of a run.
func writeRatios(file string, studies []*study) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"scenario", "ratio", "median", "wanted", "date"})
	for _, s := range studies {
		for _, r := range s.figures(studies) {
			w.Write([]string{s.name, r.name, strconv.FormatFloat(r.value.median, 'f', 3, 64), strconv.FormatFloat(r.want, 'f', -1, 64), time.Now().UTC().Format(time.DateOnly)})
		}
	}
	w.Flush()
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// readRatios reads such a file.
func readRatios(file string) ([]row, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out []row
	for i, l := range lines {
		if i == 0 {
			continue
		}
		median, err1 := strconv.ParseFloat(l[2], 64)
		want, err2 := strconv.ParseFloat(l[3], 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		out = append(out, row{scenario: l[0], name: l[1], median: median, want: want, date: l[4]})
	}
	return out, nil
}

// guard compares a run with the committed ratios; it returns false when one has fallen.
func guard(file string, studies []*study, out io.Writer) (bool, error) {
	rows, err := readRatios(file)
	if err != nil {
		return false, fmt.Errorf("%w; -quick -write makes it", err)
	}
	holds := true
	for _, s := range studies {
		holds = holds && len(wholeRounds(s)) == 0 // a fast crawl that misses pages is none
	}
	for _, r := range rows {
		s := find(studies, r.scenario)
		if s == nil {
			continue // -only
		}
		f := found(false, "%s: %s is not measured any more", r.scenario, r.name)
		for _, now := range s.figures(studies) {
			if now.name == r.name {
				least := r.median * (1 - tolerance)
				f = found(now.value.median >= least, "%s: %s %s, committed %.3f, at least %.3f wanted", r.scenario, r.name, now.value.format("%.3f"), r.median, least)
			}
		}
		f.write(out)
		holds = holds && f.ok
	}
	return holds, nil
}

// The place of the table in README.md.
const (
	readmeFile  = "README.md"
	readmeBegin = "<!-- go run ./bench -readme writes from here -->\n"
	readmeEnd   = "<!-- to here -->\n"
)

// writeReadme puts the ratios of the last whole run into README.md.
func writeReadme() error {
	rows, err := readRatios(outDir + "/" + resultsFile)
	if err != nil {
		return fmt.Errorf("%w; -only all -write makes it", err)
	}
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		return err
	}
	changed, err := withTable(string(text), rows)
	if err != nil {
		return err
	}
	return os.WriteFile(readmeFile, []byte(changed), 0o644)
}

// withTable is a text with the table between its marks.
func withTable(text string, rows []row) (string, error) {
	before, rest, ok1 := strings.Cut(text, readmeBegin)
	_, after, ok2 := strings.Cut(rest, readmeEnd)
	if !ok1 || !ok2 {
		return "", fmt.Errorf("%s has no place for the table, between %q and %q", readmeFile, readmeBegin, readmeEnd)
	}
	titles := make(map[string]string)
	for _, sc := range scenarios() {
		titles[sc.name] = sc.title
	}
	var b strings.Builder
	b.WriteString("\n| what | ratio | measured | asked for |\n|---|---|---|---|\n")
	for _, r := range rows {
		want := "–"
		if r.want > 0 {
			want = strconv.FormatFloat(r.want, 'f', -1, 64)
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %s |\n", titles[r.scenario], r.name, r.median, want)
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "\nMedians of one run on %s; [all figures](bench/RESULTS.md).\n", rows[0].date)
	}
	b.WriteString("\n")
	return before + readmeBegin + b.String() + readmeEnd + after, nil
}
