package main

import (
	"bytes"
	"strings"
	"testing"

	"trawl"
)

func TestMissingBodiesAreNamedWithBothWaysOn(t *testing.T) {
	var out bytes.Buffer
	p := &program{stderr: &out}
	p.tellMissing([]trawl.Missing{{Fetcher: "one", Files: 2, Rows: 1300}, {Files: 1, Rows: 1}}, "d")
	for _, want := range []string{
		"fetcher one has not shipped 2 files that 1,300 rows point to\n",
		"fetcher (unknown) has not shipped 1 files that 1 rows point to\n",
		"start these fetchers again with their directories",
		"trawl check --repair d, then the same command\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}
