package crawler

import (
	"slices"
	"testing"
)

// linkMisses are cases of the corpus on which trawl decides otherwise, each with the reason.
var linkMisses = map[string]string{}

func TestLinksCorpus(t *testing.T) {
	var cases []struct {
		ID       string   `json:"id"`
		Source   string   `json:"source"`
		Kind     string   `json:"kind"`
		Base     string   `json:"base"`
		Content  string   `json:"content"`
		Expected []string `json:"expected"`
	}
	readCorpus(t, "links.json", &cases)
	passed := 0
	for _, c := range cases {
		got := InspectLinks(c.Base, []byte(c.Content), nil, c.Kind)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.Expected))
		if slices.Equal(got, want) {
			passed++
			if why := linkMisses[c.ID]; why != "" {
				t.Errorf("%s passes and is listed as a miss: %s", c.ID, why)
			}
			continue
		}
		if linkMisses[c.ID] == "" {
			t.Errorf("%s (%s)\n%.400q\n got %q\nwant %q", c.ID, c.Source, c.Content, got, want)
		}
	}
	t.Logf("%d of %d cases", passed, len(cases))
}
