package robots

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

func TestBoundsOfRobotsLeaveAnOddityWhenTheyAreHit(t *testing.T) {
	line := func(n int) string { return "User-agent: *\nDisallow: /" + strings.Repeat("a", n-len("Disallow: /")) }
	sitemaps := func(n int) string { return strings.Repeat("Sitemap: /s\n", n) }
	odd := func(n int) string { return strings.TrimSuffix(strings.Repeat("nonsense\n", n), "\n") }
	for _, c := range []struct {
		what, robots string
		odd          int
		last         string // begins the last oddity
	}{
		{"the longest line", line(MaxRobotsLine), 0, ""},
		{"one byte more", line(MaxRobotsLine + 1), 1, "line 2: line cut at 16663 bytes: "},
		{"the most sitemaps", sitemaps(MaxRobotsSitemaps), 0, ""},
		{"one more", sitemaps(MaxRobotsSitemaps + 1), 1, "line 1001: more than 1000 sitemaps"},
		{"the most oddities", odd(MaxRobotsOddities), MaxRobotsOddities, "line 50: no field and value"},
		{"one more of them", odd(MaxRobotsOddities + 1), MaxRobotsOddities + 1, "and 1 more"},
		{"two more", odd(MaxRobotsOddities + 2), MaxRobotsOddities + 1, "and 2 more"},
		{"the longest quoted line", strings.Repeat("x", maxOddityBytes), 1, `line 1: no field and value: "` + strings.Repeat("x", maxOddityBytes) + `"`},
		{"a longer one", strings.Repeat("x", maxOddityBytes+1), 1, `line 1: no field and value: "` + strings.Repeat("x", maxOddityBytes) + `…"`},
	} {
		r := Parse([]byte(c.robots), "trawl")
		if len(r.Oddities) != c.odd || c.odd > 0 && !strings.HasPrefix(r.Oddities[c.odd-1], c.last) {
			t.Errorf("%s: %d oddities, %.200q; want %d, the last %q", c.what, len(r.Oddities), r.Oddities[max(0, len(r.Oddities)-1):], c.odd, c.last)
		}
		if len(r.Sitemaps) > MaxRobotsSitemaps {
			t.Errorf("%s: %d sitemaps", c.what, len(r.Sitemaps))
		}
	}
}

func TestOdditiesOfRobots(t *testing.T) {
	for _, c := range []struct{ what, robots, want string }{
		{"none", "User-agent: *\r\n\r\n# all\nDisallow: /a\n", ""},
		{"markup", " \n\t<html>", "line 1: looks like markup, not like robots.txt; line 2: no field and value: \"<html>\""},
		{"a byte order mark", "\xEF\xBB\xBFUser-agent: *", ""},
		{"part of one", "\xEF\xBBUser-agent: *\nx", "line 1: part of a byte order mark; line 2: no field and value: \"x\""},
		{"less of one", "\xEFUser-agent: *", "line 1: part of a byte order mark"},
		{"nothing but that", "\xEF", "line 1: part of a byte order mark"},
		{"a colon that is missing", "User-agent *", `line 1: colon missing: "User-agent *"`},
		{"too many words for that", "disallow /a b", `line 1: no field and value: "disallow /a b"`},
		{"also with tabs", "disallow\t/a\tb", `line 1: no field and value: "disallow\t/a\tb"`},
		{"a rule for nobody", "Allow: /", `line 1: rule before the first user-agent: "Allow: /"`},
		{"a delay for nobody", "Crawl-delay: 1", `line 1: rule before the first user-agent: "Crawl-delay: 1"`},
		{"a rule that matches nothing", "User-agent: *\nDisallow: a", `line 2: rule matches nothing: it begins with neither / nor *: "Disallow: a"`},
		{"a rule that begins with a star", "User-agent: *\nDisallow: *a", ""},
		{"a rule of others", "User-agent: x\nDisallow: a", ""},
		{"a sitemap that is none", "Sitemap:", `line 1: sitemap without a URL: "Sitemap:"`},
		{"a misspelt field", "User-agent: *\nDiasllow: /", `line 2: misspelt, read as disallow: "Diasllow: /"`},
		{"an unknown field", "Hos: a", `line 1: unknown field: "Hos: a"`},
		{"lines of each ending are counted", "\r\n\r\n\n\r\rx", `line 6: no field and value: "x"`},
		{"a delay that is just too long", "User-agent: *\nCrawl-delay: 1000000001", `line 2: not a number of seconds: "Crawl-delay: 1000000001"`},
		{"a delay with two points", "User-agent: *\nCrawl-delay: 1.2.3", `line 2: not a number of seconds: "Crawl-delay: 1.2.3"`},
	} {
		if got := strings.Join(Parse([]byte(c.robots), "trawl").Oddities, "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if got := Parse([]byte("User-agent: *\nCrawl-delay: 1000000000"), "trawl").CrawlDelay; got != 1e9*time.Second {
		t.Errorf("the longest delay that is read is %v", got)
	}
}

func TestTheOrderOfRules(t *testing.T) {
	for _, c := range []struct {
		what, rules, path string
		line              int // that decides; 0 = none
	}{
		{"allow before disallow of one length", "Disallow: /a\nAllow: /a", "/a", 3},
		{"in either order", "Allow: /a\nDisallow: /a", "/a", 2},
		{"the first of equal ones", "Disallow: /a\nDisallow: /a", "/a", 2},
		{"the first of equal allows", "Allow: /a\nAllow: /a", "/a", 2},
		{"a dollar counts", "Disallow: /a\nAllow: /a$", "/a", 3},
		{"a dollar counts one", "Disallow: /a*\nAllow: /a$", "/a", 3},
		{"an escape counts three", "Allow: /ab\nDisallow: /%2F", "/%2F", 3},
		{"an escape of a letter counts one", "Allow: /ab\nDisallow: /%61", "/ab", 2},
		{"three lengths", "Disallow: /\nDisallow: /abc\nAllow: /ab", "/abcd", 3},
		{"three lengths, the middle one", "Disallow: /\nDisallow: /abc\nAllow: /ab", "/abx", 4},
		{"no rule", "Disallow: /a", "/b", 0},
		{"the index page of the root is the root", "Disallow: /\nAllow: /index.html", "/", 3},
		{"an index page of htm", "Disallow: /\nAllow: /d/index.htm", "/d/", 3},
		{"no index page", "Disallow: /\nAllow: /d/index.php", "/d/", 2},
		{"only who allows it", "Allow: /d\nDisallow: /d/index.html", "/d/", 2},
		{"and begins the name with it", "Disallow: /\nAllow: /d/my-index.html", "/d/", 2},
	} {
		r := Parse([]byte("User-agent: *\n"+c.rules), "trawl")
		if got := r.Allowed(c.path); got.Line != c.line || got.Text != "" != (c.line != 0) {
			t.Errorf("%s: %+v, want line %d", c.what, got, c.line)
		}
	}
	for pattern, want := range map[string]int{"/": 1, "/a$": 3, "$": 1, "/*": 2, "/%41": 2, "/%2f": 4, "/é": 7} {
		if got := newRobotsPattern(pattern).weight(); got != want {
			t.Errorf("%q weighs %d, want %d", pattern, got, want)
		}
	}
}

func TestWhoAGroupIsFor(t *testing.T) {
	for _, c := range []struct {
		agents  string // and a rule for them
		allowed bool
	}{
		{"*", false}, {"*\tand others", false}, {"* and others", false}, {"*bot", true}, {"", true},
		{"TRAWL", false}, {"trawl2", false}, {"trawl-x", true}, {"trawl_x", true}, {"trawl x", false},
	} {
		r := Parse([]byte("User-agent: "+c.agents+"\nDisallow: /"), "trawl/2")
		if got := r.Allowed("/a").Allowed; got != c.allowed {
			t.Errorf("%q: allowed %v", c.agents, got)
		}
	}
	for _, c := range []struct {
		what, robots string
		allowed      bool
		delay        time.Duration
	}{
		{"a list of names", "User-agent: x\nUser-agent: trawl\nUser-agent: y\nDisallow: /", false, 0},
		{"a list with everyone is ours", "User-agent: *\nUser-agent: trawl\nDisallow: /\nUser-agent: *\nAllow: /\nCrawl-delay: 9", false, 0},
		{"another group after rules", "User-agent: trawl\nDisallow: /b\nUser-agent: x\nDisallow: /\nCrawl-delay: 9", true, 0},
		{"everyone's after rules", "User-agent: *\nDisallow: /b\nUser-agent: x\nDisallow: /\nCrawl-delay: 9", true, 0},
		{"a delay before names", "User-agent: *\nCrawl-delay: 3\nUser-agent: x\nCrawl-delay: 9\nDisallow: /", false, 3 * time.Second},
		{"a delay of both", "User-agent: trawl\nUser-agent: *\nCrawl-delay: 3", true, 3 * time.Second},
		{"the longest of everyone's, last", "User-agent: *\nCrawl-delay: 1\nCrawl-delay: 3", true, 3 * time.Second},
		{"the longest of ours, first", "User-agent: trawl\nCrawl-delay: 3\nCrawl-delay: 1", true, 3 * time.Second},
	} {
		r := Parse([]byte(c.robots), "trawl")
		if r.Allowed("/a").Allowed != c.allowed || r.CrawlDelay != c.delay {
			t.Errorf("%s: allowed %v, delay %v", c.what, !c.allowed, r.CrawlDelay)
		}
	}
}

func TestEachOctetOfARobotsPath(t *testing.T) {
	const (
		letters    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		unreserved = letters + "0123456789-._~"
		plain      = unreserved + "!#$&'()*+,/:;=?@[]" // what stands for itself
	)
	for i := range 256 {
		c := string([]byte{byte(i)})
		escape := fmt.Sprintf("%%%02X", i)
		for _, in := range []string{escape, strings.ToLower(escape)} {
			want := escape
			if strings.Contains(unreserved+"*$", c) {
				want = c
			}
			for _, pattern := range []bool{false, true} {
				if got := robotsNormalise("/"+in+"x", pattern); got != "/"+want+"x" {
					t.Errorf("%s becomes %q, want %q", in, got, want)
				}
			}
			if got := robotsNormalise(in, false); got != want {
				t.Errorf("%s alone becomes %q, want %q", in, got, want)
			}
		}
		want := escape
		if strings.Contains(plain+"%", c) {
			want = c
		}
		if got := robotsNormalise("/"+c, false); got != "/"+want {
			t.Errorf("%q becomes %q, want %q", c, got, want)
		}
		if b := byte(i); ascii.IsLetter(b) != strings.Contains(letters, c) || ascii.IsHex(b) != strings.Contains("0123456789abcdefABCDEF", c) || ascii.IsDigit(b) != strings.Contains("0123456789", c) {
			t.Errorf("%q: letter %v, hexadecimal %v, digit %v", c, ascii.IsLetter(b), ascii.IsHex(b), ascii.IsDigit(b))
		} else if n, err := strconv.ParseUint(c, 16, 8); err == nil && ascii.Unhex(b) != byte(n) {
			t.Errorf("%q is %d", c, ascii.Unhex(b))
		}
	}
	for in, want := range map[string]string{"%": "%", "%4": "%4", "%4g": "%4g", "%g1": "%g1", "a%41": "aA", "%41": "A", "%%41": "%A", "%4%41": "%4A", "a*b": "a*b", "": ""} {
		if got := robotsNormalise(in, false); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"": "/", "a": "/a", "/a": "/a", "?q": "/?q"} {
		if got := robotsPath(in); got != want {
			t.Errorf("the path %q becomes %q, want %q", in, got, want)
		}
	}
	if got := robotsNormalise("/a*%2A*", true); got != "/a\x00*\x00" {
		t.Errorf("stars of a pattern become %q", got)
	}
}

func TestAFewRulesDoNotKeepALargeFileInMemory(t *testing.T) {
	body := []byte("User-agent: *\nDisallow: /a%20b\n#" + strings.Repeat("x", 500*crawler.KiB))
	var before, after runtime.MemStats
	kept := make([]*Rules, 40)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = Parse(body, "trawl")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > int64(len(kept)*len(body)/2) {
		t.Errorf("%d files of %d bytes keep %d bytes", len(kept), len(body), grown)
	}
	runtime.KeepAlive(kept)
}

func TestFieldsOfRobotsMayBeginWithTheirNames(t *testing.T) {
	r := Parse([]byte("USER-AGENT-x: *\nDISALLOWED: /a\nallows: /a/b\nSitemap-index: /s\nsite-maps: /t\nCRAWL-DELAYS: 3\ncrawldelay: 4\ncrawl delay: 5\nuser agent: y\nuseragents: z\n"), "trawl")
	if r.Allowed("/a").Allowed || !r.Allowed("/a/b").Allowed || r.CrawlDelay != 5*time.Second || !slices.Equal(r.Sitemaps, []string{"/s", "/t"}) || len(r.Oddities) != 0 {
		t.Errorf("%+v", r)
	}
}
