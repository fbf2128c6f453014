package download

import (
	"errors"
	"strings"

	"trawl/crawler"
)

// DropInvalid is a word of HostReport.Dropped, as the crawler's Drop… are: references that are no URL.
const DropInvalid = "bad_url"

// droppedLinks counts the references that are not handed over, on pages that are reported with their links.
func (x *exchange) droppedLinks() (t Tally) {
	if x.result.Outcome == crawler.Fetched {
		t.Add(crawler.DropNotHTTP, x.counts.NotHTTP)
		t.Add(crawler.DropTooLong, x.counts.TooLong)
		t.Add(crawler.DropTooMany, x.counts.TooMany)
		t.Add(DropInvalid, x.counts.Invalid)
	}
	return t
}

// bounds counts the limits that were hit.
func (x *exchange) bounds() (t Tally) {
	if x.cut.bound != "" {
		t.Add(x.cut.bound, 1)
	}
	if x.result.Reason == crawler.ReasonTooManyRedirects {
		t.Add(crawler.BoundRedirects, 1)
	}
	if x.result.Outcome == crawler.Fetched {
		t.Add(crawler.BoundLinks, min(x.counts.TooMany, 1))
		t.Add(crawler.BoundForgot, min(x.counts.Forgot, 1))
		t.Add(crawler.BoundCarry, x.counts.Cut)
		if x.counts.LateBase {
			t.Add(crawler.BoundLateBase, 1)
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

// Tally counts by word: links that were not worth sending by reason, limits that were hit. nil is an empty
// one.
type Tally map[string]int64

// With adds the counts of o.
func (t Tally) With(o Tally) Tally {
	for word, n := range o {
		t.Add(word, int(n))
	}
	return t
}

func (t *Tally) Add(word string, n int) {
	if n == 0 {
		return
	}
	if *t == nil {
		*t = make(Tally)
	}
	(*t)[word] += int64(n)
}
