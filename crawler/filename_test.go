package crawler

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trawl/crawler/weburl"
)

func TestFileName(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"a path is host and path", "http://h/a/b.html", "h/a/b.html"},
		{"a directory has an index", "http://h/a/", "h/a/index.html"},
		{"so has the root", "https://h", "h/index.html"},
		{"a query is part of the name", "http://h/a.html?b=1&c", "h/a.html?b=1&c"},
		{"an empty one too", "http://h/a?", "h/a?"},
		{"a query of a directory", "http://h/?q", "h/index.html?q"},
		{"other ports are part of the host", "http://127.0.0.1:8080/a", "127.0.0.1:8080/a"},
		{"the default ports are not", "http://h:443/a", "h/a"},
		{"an IPv6 address keeps its brackets", "http://[::1]:81/a", "[::1]:81/a"},
		{"percent-encoding stays", "http://h/%2F%2e%2e%2Fa%00?%2F", "h/%2F%2e%2e%2Fa%00?%2F"},
		{"empty segments are braces", "http://h//a//", "h/{}/a/{}/index.html"},
		{"dots as a host are braced", "http://../a", "{..}/a"},
		{"one dot as a host too", "http://./a", "{.}/a"},
		{"slashes of a query make no directories", `http://h/a?/../b\c`, "h/a?%2f..%2fb%5cc"},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := FileName(weburl.MustParse(c.in))
			if got != c.want {
				t.Errorf("FileName(%q) = %q, want %q", c.in, got, c.want)
			}
			checkName(t, got)
		})
	}
	if got := FileName(weburl.URL{}); got != "" {
		t.Errorf("no URL has the name %q", got)
	}
}

func TestLongNamesAreCutAndStayDifferent(t *testing.T) {
	a300, deep := strings.Repeat("a", 300), strings.Repeat("dir/", 500)
	seen := map[string]string{}
	for _, in := range []string{
		"http://h/" + a300 + "1.html", "http://h/" + a300 + "2.html", "http://h/" + a300 + "/1.html", "http://h/" + a300 + "/2.html",
		"http://h/x.html?" + a300 + "1", "http://h/x.html?" + a300 + "2",
		"http://h/" + deep + "a.html", "http://h/" + deep + "b.html", "http://h/" + deep + "dir/a.html", "http://h/" + deep,
		"http://h/" + deep + a300, "http://h/a?/", "http://h/a?%2f", "http://h/a?%2F", "http://h/a", "http://h/a?", "http://h/a/",
		"http://h//", "http://h//a", "http://" + strings.Repeat("long.", 100) + "1x/", "http://" + strings.Repeat("long.", 100) + "2x/",
	} {
		name := FileName(weburl.MustParse(in))
		checkName(t, name)
		if other, ok := seen[name]; ok {
			t.Errorf("%.60q and %.60q have one name %q", in, other, name)
		}
		seen[name] = in
	}
	if name := FileName(weburl.MustParse("http://h/" + a300 + ".html")); !strings.HasSuffix(name, "}.html") || len(name) != len("h/")+MaxSegmentBytes {
		t.Errorf("a cut name is %q, want it to be as long as it may and keep its ending", name)
	}
}

// checkName reports what holds for every name.
func checkName(t *testing.T, name string) {
	t.Helper()
	if !filepath.IsLocal(name) || len(name) > MaxNameBytes || strings.ContainsAny(name, "\x00\\\n") {
		t.Errorf("%q must not be a name", name)
	}
	for s := range strings.SplitSeq(name, "/") {
		if s == "" || s == "." || s == ".." || len(s) > MaxSegmentBytes {
			t.Errorf("%q has the segment %q", name, s)
		}
	}
	if clean, err := CleanName(name); err != nil || clean != name {
		t.Errorf("CleanName(%q) = %q, %v", name, clean, err)
	}
}

func TestCleanName(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"a name stays", "a.html", "a.html"},
		{"a path stays", "a/b/ü c.html", "a/b/ü c.html"},
		{"hidden files are files", ".a/..b/...", ".a/..b/..."},
		{"needless segments go", "./a//./b", "a/b"},
		{"255 bytes are a name", strings.Repeat("a", 255), strings.Repeat("a", 255)},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, err := CleanName(c.in); err != nil || got != c.want {
				t.Errorf("CleanName(%q) = %q, %v, want %q", c.in, got, err, c.want)
			}
		})
	}
	for _, c := range []struct{ in, says string }{
		{"", "is empty"}, {"/a", "absolute"}, {"//", "absolute"}, {"a/", "directory"}, {".", "directory"}, {"./", "directory"}, {"a/.", "directory"},
		{"..", `".."`}, {"../a", `".."`}, {"a/../b", `".."`}, {"a/..", `".."`}, {`a\..\b`, `"\"`}, {`C:\a`, `"\"`},
		{"a\x00b", "control character"}, {"a\nb", "control character"}, {"a/" + strings.Repeat("b", 256), "longer than 255 bytes"},
		{strings.Repeat("a/", 512) + "a", "longer than 1024 bytes"},
	} {
		t.Run("refuses "+c.says, func(t *testing.T) {
			if got, err := CleanName(c.in); !errors.Is(err, ErrBadName) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("CleanName(%q) = %q, %v, want an error that says %s", c.in, got, err, c.says)
			}
		})
	}
}

func FuzzFileName(f *testing.F) {
	for _, seed := range []string{
		"http://h/a/../b", "http://../..%2f", `http://h/?/../\..`, "http://h//", "http://h/" + strings.Repeat("a/", 999), "../a", "a//b", "a\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := weburl.Parse(s); err == nil {
			checkName(t, FileName(u))
		}
		if name, err := CleanName(s); err == nil {
			checkName(t, name)
		}
	})
}

func TestNamesAreOneByTheRuleOfTheirFileSystem(t *testing.T) {
	cased, formed, both := NameRule{Case: true}, NameRule{Form: true}, NameRule{Case: true, Form: true}
	for _, c := range []struct {
		a, b string
		one  []NameRule
	}{
		{"a/Readme", "a/README", []NameRule{cased, both}},
		{"\u00c4", "\u00e4", []NameRule{cased, both}},
		{"\u00df", "SS", []NameRule{cased, both}},
		{"\u03c3", "\u03c2", []NameRule{cased, both}},
		{"a\u0308", "\u00e4", []NameRule{formed, both}},
		{"A\u0308", "\u00e4", []NameRule{both}},
		{"a", "b", nil},
		{"\ufb01", "fi", []NameRule{cased, both}}, // the ligature, as macOS has it
	} {
		for _, rule := range []NameRule{{}, cased, formed, both} {
			if is := rule.Key(c.a) == rule.Key(c.b); is != slices.Contains(c.one, rule) {
				t.Errorf("%q and %q by %+v: one is %v", c.a, c.b, rule, is)
			}
		}
	}
}
