package core

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestANameThatCannotBeGivenEndsTheStep(t *testing.T) {
	inBubble(t, "a ledger that cannot be read ends the step", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.names.Broken = errors.New("damaged")
		st := d.s.newStep()
		if st.giveName(mustURL("http://a.test/"), "x/y"); !errors.Is(st.err, d.names.Broken) || len(st.changes.Names.Given) != 0 {
			t.Errorf("%v, %+v", st.err, st.changes.Names)
		}
	})
}

func TestLinesOfAListGetTheirNames(t *testing.T) {
	url := "http://a.test/f"
	own := crawler.FileName(mustURL(url))
	type row struct {
		name, want string
		aliases    []string // names of further lines
	}
	for name, tt := range map[string]struct {
		lines []string
		want  row
	}{
		"none given":                        {[]string{url}, row{}},
		"one given":                         {[]string{url + " n"}, row{name: "n"}},
		"the one that it has anyway":        {[]string{url + " " + own}, row{}},
		"the same line twice":               {[]string{url, url}, row{}},
		"the same name twice":               {[]string{url + " n", url + " n"}, row{name: "n"}},
		"a second name":                     {[]string{url + " n", url + " m"}, row{name: "n", aliases: []string{"m"}}},
		"a line without a name":             {[]string{url + " n", url}, row{name: "n"}},
		"a body asked for at first":         {[]string{url + " n one"}, row{name: "n", want: "one"}},
		"a body asked for later":            {[]string{url + " n", url + " n one"}, row{name: "n", want: "one"}},
		"a body asked for without a name":   {[]string{url + " n", url + " - one"}, row{name: "n", want: "one"}},
		"another body":                      {[]string{url + " n one", url + " n two"}, row{name: "n", want: "one"}},
		"another body under a second name":  {[]string{url + " n one", url + " m two"}, row{name: "n", want: "one", aliases: []string{"m two"}}},
		"no body under the name it has":     {[]string{url + " n one", url + " n"}, row{name: "n", want: "one"}},
		"a name after a line without":       {[]string{url, url + " m"}, row{aliases: []string{"m"}}},
		"three":                             {[]string{url + " n", url + " m", url + " o", url + " m"}, row{name: "n", aliases: []string{"m", "o"}}},
		"what the URL's own name would be":  {[]string{url + " n", url + " " + own}, row{name: "n", aliases: []string{own}}},
		"a name that is another's, changed": {[]string{"http://b.test/ n", url + " n"}, row{name: "n" + crawler.MarkURL(mustURL(url), 0)}},
	} {
		for _, when := range []string{"at once", "one after another", "after it is settled"} {
			inBubble(t, name+", "+when, func(t *testing.T) {
				d := newNameDesk(t, crawler.NameRule{})
				if when == "at once" {
					d.lines(tt.lines...)
				} else {
					for n, line := range tt.lines {
						d.lines(line)
						if n == 0 && when == "after it is settled" {
							d.fetch(map[string]string{url: "http://b.test/x"})
							clear(d.names.ToPlace)
						}
					}
				}
				r := d.row(url)
				got, want := row{name: r.Name}, crawler.Digest{}
				if tt.want.want != "" {
					want = schedulertest.DigestOf(tt.want.want)
				}
				for n, a := range d.names.Further {
					text := a.Name
					if !a.Want.IsZero() {
						text += " " + strings.TrimRight(string(a.Want[:]), "\x00")
					}
					if got.aliases = append(got.aliases, text); a.Of != r.Key() || a.Sequence <= r.Sequence || n > 0 && a.Sequence <= d.names.Further[n-1].Sequence {
						t.Errorf("further name %+v", a)
					}
				}
				if got.name != tt.want.name || r.Want != want || !slices.Equal(got.aliases, tt.want.aliases) || r.Aliases != len(got.aliases) {
					t.Errorf("row %q wants %v, says %d further ones, which are %q; want %+v", got.name, r.Want, r.Aliases, got.aliases, tt.want)
				}
				if when == "after it is settled" && tt.lines[0][:len(url)] == url {
					_, looked := d.names.ToPlace[r.Key()]
					if changed := len(got.aliases) > 0 || len(tt.lines) > 1 && !r.Want.IsZero() && !strings.HasSuffix(tt.lines[0], " one"); looked != changed {
						t.Errorf("its names are to be looked at again: %v, want %v", looked, changed)
					}
				}
			})
		}
	}
	inBubble(t, "where a redirect led has a name of its own only when a line asks for it", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(url + " n one")
		d.fetch(map[string]string{url: "http://b.test/x"})
		r := d.row("http://b.test/x")
		if !r.Inherits || r.Name != "n" || r.Want != schedulertest.DigestOf("one") || r.Aliases != 0 || len(d.names.Holders) != 1 {
			t.Errorf("row %+v, names %v", r, d.names.Holders)
		}
		d.lines("http://b.test/x")
		if r = d.row("http://b.test/x"); r.Aliases != 1 || len(d.names.Further) != 1 || d.names.Further[0].Name != crawler.FileName(r.URL) {
			t.Errorf("row %+v, names %v", r, d.names.Further)
		}
	})
}

func TestAFetchedBodyGetsItsFile(t *testing.T) {
	url := "http://a.test/f"
	settle := func(d *nameDesk, fill func(*crawler.Result)) *crawler.Row {
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			r := schedulertest.Fetched(url)
			r.Digest = schedulertest.DigestOf("one")
			r.Archive = crawler.Locator{File: crawler.BodyName(r.URL, r.Digest), Length: 7}
			fill(&r)
			p.Results, p.End = []crawler.Result{r}, true
		})
		return d.row(url)
	}
	for name, tt := range map[string]struct {
		line string
		fill func(*crawler.Result)
		file string // "" = as it came
		why  crawler.Reason
		look bool // its names are to be looked at
	}{
		"with the body that was asked for":     {url + " n one", func(*crawler.Result) {}, "files/n", "", true},
		"with any":                             {url, func(*crawler.Result) {}, "files/a.test/f", "", true},
		"with another body":                    {url + " n two", func(*crawler.Result) {}, "-", crawler.ReasonDigest, false},
		"that lies in the archive":             {url, func(r *crawler.Result) { r.Archive.File = "archive/x" }, "", "", false},
		"that is another URL's":                {url, func(r *crawler.Result) { r.Archive.File = crawler.BodyName(mustURL("http://b.test/"), r.Digest) }, "", "", false},
		"that is not what the result tells of": {url, func(r *crawler.Result) { r.Archive.File = crawler.BodyName(r.URL, schedulertest.DigestOf("two")) }, "", "", false},
		"not: it failed":                       {url, func(r *crawler.Result) { r.Outcome, r.Reason, r.Status = crawler.Failed, crawler.ReasonHTTPStatus, 404 }, "", crawler.ReasonHTTPStatus, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newNameDesk(t, crawler.NameRule{})
			d.lines(tt.line)
			var came crawler.Locator
			r := settle(d, func(r *crawler.Result) { tt.fill(r); came = r.Archive })
			want := crawler.Locator{File: tt.file, Length: 7}
			switch tt.file {
			case "":
				want = came
			case "-":
				want = crawler.Locator{}
			}
			if _, look := d.names.ToPlace[r.Key()]; r.Archive != want || r.Reason != tt.why || look != tt.look {
				t.Errorf("%+v, %q, looked at %v", r.Archive, r.Reason, look)
			}
			if tt.why == crawler.ReasonDigest && (!strings.Contains(r.Detail, schedulertest.DigestOf("two").String()) || !strings.Contains(r.Detail, schedulertest.DigestOf("one").String())) {
				t.Errorf("it says %q", r.Detail)
			}
		})
	}
}

func TestFilesThatFetchersShipAreNoted(t *testing.T) {
	inBubble(t, "with how many rows point into them, and how far, but not those of this process", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		settle := func(fetcher string, l crawler.Locator) {
			t.Helper()
			st := d.s.newStep()
			st.shipped(fetcher, l)
			st.shipped(fetcher, crawler.Locator{File: l.File, Offset: 5, Length: 5})
			if err := d.s.seal(st); err != nil {
				t.Fatal(err)
			}
		}
		settle("f", crawler.Locator{File: "archive/x", Offset: 20, Length: 10})
		settle("f", crawler.Locator{File: "archive/x", Offset: 0, Length: 10})
		settle("local", crawler.Locator{File: "archive/x", Length: 100})
		settle("f", crawler.Locator{File: "files/x", Length: 100})
		if f := d.names.Files; len(f) != 1 || f["archive/x"] != (crawler.ShippedFile{Name: "archive/x", Fetcher: "f", Rows: 4, End: 30}) || len(d.names.Read) != 1 {
			t.Errorf("%+v, read %v", f, d.names.Read)
		}
		d.start(t, d.led)
		settle("f", crawler.Locator{File: "archive/x", Offset: 30, Length: 1})
		if f := d.names.Files["archive/x"]; f.Rows != 6 || f.End != 31 || len(d.names.Read) != 2 {
			t.Errorf("after a start: %+v, read %v", f, d.names.Read)
		}
	})
}

func TestAResultCountsTheRowsOfTheFileThatItsFetcherShips(t *testing.T) {
	inBubble(t, "with the row itself", func(t *testing.T) {
		const url = "http://a.test/f"
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(url)
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			r := schedulertest.Fetched(url)
			r.Archive = crawler.Locator{File: "archive/x", Offset: 20, Length: 10}
			p.Results, p.End = []crawler.Result{r}, true
		})
		want := crawler.ShippedFile{Name: "archive/x", Fetcher: "f", Rows: 1, End: 30}
		if f := d.names.Files; len(f) != 1 || f["archive/x"] != want || d.row(url).Archive.File != "archive/x" {
			t.Errorf("%+v, want %+v; row %+v", f, want, d.row(url))
		}
	})
}
