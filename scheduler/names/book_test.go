package names

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

func TestNamesOfFilesDoNotStandInEachOthersWay(t *testing.T) {
	a, b := weburl.MustParse("http://a.test/"), weburl.MustParse("http://b.test/")
	type wish struct {
		url        weburl.URL
		name, want string
		known      bool
	}
	dirs := func(n int) string { return "a" + strings.Repeat(crawler.MarkDir, n) }
	var manyDirs []wish
	for n := range maxMarks {
		manyDirs = append(manyDirs, wish{url: a, name: dirs(n), want: dirs(n)})
	}
	last := wish{url: a, name: dirs(maxMarks), want: dirs(maxMarks)}
	for name, tt := range map[string]struct {
		rule   crawler.NameRule
		wishes []wish
	}{
		"one that is free":                 {wishes: []wish{{url: a, name: "x/y/z", want: "x/y/z"}}},
		"the same once more":               {wishes: []wish{{url: a, name: "x/y", want: "x/y"}, {url: a, name: "x/y", want: "x/y", known: true}}},
		"two files of one directory":       {wishes: []wish{{url: a, name: "x/y", want: "x/y"}, {url: b, name: "x/z", want: "x/z"}}},
		"a file that another URL has":      {wishes: []wish{{url: a, name: "x/y.txt", want: "x/y.txt"}, {url: b, name: "x/y.txt", want: "x/" + crawler.MarkSegment("y.txt", crawler.MarkURL(b, 0))}}},
		"a directory where a file is":      {wishes: []wish{{url: a, name: "x", want: "x"}, {url: b, name: "x/y", want: "x{dir}/y"}, {url: a, name: "x/z", want: "x{dir}/z"}}},
		"a file where a directory is":      {wishes: []wish{{url: a, name: "x/y/z", want: "x/y/z"}, {url: b, name: "x", want: "x{file}"}, {url: b, name: "x/y", want: "x/y{file}"}}},
		"its own file as a directory":      {wishes: []wish{{url: a, name: "x", want: "x"}, {url: a, name: "x/y", want: "x{dir}/y"}}},
		"letters of another case":          {wishes: []wish{{url: a, name: "X/y", want: "X/y"}, {url: b, name: "x/y", want: "x/y"}, {url: b, name: "X", want: "X{file}"}}},
		"letters that are not told apart":  {rule: crawler.NameRule{Case: true}, wishes: []wish{{url: a, name: "X/y", want: "X/y"}, {url: b, name: "x", want: "x{file}"}, {url: a, name: "x/Y", want: "x/Y", known: true}}},
		"a directory that is marked often": {wishes: append(slices.Clone(manyDirs), wish{url: b, name: "a/y", want: dirs(maxMarks) + "/y"})},
		"and one that is too often":        {wishes: append(slices.Clone(manyDirs), last, wish{url: b, name: "a/y", want: dirs(maxMarks) + crawler.MarkURL(b, maxMarks) + "/y"})},
	} {
		for _, when := range []string{"in one step", "one after another", "each after a start"} {
			read := schedulertest.NewNames()
			book := NewBook(read, tt.rule)
			page := book.Page()
			for _, w := range tt.wishes {
				given, full, known, err := page.Give(w.url, w.name)
				if err != nil || full != w.want || known != w.known {
					t.Errorf("%s, %s: %s of %s became %s, known %v, %v; want %s", name, when, w.name, w.url, full, known, err, w.want)
				}
				if when == "in one step" {
					continue
				}
				if !known {
					read.Apply(&crawler.Changes{Names: crawler.NameChanges{Given: []crawler.GivenName{given}}})
				}
				if book.Take(page); when == "each after a start" {
					book = NewBook(read, tt.rule)
				}
				page = book.Page()
			}
		}
	}
}

func TestDirectoriesAreKnownFromMemoryButForSoMany(t *testing.T) {
	b := NewBook(schedulertest.NewNames(), crawler.NameRule{})
	for n := range maxDirs - 2 {
		b.dirs[fmt.Sprint(n)] = true
	}
	give := func(name string) {
		t.Helper()
		p := b.Page()
		if _, full, known, err := p.Give(weburl.MustParse("http://a.test/"), name); err != nil || known || full != name {
			t.Fatalf("%q, %v, %v", full, known, err)
		}
		b.Take(p)
	}
	if give("x/y/z"); len(b.dirs) != maxDirs || !b.dirs["x"] || !b.dirs["x/y"] {
		t.Errorf("%d directories", len(b.dirs))
	}
	if give("v/z"); len(b.dirs) != 1 || !b.dirs["v"] {
		t.Errorf("%d directories beyond the limit", len(b.dirs))
	}
}

func TestNamesThatCannotBeReadAreNotGiven(t *testing.T) {
	read := schedulertest.NewNames()
	read.Broken = errors.New("damaged")
	p := NewBook(read, crawler.NameRule{}).Page()
	if _, _, known, err := p.Give(weburl.MustParse("http://a.test/"), "x/y"); !errors.Is(err, read.Broken) || known || len(p.holders)+len(p.dirs) != 0 {
		t.Errorf("%v, known %v, %d names", err, known, len(p.holders))
	}
}
