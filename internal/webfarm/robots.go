package webfarm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Barred is a product token that every robots.txt of the farm excludes from everything.
const Barred = "barredbot"

// rule allows or disallows the paths with a prefix.
type rule struct {
	prefix string
	allow  bool
}

// allowedBy decides by the longest rule that matches (RFC 9309 section 2.2.2; the farm's own rules have no
// wildcards).
func allowedBy(rules []rule, target string) bool {
	allow, length := true, -1
	for _, r := range rules {
		if len(r.prefix) > length && strings.HasPrefix(target, r.prefix) {
			allow, length = r.allow, len(r.prefix)
		}
	}
	return allow
}

type robotsMode uint8

const (
	robotsAnswers robotsMode = iota
	robotsMissing
	robotsError
	robotsHang
	robotsRedirect
)

func (s *site) robotsMode(host int) robotsMode {
	o := s.o.Robots
	u := unit(s.hash(saltRobots, host, 0))
	for i, f := range []float64{o.Missing, o.Error, o.Hang, o.Redirect} {
		if u -= f; u < 0 {
			return robotsMissing + robotsMode(i)
		}
	}
	return robotsAnswers
}

// rules are those of a host for everybody who is not Barred.
func (s *site) rules(host int) []rule {
	if s.robotsMode(host) == robotsMissing {
		return nil
	}
	own := s.disallowedSection(host)
	return []rule{{prefix: "/" + sections[own]}, {prefix: "/" + openSections[own], allow: true}}
}

// crawlDelay is the one that a host's robots.txt asks for.
func (s *site) crawlDelay(host int) time.Duration {
	if s.robotsMode(host) == robotsMissing {
		return 0
	}
	return s.o.Robots.CrawlDelay
}

func (s *site) robotsBody(host int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# robots.txt of host %d\nUser-agent: %s\nDisallow: /\n\nUser-agent: *\n", host, Barred)
	for _, r := range s.rules(host) {
		word := "Disallow"
		if r.allow {
			word = "Allow"
		}
		fmt.Fprintf(&b, "%s: %s\n", word, r.prefix)
	}
	if d := s.crawlDelay(host); d > 0 {
		fmt.Fprintf(&b, "Crawl-delay: %s\n", strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	}
	return []byte(b.String())
}

const (
	robotsPath = "/robots.txt"
	// robotsHop is where the rules of another host lie whose robots.txt redirects here; the number of that
	// host follows.
	robotsHop = "/robots-of/"
)

// robotsTarget is where the robots.txt of a host with robotsRedirect lies.
func (s *site) robotsTarget(host int) string {
	to := s.otherHost(host, s.hash(saltTarget, host, -1))
	return s.faces[to].base + robotsHop + strconv.Itoa(host)
}

// robotsOf reads the path of such a place.
func (s *site) robotsOf(target []byte) (int, bool) {
	rest, ok := strings.CutPrefix(string(target), robotsHop)
	host, err := strconv.Atoi(rest)
	return host, ok && err == nil && host >= 0 && host < s.o.Hosts && s.robotsMode(host) == robotsRedirect
}

// barred reports whether a User-Agent begins with the token that is excluded everywhere.
func barred(agent []byte) bool {
	return len(agent) >= len(Barred) && strings.EqualFold(string(agent[:len(Barred)]), Barred)
}
