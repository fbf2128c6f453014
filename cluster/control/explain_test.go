package control

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"trawl/cluster/clustertest"
	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
)

func TestControlExplainsURLs(t *testing.T) {
	clustertest.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "control.sock")
	story := explain.Explanation{
		State: "running", At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Seen: true,
		Row: &explain.RowStory{Outcome: "waiting", Reason: crawler.ReasonRetry}, Why: explain.Why{Rule: "<rule>", Place: "place", Change: []string{"a", "b"}},
		Host: &explain.HostStory{Host: "a.test", Counts: map[string]int64{"waiting": 2}, Delay: time.Second},
	}
	startControl(t, Options{Socket: path, Explain: func(_ context.Context, u weburl.URL) (explain.Explanation, error) {
		if u.Path() == "/broken" {
			return explain.Explanation{}, errors.New("the ledger is damaged")
		}
		e := story
		e.URL = u.String()
		return e, nil
	}})
	c := clientTo(t, path, nil)
	ask := func(text string) (explain.Explanation, error) {
		u, err := weburl.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return c.Explain(t.Context(), u)
	}
	for name, text := range map[string]string{
		"a plain URL":                       "https://a.test/",
		"a URL with characters of a query":  "https://a.test/x?a=1&url=2+3%20#4",
		"the longest URL, each byte quoted": "https://a.test/?" + strings.Repeat("&", weburl.MaxBytes-len("https://a.test/?")),
	} {
		e, err := ask(text)
		u, _ := weburl.Parse(text)
		want := story
		want.URL = u.String()
		if err != nil || !reflect.DeepEqual(e, want) {
			t.Errorf("%s: %v, %+v", name, err, e)
		}
	}
	if _, err := ask("https://a.test/broken"); err == nil || !strings.Contains(err.Error(), "the ledger is damaged") {
		t.Errorf("a ledger that cannot be read: %v", err)
	}
	if _, err := c.Explain(t.Context(), weburl.URL{}); err == nil || !strings.Contains(err.Error(), "not a") {
		t.Errorf("no URL: %v", err)
	}
}

func TestControlWithoutExplainSaysSo(t *testing.T) {
	clustertest.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "control.sock")
	startControl(t, Options{Socket: path})
	u, err := weburl.Parse("https://a.test/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientTo(t, path, nil).Explain(t.Context(), u); err == nil || !strings.Contains(err.Error(), "does not offer that") {
		t.Errorf("error %v", err)
	}
}
