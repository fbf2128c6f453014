package robots

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/corpustest"
)

func TestRobotsCorpus(t *testing.T) {
	var cases []struct {
		ID        int    `json:"id"`
		Source    string `json:"source"`
		Robots    string `json:"robots_txt"`
		Encoding  string `json:"robots_txt_encoding"`
		UserAgent string `json:"user_agent"`
		URL       string `json:"url"`
		Allowed   bool   `json:"allowed"`
	}
	corpustest.Read(t, "robots.json", &cases)
	passed := 0
	for _, c := range cases {
		body := []byte(c.Robots)
		if c.Encoding == "base64" {
			var err error
			if body, err = base64.StdEncoding.DecodeString(c.Robots); err != nil {
				t.Fatal(err)
			}
		}
		if got := Inspect(body, c.UserAgent, c.URL); got != c.Allowed {
			t.Errorf("%d (%s): %s for %s is %v, want %v\n%.300q", c.ID, c.Source, c.URL, c.UserAgent, got, c.Allowed, body)
			continue
		}
		passed++
	}
	t.Logf("%d of %d cases", passed, len(cases))
}

func TestRobotsAllowed(t *testing.T) {
	long := strings.Repeat("a", MaxRobotsLine)
	tests := []struct {
		name   string
		robots string
		path   string
		want   bool
	}{
		{"an empty file allows everything", "", "/a", true},
		{"a rule before the first user-agent is passed over and the rest counts", "Disallow: /b\nUser-agent: *\nDisallow: /a", "/a", false},
		{"a rule before the first user-agent binds nobody", "Disallow: /b\nUser-agent: *\nDisallow: /a", "/b", true},
		{"all groups with our token are merged", "User-agent: trawl\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: Trawl\nDisallow: /b", "/b", false},
		{"all groups for everyone are merged", "User-agent: *\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: *\nDisallow: /b", "/a", false},
		{"an empty group with our token hides the groups for everyone", "User-agent: *\nDisallow: /\nUser-agent: trawl\n", "/a", true},
		{"a token that begins with ours is another", "User-agent: trawler\nDisallow: /", "/a", true},
		{"a token that ours begins with is another", "User-agent: tra\nDisallow: /", "/a", true},
		{"the value of user-agent ends at the first character that no token has", "User-agent: trawl/1.0 (x)\nDisallow: /", "/a", false},
		{"a star with words after it is everyone", "User-agent: * bots\nDisallow: /", "/a", false},
		{"the longest rule wins wherever it stands", "User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/b/c", true},
		{"allow wins a tie", "User-agent: *\nDisallow: /a\nAllow: /a", "/a", true},
		{"a star counts for the length", "User-agent: *\nAllow: /page\nDisallow: /*.htm", "/page.htm", false},
		{"a star matches nothing too", "User-agent: *\nDisallow: /a*b", "/ab", false},
		{"a rule may begin with a star", "User-agent: *\nDisallow: *b", "/ab", false},
		{"and be nothing but one", "User-agent: *\nDisallow: *", "/ab", false},
		{"pieces between stars must not overlap", "User-agent: *\nDisallow: /a*aba*ba$", "/aaba", true},
		{"the last piece is the end when a dollar follows", "User-agent: *\nDisallow: /*.gif$", "/a.gif.gif", false},
		{"a dollar ends the path and not the query", "User-agent: *\nDisallow: /*.gif$", "/a.gif?x", true},
		{"a dollar in the middle is a dollar", "User-agent: *\nDisallow: /a$b", "/a$b", false},
		{"an encoded star is a star and no wildcard", "User-agent: *\nDisallow: /a%2Ab", "/axb", true},
		{"an encoded star matches a star", "User-agent: *\nDisallow: /a%2ab", "/a*b", false},
		{"an encoded dollar at the end is a dollar", "User-agent: *\nDisallow: /a%24", "/a", true},
		{"hexadecimal digits have no case", "User-agent: *\nDisallow: /%e3%83%84", "/%E3%83%84", false},
		{"octets beyond ASCII match their escapes", "User-agent: *\nDisallow: /ツ", "/%E3%83%84", false},
		{"a space in a rule matches its escape", "User-agent: *\nDisallow: /a b/", "/a%20b/", false},
		{"encoded letters match letters", "User-agent: *\nDisallow: /%62ar", "/bar", false},
		{"an encoded slash is no slash", "User-agent: *\nDisallow: /a/b", "/a%2Fb", true},
		{"a percent sign without digits is one", "User-agent: *\nDisallow: /a%zz", "/a%zz", false},
		{"paths have case", "User-agent: *\nDisallow: /A", "/a", true},
		{"an empty value is no rule", "User-agent: *\nDisallow:", "/a", true},
		{"frequent misspellings count", "Useragent: *\nDissalow: /a", "/a", false},
		{"a missing colon is forgiven", "user-agent *\ndisallow /a", "/a", false},
		{"a comment needs no space before it", "User-agent: *\nDisallow: /a#b", "/a", false},
		{"carriage returns end lines", "User-agent: *\rDisallow: /a\r", "/a", false},
		{"a byte order mark is skipped", "\xEF\xBB\xBFUser-agent: *\nDisallow: /a", "/a", false},
		{"part of a byte order mark is skipped", "\xEF\xBBUser-agent: *\nDisallow: /a", "/a", false},
		{"a sitemap ends no group", "User-agent: trawl\nSitemap: http://a.test/s\nUser-agent: x\nDisallow: /a", "/a", false},
		{"a crawl-delay ends no group", "User-agent: trawl\nCrawl-delay: 5\nUser-agent: x\nDisallow: /a", "/a", false},
		{"an unknown field ends no group", "User-agent: trawl\nHost: a.test\nUser-agent: x\nDisallow: /a", "/a", false},
		{"a line too long is cut and counts", "User-agent: *\nDisallow: /" + long + "b", "/" + long, false},
		{"who allows the index page allows the directory", "User-agent: *\nDisallow: /\nAllow: /d/index.html", "/d/", true},
		{"but nothing else in it", "User-agent: *\nDisallow: /\nAllow: /d/index.html", "/d/x", false},
		{"robots.txt is always allowed", "User-agent: *\nDisallow: /", "/robots.txt", true},
		{"an empty path is the root", "User-agent: *\nDisallow: /$", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Parse([]byte(tt.robots), "trawl").Allowed(tt.path).Allowed; got != tt.want {
				t.Errorf("allowed %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRobotsTellsTheRuleThatDecided(t *testing.T) {
	r := Parse([]byte("# hello\r\n\r\nUser-agent: *\r\n  Disallow: /a # not this\r\nAllow: /a/b"), "trawl")
	if got, want := r.Allowed("/a/c"), (Rule{Line: 4, Text: "Disallow: /a"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := r.Allowed("/a/b"), (Rule{Allowed: true, Line: 5, Text: "Allow: /a/b"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := r.Allowed("/x"), (Rule{Allowed: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRobotsCrawlDelay(t *testing.T) {
	tests := []struct {
		name   string
		robots string
		want   time.Duration
		odd    bool
	}{
		{"whole seconds", "User-agent: *\nCrawl-delay: 10", 10 * time.Second, false},
		{"a fraction", "User-agent: *\nCrawl-delay: 0.25", 250 * time.Millisecond, false},
		{"our own group's, not everyone's", "User-agent: *\nCrawl-delay: 10\nUser-agent: trawl\nCrawl-delay: 2", 2 * time.Second, false},
		{"everyone's when no group is ours", "User-agent: x\nCrawl-delay: 2\nUser-agent: *\nCrawl-delay: 10", 10 * time.Second, false},
		{"of the agents above it only", "User-agent: trawl\nCrawl-delay: 2\nUser-agent: x\nCrawl-delay: 30\nDisallow: /", 2 * time.Second, false},
		{"after the rules", "User-agent: trawl\nUser-agent: x\nDisallow: /a\nCrawl-delay: 3", 3 * time.Second, false},
		{"the longest of several", "User-agent: *\nCrawl-delay: 3\nCrawl-delay: 1", 3 * time.Second, false},
		{"a unit is a bad value", "User-agent: *\nCrawl-delay: 10s", 0, true},
		{"a negative one is a bad value", "User-agent: *\nCrawl-delay: -1", 0, true},
		{"infinity is a bad value", "User-agent: *\nCrawl-delay: Inf", 0, true},
		{"an overflow is a bad value", "User-agent: *\nCrawl-delay: 99999999999999999999", 0, true},
		{"hexadecimal is a bad value", "User-agent: *\nCrawl-delay: 0x1p4", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Parse([]byte(tt.robots), "trawl")
			if r.CrawlDelay != tt.want || len(r.Oddities) > 0 != tt.odd {
				t.Errorf("delay %v with oddities %q, want %v", r.CrawlDelay, r.Oddities, tt.want)
			}
		})
	}
}

func TestRobotsListsSitemapsAndOddities(t *testing.T) {
	r := Parse([]byte("Sitemap: http://a.test/1\nUser-agent: x\nSite-map: /2\nDisalow: /\nnonsense\nHost: a.test\n"), "trawl")
	if want := []string{"http://a.test/1", "/2"}; !slices.Equal(r.Sitemaps, want) {
		t.Errorf("sitemaps %q, want %q", r.Sitemaps, want)
	}
	want := []string{
		`line 4: misspelt, read as disallow: "Disalow: /"`,
		`line 5: no field and value: "nonsense"`,
		`line 6: unknown field: "Host: a.test"`,
	}
	if !slices.Equal(r.Oddities, want) {
		t.Errorf("oddities %q, want %q", r.Oddities, want)
	}
	r = Parse([]byte("<html>"+strings.Repeat("\n"+strings.Repeat("x", 1000), 200)), "trawl")
	if n := len(r.Oddities); n != MaxRobotsOddities+1 || !strings.HasSuffix(r.Oddities[n-1], " more") {
		t.Errorf("oddities are not bounded: %d, the last %q", n, r.Oddities[n-1])
	}
	for _, o := range r.Oddities {
		if len(o) > 2*maxOddityBytes {
			t.Errorf("an oddity of %d bytes", len(o))
		}
	}
}

func TestInspectRobotsTakesAnyURL(t *testing.T) {
	robots := []byte("User-agent: trawl\nDisallow: /b/\nDisallow: /?q")
	tests := []struct {
		url  string
		want bool
	}{
		{"http://A.test:80/a/../b/c#d", false},
		{"http://user:password@a.test/b/", false},
		{"https://a.test?q", false},
		{"http://a.test", true},
		{"//a.test/b/c", false},
		{"a.test/b/c", false},
		{"http://[bad/b/c", false},
		{"", true},
		{"/b/c", false},
		{"?q", false},
		{"/b#/", true},
		{"//a.test", true},
	}
	for _, tt := range tests {
		if got := Inspect(robots, "Trawl/1 (+http://a.test)", tt.url); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.url, got, tt.want)
		}
	}
}

// TestRobotsPatternAgainstAnother compares the matcher with one that tries everything.
func TestRobotsPatternAgainstAnother(t *testing.T) {
	var try func(p, s string) bool
	try = func(p, s string) bool {
		switch {
		case p == "":
			return true
		case p == "$":
			return s == ""
		case p[0] == '*':
			return try(p[1:], s) || s != "" && try(p, s[1:])
		}
		return s != "" && p[0] == s[0] && try(p[1:], s[1:])
	}
	words := func(alphabet string, n int) []string {
		all, last := []string{""}, []string{""}
		for range n {
			var next []string
			for _, w := range last {
				for _, c := range alphabet {
					next = append(next, w+string(c))
				}
			}
			all, last = append(all, next...), next
		}
		return all
	}
	paths := words("ab", 6)
	for _, p := range words("ab*", 5) {
		for _, p := range []string{p, p + "$"} {
			pattern := newRobotsPattern("/" + p)
			for _, s := range paths {
				if got, want := pattern.matches("/"+s), try(p, s); got != want {
					t.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
				}
			}
		}
	}
}

func FuzzParseRobots(f *testing.F) {
	f.Add([]byte("User-agent: *\nDisallow: /a*b$\nCrawl-delay: 1.5\nSitemap: x"), "trawl", "/a%62?q")
	f.Add([]byte("\xEF\xBBuser-agent trawl\r\ndisalow /\x00%2a"), "Trawl/1", "")
	f.Fuzz(func(t *testing.T, body []byte, token, path string) {
		r := Parse(body, token)
		if !r.Allowed("/robots.txt").Allowed {
			t.Error("/robots.txt is not allowed")
		}
		rule := r.Allowed(path)
		if lines := 1 + strings.Count(string(body), "\n") + strings.Count(string(body), "\r"); rule.Line > lines {
			t.Errorf("rule in line %d of %d", rule.Line, lines)
		}
		if rule.Line == 0 && !rule.Allowed {
			t.Error("disallowed by no rule")
		}
		if again := robotsPath(robotsPath(path)); len(r.Oddities) > MaxRobotsOddities+1 || strings.Contains(again, "\x00") {
			t.Errorf("%d oddities, path %q", len(r.Oddities), again)
		}
		Inspect(body, token, path)
	})
}

func BenchmarkParseRobotsWildcards(b *testing.B) {
	var body []byte
	body = append(body, "User-agent: *\n"...)
	for i := 0; len(body) < 500*crawler.KiB; i++ {
		body = append(body, "Disallow: /*a"+strconv.Itoa(i)+"*b*.html$\n"...)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Parse(body, "trawl")
	}
}

func BenchmarkRobotsAllowed(b *testing.B) {
	var rules strings.Builder
	rules.WriteString("User-agent: *\n")
	for i := 0; rules.Len() < 500*crawler.KiB; i++ {
		rules.WriteString("Disallow: /*a" + strconv.Itoa(i) + "*b*.html$\n")
	}
	for _, bb := range []struct{ name, robots, path string }{
		{"200 stars on 8 KB", "User-agent: *\nDisallow: /" + strings.Repeat("*a", 200) + "$", "/" + strings.Repeat("a", 8190) + "b"},
		{"500 KiB of rules on 4 KB", rules.String(), "/" + strings.Repeat("a0b", 1300)},
		{"a usual file", "User-agent: *\nDisallow: /search\nDisallow: /*?print=\nAllow: /", "/articles/2024/some-title.html"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := Parse([]byte(bb.robots), "trawl")
			for b.Loop() {
				r.Allowed(bb.path)
			}
		})
	}
}
