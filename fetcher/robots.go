package fetcher

import (
	"bytes"
	"cmp"
	"fmt"
	"sync/atomic"
	"time"

	"trawl/crawler"
	"trawl/crawler/media"
	"trawl/crawler/robots"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
)

// maxRobotsHops is how many redirects of a robots.txt are followed (RFC 9309 section 2.3.1.2); after more
// it counts as unavailable.
const maxRobotsHops = 5

// schemes that a host has rules for.
var schemes = [...]string{"http", "https"}

// rules are the host's current robots.txt rules, by scheme. Reading them takes no lock.
type rules struct {
	fetching chan struct{} // one slot: taken while one is fetched, so that it is fetched once
	current  [len(schemes)]atomic.Pointer[schemeRules]
}

type schemeRules struct {
	robots *robots.Rules // nil: nothing may be asked for
	until  time.Time
	closed string // why the scheduler says that nothing may be asked for until then; "" = it does not
}

// read takes the files that came with the grant. Those that do not decide are fetched again.
func (rs *rules) read(files []crawler.RobotsFile, token string, received time.Time) {
	for _, f := range files {
		switch f.Status {
		case crawler.RobotsRules, crawler.RobotsUnavailable:
			rs.set(&f, token, received)
		case crawler.RobotsUnreachable: // it was asked for often enough, while the host's other pages could be had
			why := "robots.txt could not be read: " + f.Detail
			rs.current[schemeIndex(f.Scheme)].Store(&schemeRules{until: received.Add(f.TTL), closed: download.Detail(why)})
		}
	}
}

func (rs *rules) set(f *crawler.RobotsFile, token string, received time.Time) {
	r := &schemeRules{until: received.Add(f.TTL)}
	switch f.Status {
	case crawler.RobotsRules:
		r.robots = robots.Parse(f.Body, token)
	case crawler.RobotsUnavailable:
		r.robots = robots.Parse(nil, token)
	}
	rs.current[schemeIndex(f.Scheme)].Store(r)
}

// get is what counts at now, nil when robots.txt must be fetched.
func (rs *rules) get(scheme string, now time.Time) *schemeRules {
	if r := rs.current[schemeIndex(scheme)].Load(); r != nil && now.Before(r.until) {
		return r
	}
	return nil
}

func schemeIndex(scheme string) int {
	if scheme == schemes[1] {
		return 1
	}
	return 0
}

// crawlDelay makes the pace obey the Crawl-delay of the current rules.
func (t *turn) crawlDelay() {
	if t.own.IgnoreRobots {
		return
	}
	for i := range t.rules.current {
		if r := t.rules.current[i].Load(); r != nil && r.robots != nil {
			t.pace.lengthen(min(r.robots.CrawlDelay, t.job.MaxCrawl))
		}
	}
}

// prepare does the errands and fetches the robots.txt that the grant did not bring. It reports false when
// no page may be asked for.
func (t *turn) prepare() bool {
	if len(t.task.Errands) == 0 && t.own.IgnoreRobots {
		return true
	}
	b := t.site.lane()
	defer b.Close()
	for _, hop := range t.task.Errands {
		f, ok := t.follow(b, hop.Scheme, hop.URL, hop.Count)
		if !ok {
			return false
		}
		a := crawler.RobotsAnswer{Hop: hop}
		if f.Status == crawler.RobotsElsewhere {
			a.Next = f.Hop.URL
		} else {
			a.File = f
		}
		t.report.addHop(a)
		if f.Fault != "" {
			t.end()
			return false
		}
	}
	for _, scheme := range schemes {
		if u, ok := t.list.first(scheme); ok {
			if _, ok := t.allowed(b, u); !ok {
				return false
			}
		}
	}
	return true
}

// allowed decides by the current rules, which it fetches when there are none. ok is false when they
// cannot be had: then the turn is ending.
func (t *turn) allowed(b lanePages, u weburl.URL) (rule robots.Rule, ok bool) {
	if t.own.IgnoreRobots {
		return robots.Rule{Allowed: true}, true
	}
	r := t.rules.get(u.Scheme(), time.Now())
	if r == nil {
		r = t.fetchRules(b, u)
	}
	switch {
	case r != nil && r.closed != "":
		return robots.Rule{Text: r.closed}, true
	case r == nil || r.robots == nil:
		return rule, false
	}
	return r.robots.Allowed(u.RequestURI()), true
}

// fetchRules fetches the robots.txt for u's scheme and reports it; nil when the turn ends before.
func (t *turn) fetchRules(b lanePages, u weburl.URL) *schemeRules {
	select {
	case t.rules.fetching <- struct{}{}:
		defer func() { <-t.rules.fetching }()
	case <-t.going.Done():
		return nil
	}
	if r := t.rules.get(u.Scheme(), time.Now()); r != nil {
		return r
	}
	f, ok := t.follow(b, u.Scheme(), u.RobotsURL(), 0)
	if !ok {
		return nil
	}
	if f.Fault != "" {
		t.unreached(u, &f)
		return nil
	}
	t.rules.set(&f, t.token, time.Now())
	t.crawlDelay()
	t.report.addRobots(f)
	r := t.rules.current[schemeIndex(f.Scheme)].Load()
	if r.robots == nil {
		t.end() // the scheduler asks for it again, here later or where it was redirected to
	}
	return r
}

// follow asks for a robots.txt, with the redirects that stay at this host, each under the pace. hops is
// how many were followed before. ok is false when the turn ends before there is an answer.
func (t *turn) follow(b lanePages, scheme string, u weburl.URL, hops int) (f crawler.RobotsFile, ok bool) {
	for {
		s, ok := t.begin()
		if !ok {
			return f, false
		}
		found := b.Robots(t.flight, u, s)
		if _, ok := t.ended(s, &found); !ok {
			continue // the right or the permit ended under way: begin waits for them
		}
		r := &found.Result
		switch to := r.RedirectTo; {
		case r.Outcome != crawler.Redirected:
			return t.robotsFile(scheme, &found), true
		case hops == maxRobotsHops:
			return t.unavailable(scheme, r, fmt.Sprintf("more than %d redirects", maxRobotsHops)), true
		case to.Host() == t.task.Host:
			u = to
		default:
			f = crawler.RobotsFile{Scheme: scheme, Status: crawler.RobotsElsewhere, HTTP: r.Status, Archive: r.Archive}
			f.Hop = crawler.RobotsHop{For: t.task.Host, Scheme: scheme, URL: to, Count: hops + 1}
			return f, true
		}
		hops++
	}
}

// robotsFile says what an answer amounts to (RFC 9309 section 2.3.1); 429 counts as unreachable, and so does a
// file that cannot be read: nobody knows what it forbids.
func (t *turn) robotsFile(scheme string, found *download.Finding) crawler.RobotsFile {
	r := &found.Result
	f := crawler.RobotsFile{Scheme: scheme, HTTP: r.Status, Archive: r.Archive, Detail: r.Detail}
	text, fault := robotsText(found)
	switch {
	case r.Status >= 200 && r.Status < 300 && fault == "" && wholeEnough(r):
		f.Status, f.TTL = crawler.RobotsRules, t.job.Robots.TTL
		f.Body, f.Truncated = text, r.Truncated
		if f.Truncated {
			f.Body = lastLine(f.Body)
		}
	case r.Status >= 300 && r.Status < 500 && r.Status != 429:
		return t.unavailable(scheme, r, r.Detail)
	default:
		f.Status = crawler.RobotsUnreachable
		if r.Fault() == crawler.FaultNoConnection {
			f.Fault = r.Reason
		}
		f.Detail = cmp.Or(f.Detail, fault, string(r.Reason))
	}
	return f
}

func (t *turn) unavailable(scheme string, r *crawler.Result, detail string) crawler.RobotsFile {
	return crawler.RobotsFile{
		Scheme: scheme, Status: crawler.RobotsUnavailable, HTTP: r.Status, Archive: r.Archive,
		TTL: t.job.Robots.TTL, Detail: detail,
	}
}

// wholeEnough reports whether a 2xx may be read as rules: whole, or cut by our own limit. One that the net cut
// off, or whose coding is broken, is asked for again.
func wholeEnough(r *crawler.Result) bool {
	switch r.Reason {
	case crawler.ReasonTimeout, crawler.ReasonReset, crawler.ReasonProtocol, crawler.ReasonBadEncoding:
		return false
	}
	return true
}

// robotsText is the text of a robots.txt in UTF-8, or says why there is none.
func robotsText(found *download.Finding) (text []byte, fault string) {
	b := found.Text
	switch {
	case found.Opaque:
		return nil, "it is in a content coding that is not known"
	case bytes.HasPrefix(b, []byte("\x1f\x8b")), bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return nil, "it is compressed, and the answer does not say so"
	}
	if wide := media.WideText(b); wide != nil {
		b, _ = wide.NewDecoder().Bytes(b) // what is no character becomes U+FFFD
	}
	return b, ""
}

// lastLine cuts a body that was cut within a line at the end of the line before.
func lastLine(body []byte) []byte { return body[:bytes.LastIndexAny(body, "\r\n")+1] }

// excluded is the result of a URL that a rule disallows, or that nobody knows the rules for. No request was sent for it.
func excluded(u weburl.URL, rule robots.Rule) *crawler.Result {
	if rule.Line == 0 { // no line of a file that was read
		return &crawler.Result{URL: u, Outcome: crawler.Failed, Reason: crawler.ReasonRobotsUnreachable, Detail: rule.Text, Unsent: true}
	}
	return &crawler.Result{
		URL: u, Outcome: crawler.Excluded, Reason: crawler.ReasonRobots,
		Detail: fmt.Sprintf("robots.txt line %d: %s", rule.Line, rule.Text),
	}
}
