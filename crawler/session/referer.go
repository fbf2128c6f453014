package session

import "trawl/crawler/weburl"

// RefererPolicy says what requests reveal of the page that led to them (the words of the Referrer Policy standard).
type RefererPolicy string

const (
	RefererNone         RefererPolicy = "none"
	RefererOrigin       RefererPolicy = "origin"                          // scheme, host and port only
	RefererSameOrigin   RefererPolicy = "same-origin"                     // the page, and nothing to other origins
	RefererStrictOrigin RefererPolicy = "strict-origin-when-cross-origin" // the page within its origin, to others the origin only
)

// Referer is the Referer field of a request for to that the page from led to, "" for none. Nothing goes from https to
// http, whatever the policy.
func Referer(policy RefererPolicy, from, to weburl.URL) string {
	if from.IsZero() || from.Scheme() == "https" && to.Scheme() != "https" {
		return ""
	}
	same := from.Origin() == to.Origin()
	switch {
	case policy == RefererOrigin, policy == RefererStrictOrigin && !same:
		return from.Origin() + "/"
	case policy == RefererStrictOrigin, policy == RefererSameOrigin && same:
		return from.String()
	}
	return ""
}
