package weburl

import (
	"testing"

	"trawl/crawler/corpustest"
)

// knownMisses are cases of the corpus that are answered otherwise, each with the reason.
var knownMisses = map[string]string{}

// TestURLCorpus runs the URL cases of web-platform-tests, which are kept outside of this repository.
func TestURLCorpus(t *testing.T) {
	var cases []struct {
		Input string  `json:"input"`
		Base  string  `json:"base"`
		Href  *string `json:"href"`
	}
	corpustest.Read(t, "urls.json", &cases)
	if len(cases) == 0 {
		t.Fatal("urls.json has no cases")
	}
	right := 0
	for _, c := range cases {
		got, ok := Inspect(c.Input, c.Base)
		switch {
		case ok == (c.Href != nil) && (!ok || got == *c.Href):
			right++
		case knownMisses[c.Input] != "":
			t.Logf("known miss %q at %q: %s", c.Input, c.Base, knownMisses[c.Input])
		case c.Href == nil:
			t.Errorf("%+q at %q is %q, must be refused", c.Input, c.Base, got)
		default:
			t.Errorf("%+q at %q is %q %v, want %q", c.Input, c.Base, got, ok, *c.Href)
		}
		checkAgree(t, c.Input, c.Base)
	}
	t.Logf("urls.json: %d of %d right (%.1f %%)", right, len(cases), 100*float64(right)/float64(len(cases)))
	if right*100 < len(cases)*98 {
		t.Errorf("only %d of %d are right, want 98 %%", right, len(cases))
	}
}
