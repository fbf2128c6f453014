package main

import (
	"strings"
	"testing"
)

func TestABenchmarkCrawlLeavesALedgerThatBalances(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"-urls", "1000,3000", "-checks", "5000", "-turns", "4", "-dir", t.TempDir(), "-verify"}, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want a head and one for each size:\n%s", n, &out)
	}
}

func TestURLsOfTheBenchmarkAreAsLongAsThoseOfCommonCrawl(t *testing.T) {
	w := &web{hosts: 1000, mean: 100}
	bytes, seen := 0, make(map[string]bool)
	for host := range w.hosts {
		for number := range 20 {
			u := w.url(host, number)
			bytes += len(u.String())
			seen[u.String()] = true
			if w.number(u.Host()) != host {
				t.Fatalf("%s is of host %d, want %d", u, w.number(u.Host()), host)
			}
		}
	}
	if n := 20 * w.hosts; len(seen) != n || bytes/n < 75 || bytes/n > 85 {
		t.Errorf("%d URLs of %d bytes on average, want %d of about 80", len(seen), bytes/n, n)
	}
}

func TestHostsOfTheBenchmarkHaveTheirMean(t *testing.T) {
	w := &web{mean: 100}
	total := 0
	for host := range 1000 {
		total += w.size(host)
	}
	if mean := total / 1000; mean < 95 || mean > 105 {
		t.Errorf("%d URLs a host, want about %d", mean, w.mean)
	}
}
