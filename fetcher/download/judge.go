package download

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// judge gives an answered exchange its outcome. Who looks for the rule finds it here:
//
//	304 to our validators           unchanged
//	3xx with a Location             redirected; failed with bad_redirect or too_many_redirects when it leads nowhere
//	101                             failed, protocol: nobody asked for another one
//	206 that nobody asked for       failed, http_status, unless it has all bytes
//	2xx, body whole                 fetched
//	2xx, body cut by MaxBody        fetched, truncated
//	2xx, body cut or broken         failed with the body's reason (timeout, reset, protocol, bad_encoding)
//	anything else                   failed, http_status
//
// What came of a body is kept in each case.
func (x *exchange) judge() {
	r := &x.result
	r.Truncated = !x.cut.whole()
	r.Detail = cmp.Or(x.cut.detail, x.note)
	location, moved := x.location()
	switch {
	case r.Status == http.StatusNotModified && x.conditional:
		r.Outcome = crawler.Unchanged
	case moved:
		x.judgeRedirect(location)
	case r.Status == http.StatusSwitchingProtocols:
		x.fail(crawler.ReasonProtocol, "the server switched protocols without being asked")
	case r.Status >= 200 && r.Status <= 299 && x.cut.reason != "":
		x.fail(x.cut.reason, x.cut.detail)
	case r.Status == http.StatusPartialContent && !x.asksPart && !x.allOfIt():
		r.Truncated, x.cut.mark = true, cmp.Or(x.cut.mark, "unspecified")
		x.fail(crawler.ReasonHTTPStatus, x.status+": a part of the body, and all of it was asked for")
	case r.Status >= 200 && r.Status <= 299:
		r.Outcome = crawler.Fetched
	default:
		x.fail(crawler.ReasonHTTPStatus, x.status)
	}
	if r.Outcome != crawler.Fetched {
		x.found, r.Links = nil, 0
	}
	r.Detail = Detail(r.Detail)
}

// allOfIt reports whether a 206 that nobody asked for carries the whole body nevertheless.
func (a *answer) allOfIt() bool {
	span, ok := contentRange(a.header)
	return ok && span.first == 0 && span.total == span.last+1
}

// location is the redirect that an answer carries. 304 has none: it speaks of the URL itself.
func (a *answer) location() (string, bool) {
	if s := a.result.Status; s < 300 || s > 399 || s == http.StatusNotModified {
		return "", false
	}
	values := a.header.Values("Location")
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (x *exchange) judgeRedirect(location string) {
	shown := fmt.Sprintf("%q", cutText(location, maxDetail/2))
	if cleanText(location) == "" {
		x.fail(crawler.ReasonBadRedirect, "the Location is empty")
		return
	}
	to, err := x.url.Resolve(location)
	switch {
	case err != nil:
		x.fail(crawler.ReasonBadRedirect, fmt.Sprintf("Location %s: %v", shown, redirectFault(err)))
	case !x.robots && x.redirects >= x.limits.Redirects:
		x.fail(crawler.ReasonTooManyRedirects, fmt.Sprintf("%d redirects before this one, to %s", x.redirects, shown))
	default:
		x.result.Outcome, x.result.RedirectTo = crawler.Redirected, to
	}
}

func redirectFault(err error) error {
	for _, known := range []error{weburl.ErrNotHTTP, weburl.ErrTooLong} {
		if errors.Is(err, known) {
			return known
		}
	}
	return weburl.ErrBad
}
