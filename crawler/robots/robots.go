package robots

import (
	"strings"
	"time"

	"trawl/crawler/weburl"
)

// Robots are the rules of one robots.txt that apply to one crawler (RFC 9309). The zero value allows
// everything. It is safe for concurrent use as long as its fields are not changed.
type Rules struct {
	CrawlDelay time.Duration // 0 = none given
	Sitemaps   []string      // as written, at most MaxRobotsSitemaps
	Oddities   []string      // what was passed over, one line each, for explain; bounded

	rules []parsedRule // the order in which they decide: the first that matches wins
}

// RobotsRule is the rule that decided.
type Rule struct {
	Allowed bool
	Line    int    // in the file, from 1; 0 when no rule matched
	Text    string // as written; "" when no rule matched
}

// parsedRule is a rule in the order of decision: longest pattern first, allow before disallow.
type parsedRule struct {
	pattern robotsPattern
	text    string // the line as written, without comment
	line    int32
	weight  int32 // octets of the pattern
	allow   bool
}

// Allowed decides for a path with query, as in a request line. The longest rule that matches wins, an
// allow wins against a disallow of the same length, and /robots.txt itself is always allowed.
func (r *Rules) Allowed(requestURI string) Rule {
	path := robotsPath(requestURI)
	if path == "/robots.txt" {
		return Rule{Allowed: true}
	}
	for i := range r.rules {
		if rule := &r.rules[i]; rule.pattern.matches(path) {
			return Rule{Allowed: rule.allow, Line: int(rule.line), Text: rule.text}
		}
	}
	return Rule{Allowed: true}
}

// InspectRobots reports whether a robots.txt allows a URL to a crawler. The URL may be written in any way:
// it is made canonical first, as it would be before it is asked for; text that is no URL is cut into
// pieces the simple way.
func Inspect(body []byte, userAgent, rawURL string) bool {
	return Parse(body, userAgent).Allowed(requestURIOf(rawURL)).Allowed
}

func requestURIOf(rawURL string) string {
	if u, err := weburl.Parse(rawURL); err == nil {
		return u.RequestURI()
	}
	s, _, _ := strings.Cut(rawURL, "#")
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	} else {
		s = strings.TrimPrefix(s, "//")
	}
	if i := strings.IndexAny(s, "/?"); i >= 0 {
		return s[i:]
	}
	return "/"
}
