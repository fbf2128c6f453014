package download

import (
	"errors"
	"net/http"
	"time"

	"trawl/crawler"
	"trawl/crawler/links"
	"trawl/fetcher/download/spool"
)

// errUsed: a client sends a second request for one exchange, as one that follows redirects would.
var errUsed = errors.New("the exchange has had its request")

// exchange is one request and what came of it, from the lane that asks to the verdict. It is used once, by one goroutine but
// for sent, and released.
type exchange struct {
	request
	answer
	continuation
	content
	verdict Verdict
	why     error // of a verdict other than Counts

	over  *transport
	clock *exchangeClock
	spool *spool.Spool // nil = nothing kept
	used  bool
}

// content is what the sinks found in the body.
type content struct {
	found  []crawler.Link // in order, each once; only of a Fetched page
	counts links.Counts   // what the scanner of a page found and left out
	text   []byte         // decoded body up to textLimit, when its type is one of text
	opaque bool           // the bytes mean nothing to a reader: they are in a coding that is not known
}

// RoundTrip carries the exchange out, to the end of the body. Of the request it takes header fields and context. It
// returns an error when there is no answer to hand over; what came of it stands in the exchange in any case.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	if !x.begin() {
		return nil, errUsed
	}
	return x.over.carry(req, x)
}

// begin starts the exchange; false when it was used before.
func (x *exchange) begin() bool {
	if x.used {
		return false
	}
	x.used = true
	x.began = time.Now()
	x.ended = x.began
	x.result = crawler.Result{URL: x.url, FetchedAt: x.began.Round(0).UTC()}
	return true
}

// end gives a verdict other than Counts.
func (x *exchange) end(v Verdict, why error) {
	x.verdict, x.why = v, why
	x.found, x.text = nil, nil
}

// release gives the body's memory back and removes its spool file; the beginning of a body that can be resumed
// stays. Nothing of the exchange but result and found may be used afterwards. It may be called again.
func (x *exchange) release() {
	x.releasePart()
	if x.spool != nil {
		x.spool.Discard()
		x.spool = nil
	}
	x.text = nil
}
