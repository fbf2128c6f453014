package robots

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/ascii"
)

// Limits of the robots.txt parser. Each leaves an oddity when it is hit.
const (
	// MaxRobotsLine is how much of a line is read, in bytes: eight times the longest URL of some browsers.
	MaxRobotsLine = 2083*8 - 1
	// MaxRobotsOddities is the most oddities that are listed.
	MaxRobotsOddities = 50
	// MaxRobotsSitemaps is the most sitemaps that are listed.
	MaxRobotsSitemaps = 1000

	maxOddityBytes   = 100 // of a line quoted in an oddity
	maxCrawlDelaySec = 1e9 // what fits a time.Duration; policy cuts far below
)

// ParseRobots reads a robots.txt for the crawler whose product token (or whole user agent) is given. All
// groups for the token are merged; without one, all groups for "*". It never fails: what cannot be read is
// passed over and listed. The time is linear in the body, but for one sort of the rules.
func Parse(body []byte, token string) *Rules {
	p := robotsParser{token: crawler.ProductToken(token), robots: &Rules{}}
	p.parse(string(body))
	return p.result(len(body))
}

// robotsGroup collects what is said to our token, or to everyone.
type robotsGroup struct {
	seen  bool // a user-agent line names it, even if nothing follows
	rules []parsedRule
	bytes int           // of lines kept
	delay time.Duration // the longest asked for

	open    bool // rules that follow belong to it
	delayed bool // a Crawl-delay that follows belongs to it
}

type robotsParser struct {
	token  string
	robots *Rules
	line   int
	own    robotsGroup
	all    robotsGroup

	anyAgent   bool // a user-agent line was seen
	inRules    bool // the group has rules, so a user-agent line begins another group
	afterDelay bool // a Crawl-delay was the last word to the agents above it
	oddities   int
}

func (p *robotsParser) parse(text string) {
	text = p.skipMark(text)
	if t := strings.TrimLeft(text, " \t\r\n\f\v"); strings.HasPrefix(t, "<") {
		p.odd("looks like markup, not like robots.txt", "")
	}
	for more := true; more; {
		line := text
		if i := strings.IndexAny(text, "\r\n"); i < 0 {
			more = false
		} else {
			line = text[:i]
			if text[i] == '\n' {
				text = text[i+1:]
			} else {
				text = strings.TrimPrefix(text[i+1:], "\n")
			}
		}
		p.line++
		p.read(line)
	}
}

// skipMark skips a UTF-8 byte order mark, also one that is only partly there.
func (p *robotsParser) skipMark(text string) string {
	const mark = "\uFEFF"
	n := 0
	for n < len(mark) && n < len(text) && text[n] == mark[n] {
		n++
	}
	if n > 0 && n < len(mark) {
		p.odd("part of a byte order mark", "")
	}
	return text[n:]
}

// read takes one line: a field, a colon and a value. A missing colon is forgiven between two words.
func (p *robotsParser) read(line string) {
	if len(line) > MaxRobotsLine {
		p.odd("line cut at "+strconv.Itoa(MaxRobotsLine)+" bytes", line)
		line = line[:MaxRobotsLine]
	}
	line, _, _ = strings.Cut(line, "#")
	if line = ascii.TrimSpace(line); line == "" {
		return
	}
	field, value, ok := strings.Cut(line, ":")
	if !ok {
		i := strings.IndexAny(line, " \t")
		if i < 0 || strings.ContainsAny(ascii.TrimSpace(line[i:]), " \t") {
			p.odd("no field and value", line)
			return
		}
		field, value = line[:i], line[i:]
		p.odd("colon missing", line)
	}
	p.field(ascii.TrimSpace(field), ascii.TrimSpace(value), line)
}

func (p *robotsParser) field(field, value, line string) {
	switch {
	case ascii.HasAnyPrefixFold(field, "user-agent", "useragent", "user agent"):
		p.agent(value)
	case ascii.HasPrefixFold(field, "allow"):
		p.rule(true, value, line)
	case ascii.HasAnyPrefixFold(field, "disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"):
		if !ascii.HasPrefixFold(field, "disallow") {
			p.odd("misspelt, read as disallow", line)
		}
		p.rule(false, value, line)
	case ascii.HasAnyPrefixFold(field, "crawl-delay", "crawldelay", "crawl delay"):
		p.crawlDelay(value, line)
	case ascii.HasAnyPrefixFold(field, "sitemap", "site-map"):
		p.sitemap(value, line)
	default:
		p.odd("unknown field", line)
	}
}

// agent begins a group, or adds a name to the group that has no rules yet. A Crawl-delay does not end the
// list of names for the rules (RFC 9309, section 2.2.4), but it counts only for the names above it.
func (p *robotsParser) agent(value string) {
	if p.inRules {
		p.own.open, p.all.open = false, false
	}
	if p.inRules || p.afterDelay {
		p.own.delayed, p.all.delayed = false, false
	}
	p.anyAgent, p.inRules, p.afterDelay = true, false, false
	g := &p.own
	if value == "*" || strings.HasPrefix(value, "* ") || strings.HasPrefix(value, "*\t") {
		g = &p.all
	} else if name := crawler.ProductToken(value); name == "" || !strings.EqualFold(name, p.token) {
		return
	}
	g.seen, g.open, g.delayed = true, true, true
}

// group is the group that the line belongs to; a group that names our token and "*" is ours. It is nil
// for the groups of others.
func (p *robotsParser) group() *robotsGroup {
	switch {
	case p.own.open:
		return &p.own
	case p.all.open:
		return &p.all
	}
	return nil
}

func (p *robotsParser) rule(allow bool, value, line string) {
	if !p.anyAgent {
		p.odd("rule before the first user-agent", line)
		return
	}
	p.inRules = true
	g := p.group()
	if g == nil || value == "" {
		return
	}
	if value[0] != '/' && value[0] != '*' {
		p.odd("rule matches nothing: it begins with neither / nor *", line)
	}
	g.add(parsedRule{pattern: newRobotsPattern(value), text: line, line: int32(p.line), allow: allow})
	// As Google has it: who allows a directory's index page allows the directory.
	if i := strings.LastIndexByte(value, '/'); allow && i >= 0 && strings.HasPrefix(value[i:], "/index.htm") {
		g.add(parsedRule{pattern: newRobotsPattern(value[:i+1] + "$"), text: line, line: int32(p.line), allow: true})
	}
}

func (g *robotsGroup) add(r parsedRule) {
	r.weight = int32(r.pattern.weight())
	g.rules = append(g.rules, r)
	g.bytes += len(r.text)
}

// crawlDelay takes seconds, with a fraction or without. Of several the longest counts.
func (p *robotsParser) crawlDelay(value, line string) {
	p.afterDelay = true
	if !p.anyAgent {
		p.odd("rule before the first user-agent", line)
		return
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || strings.Trim(value, "0123456789.") != "" || seconds > maxCrawlDelaySec {
		p.odd("not a number of seconds", line)
		return
	}
	delay := time.Duration(seconds * float64(time.Second))
	if p.own.delayed {
		p.own.delay = max(p.own.delay, delay)
	} else if p.all.delayed {
		p.all.delay = max(p.all.delay, delay)
	}
}

// sitemap is global: it belongs to no group and ends none.
func (p *robotsParser) sitemap(value, line string) {
	switch {
	case value == "":
		p.odd("sitemap without a URL", line)
	case len(p.robots.Sitemaps) == MaxRobotsSitemaps:
		p.odd("more than "+strconv.Itoa(MaxRobotsSitemaps)+" sitemaps", line)
	default:
		p.robots.Sitemaps = append(p.robots.Sitemaps, strings.Clone(value))
	}
}

// result puts the rules that apply into the order of decision.
func (p *robotsParser) result(bodyBytes int) *Rules {
	g := &p.all
	if p.own.seen {
		g = &p.own
	}
	if g.bytes < bodyBytes/2 { // otherwise a few rules would keep a large file in memory
		for i := range g.rules {
			r := &g.rules[i]
			r.text, r.pattern.text = strings.Clone(r.text), strings.Clone(r.pattern.text)
		}
	}
	slices.SortStableFunc(g.rules, func(a, b parsedRule) int {
		if c := cmp.Compare(b.weight, a.weight); c != 0 || a.allow == b.allow {
			return c
		}
		if a.allow {
			return -1
		}
		return 1
	})
	p.robots.rules, p.robots.CrawlDelay = slices.Clip(g.rules), g.delay
	if more := p.oddities - MaxRobotsOddities; more > 0 {
		p.robots.Oddities = append(p.robots.Oddities, fmt.Sprintf("and %d more", more))
	}
	return p.robots
}

// odd lists a line that was passed over or forgiven.
func (p *robotsParser) odd(what, line string) {
	if p.oddities++; p.oddities > MaxRobotsOddities {
		return
	}
	text := "line " + strconv.Itoa(max(p.line, 1)) + ": " + what
	if line != "" {
		if len(line) > maxOddityBytes {
			line = line[:maxOddityBytes] + "…"
		}
		text += ": " + strconv.Quote(line)
	}
	p.robots.Oddities = append(p.robots.Oddities, text)
}
