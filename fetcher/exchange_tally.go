package fetcher

import (
	"errors"
	"strings"

	"trawl/crawler"
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
	if x.cut.bound != "" {
		t.add(x.cut.bound, 1)
	}
	if x.result.Reason == crawler.ReasonTooManyRedirects {
		t.add(crawler.BoundRedirects, 1)
	}
	if x.result.Outcome == crawler.Fetched {
		t.add(crawler.BoundLinks, min(x.counts.TooMany, 1))
		t.add(crawler.BoundForgot, min(x.counts.Forgot, 1))
		t.add(crawler.BoundCarry, x.counts.Cut)
		if x.counts.LateBase {
			t.add(crawler.BoundLateBase, 1)
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
func (r *request) bodyBound() string {
	if r.robots {
		return crawler.BoundRobots
	}
	return crawler.BoundBody
}
