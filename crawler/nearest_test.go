package crawler

import "testing"

func TestTheNearestNameIsTheOneThatWasMeant(t *testing.T) {
	names := []string{"delay", "depth", "max-pages", "max-per-host", "per-host", "ignore-robots", "header", "redirect_to"}
	for word, want := range map[string]string{
		"dealy": "delay", "dely": "delay", "Delay": "delay", "headers": "header", "max_pages": "max-pages", "maxPages": "max-pages",
		"perhost": "per-host", "robots": "", "x": "", "": "", "ignore-robot": "ignore-robots", "redirectto": "redirect_to",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"", "ab"}: 2, {"ab", ""}: 2, {"kitten", "sitting"}: 3, {"abc", "abc"}: 0, {"flaw", "lawn"}: 2} {
		if got := editDistance(pair[0], pair[1]); got != want {
			t.Errorf("%q: %d, want %d", pair, got, want)
		}
	}
}
