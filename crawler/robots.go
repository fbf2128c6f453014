package crawler

import "time"

// Robots are the rules of one robots.txt that apply to one crawler (RFC 9309).
type Robots struct {
	CrawlDelay time.Duration // 0 = none given
	Sitemaps   []string      // as written
	Oddities   []string      // what was passed over, one line each, for explain; bounded
}

// ParseRobots reads a robots.txt for the crawler whose product token is given. It never fails: what
// cannot be read is passed over and listed.
func ParseRobots(body []byte, token string) *Robots { return &Robots{} }

// RobotsRule is the rule that decided.
type RobotsRule struct {
	Allowed bool
	Line    int    // in the file, from 1; 0 when no rule matched
	Text    string // as written; "" when no rule matched
}

// Allowed decides for a path with query, as in a request line.
func (r *Robots) Allowed(requestURI string) RobotsRule { return RobotsRule{Allowed: true} }
