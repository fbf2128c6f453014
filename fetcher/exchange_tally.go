package fetcher

import (
	"errors"
	"strings"

	"trawl/crawler"
)

// Words of HostReport.Bounds: limits of an exchange that were hit, each counted once an exchange but for link-carry, which
// counts what it cost.
const (
	boundLinks     = "links"        // more references on a page than FetchLimits.Links
	boundCarry     = "link-carry"   // attributes and CSS values too long to be looked at whole: their links are lost
	boundLateBase  = "late-base"    // a base element came too late for the links before it
	boundHeader    = "header-bytes" // the answer's header is larger than FetchLimits.HeaderBytes
	boundBody      = "max-body"     // the body was cut at FetchLimits.MaxBody
	boundRatio     = "ratio"        // the body decodes to more than FetchLimits.Ratio times its size
	boundRobots    = "robots-bytes" // a robots.txt was cut at FetchLimits.Robots
	boundRedirects = "redirects"    // a chain of more redirects than FetchLimits.Redirects
)

// dropInvalid is a word of HostReport.Dropped beside the crawler's: references that are no URL.
const dropInvalid = "bad_url"

// droppedLinks counts the references that are not handed over, on pages that are reported with their links.
func (x *exchange) droppedLinks() (t tally) {
	if x.result.Outcome == crawler.Fetched {
		t.add(crawler.DropNotHTTP, x.counts.NotHTTP)
		t.add(crawler.DropTooLong, x.counts.TooLong)
		t.add(crawler.DropTooMany, x.counts.TooMany)
		t.add(dropInvalid, x.counts.Invalid)
	}
	return t
}

// bounds counts the limits that were hit.
func (x *exchange) bounds() (t tally) {
	if x.bound != "" {
		t.add(x.bound, 1)
	}
	if x.result.Reason == crawler.ReasonTooManyRedirects {
		t.add(boundRedirects, 1)
	}
	if x.result.Outcome == crawler.Fetched {
		t.add(boundLinks, min(x.counts.TooMany, 1))
		t.add(boundCarry, x.counts.Cut)
		if x.counts.LateBase {
			t.add(boundLateBase, 1)
		}
	}
	return t
}

// headerLimit reports whether an answer was given up because its header is too large; net/http has no type
// for it.
func headerLimit(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := e.Error()
		if strings.Contains(text, "server response headers exceeded") || strings.Contains(text, "response header list larger than") {
			return true
		}
	}
	return false
}

// bodyBound is the limit that cuts this body.
func (x *exchange) bodyBound() string {
	if x.plain {
		return boundRobots
	}
	return boundBody
}
