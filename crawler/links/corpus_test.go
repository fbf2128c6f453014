package links

import (
	"slices"
	"testing"

	"trawl/crawler/corpustest"
)

// TestLinksCorpus wants all of the corpus; a case that trawl is to decide otherwise would be named here
// with its reason, and there is none.
func TestLinksCorpus(t *testing.T) {
	var cases []struct {
		ID       string   `json:"id"`
		Source   string   `json:"source"`
		Kind     string   `json:"kind"`
		Base     string   `json:"base"`
		Content  string   `json:"content"`
		Expected []string `json:"expected"`
	}
	corpustest.Read(t, "links.json", &cases)
	passed := 0
	for _, c := range cases {
		got := slices.Sorted(slices.Values(Inspect(c.Base, []byte(c.Content), nil, c.Kind)))
		want := slices.Sorted(slices.Values(c.Expected))
		if !slices.Equal(got, want) {
			t.Errorf("%s (%s)\n%.400q\n got %q\nwant %q", c.ID, c.Source, c.Content, got, want)
			continue
		}
		passed++
	}
	t.Logf("%d of %d cases", passed, len(cases))
}
