package export

import (
	"errors"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

func TestAFilterChoosesRows(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	row := func(url string, o crawler.Outcome, fetched time.Time) *crawler.Row {
		return &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(url), Outcome: o, FetchedAt: fetched}}
	}
	rows := []*crawler.Row{
		row("https://a.example/early", crawler.Fetched, noon.Add(-time.Nanosecond)),
		row("https://a.example/noon", crawler.Fetched, noon),
		row("https://a.example:8443/late", crawler.Failed, noon.Add(time.Hour)),
		row("https://b.example/late", crawler.Failed, noon.Add(time.Hour)),
		row("https://b.example/never", crawler.Waiting, time.Time{}),
	}
	for name, c := range map[string]struct {
		filter Filter
		want   []int
	}{
		"nothing is asked for":           {Filter{}, []int{0, 1, 2, 3, 4}},
		"one outcome":                    {Filter{Outcomes: []crawler.Outcome{crawler.Failed}}, []int{2, 3}},
		"two outcomes, waiting is one":   {Filter{Outcomes: []crawler.Outcome{crawler.Waiting, crawler.Fetched}}, []int{0, 1, 4}},
		"a host, which has no port":      {Filter{Hosts: []weburl.Host{"a.example"}}, []int{0, 1}},
		"two hosts, one with a port":     {Filter{Hosts: []weburl.Host{"a.example:8443", "b.example"}}, []int{2, 3, 4}},
		"since a time, which counts":     {Filter{Since: noon}, []int{1, 2, 3}},
		"since before everything":        {Filter{Since: time.Unix(0, 0)}, []int{0, 1, 2, 3}},
		"all three":                      {Filter{Outcomes: []crawler.Outcome{crawler.Failed}, Hosts: []weburl.Host{"b.example"}, Since: noon}, []int{3}},
		"a host that is not there":       {Filter{Hosts: []weburl.Host{"c.example"}}, nil},
		"an outcome that no row has now": {Filter{Outcomes: []crawler.Outcome{crawler.Leased}}, nil},
	} {
		var got []int
		for r, err := range c.filter.Rows(rowsOf(rows...)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slices.Index(rows, r))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: rows %v, not %v", name, got, c.want)
		}
	}
}

func TestAFilterPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	var got []error
	for r, err := range (Filter{Hosts: []weburl.Host{"c.example"}}).Rows(failing(bareRow(), broken)) {
		if r != nil {
			t.Errorf("a row of %s", r.URL)
		}
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], broken) {
		t.Errorf("errors %v", got)
	}
}

func TestAFilteredReadingMayEndEarly(t *testing.T) {
	var n int
	for range (Filter{Outcomes: []crawler.Outcome{crawler.Waiting}}).Rows(rowsOf(bareRow(), bareRow(), bareRow())) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d rows", n)
	}
}
