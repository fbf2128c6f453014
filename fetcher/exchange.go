package fetcher

import (
	"context"
	"net/http"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/links"
	"trawl/crawler/weburl"
)

// keepMode says in which form a body is kept for the archive.
type keepMode uint8

const (
	keepNothing keepMode = iota // digest and length only
	keepWire                    // as the server coded it (WARC)
	keepDecoded                 // as the digest counts it (files)
)

const (
	// maxContentType, maxTitle and maxDetail cut what a server says about itself, in bytes.
	maxContentType = 256
	maxTitle       = 512
	maxDetail      = 256
	// maxValidator is the longest ETag or Last-Modified that is kept; a cut one would be of no use.
	maxValidator = 512
)

// exchange is one request and what came of it. The lane fills in the first group, puts the exchange into
// the request's context (with), and reads the second one when the collector returns. An exchange is used
// for one request only, by one goroutine but for sent.
type exchange struct {
	url       weburl.URL // what is asked for; the request's own URL is not looked at
	redirects int        // followed up to url
	name      string     // of its file, as far as the user gave one
	limits    crawler.FetchLimits
	keep      keepMode
	page      int64                         // decoded bytes of a text that the caller wants to read; 0 = none
	plain     bool                          // a robots.txt: read as a text whatever its type, and its redirects are counted elsewhere
	identity  bool                          // ask for the body without content coding
	accepts   func(contentType string) bool // which bodies of a 2xx are read; nil = all
	part      *partial                      // where a body that can be gone on with lies; nil = it cannot. The exchange releases it
	early     func([]crawler.Link)          // takes links while the page is read; nil = all wait for its end
	unsent    *backlog                      // of the fetcher; set where early is
	private   []string                      // header fields that the archive is not told
	links     bool                          // look for links in an HTML page
	styles    bool                          // and in a style sheet
	lazy      bool                          // and in what scripts load late
	leave     leave                         // of the pace, to write the request; nil = it may always be written

	result   crawler.Result
	found    []crawler.Link // in order, each once; only of a Fetched page
	counts   links.Counts   // what the scanner of a page found and left out
	text     []byte         // decoded body up to page, when its type is one of text
	dropped  error          // why there is no result: the lease, the leave or the caller's context ended, the disk is full, or the connection was closed before it was used; nil = there is one
	disk     error          // the disk did not take the body; then there is no result
	short    error          // the machine was short of something; then there is no result
	sign     sign           // what a fault says about our own network
	requests int            // requests that may have reached the server: 0 or 1
	began    time.Time      // with monotonic reading
	ended    time.Time      // the end of the answer

	anew    bool  // what was there of the body is of no use and dropped: no result, ask again
	resumed bool  // the body goes on where part ended
	again   int64 // then: bytes that come although they are there
	had     int64 // bytes of the body that earlier tries brought
	total   int64 // then: length of the whole, -1 = not known
	opaque  bool  // the bytes mean nothing to a reader: they are in a coding that is not known
	spoilt  bool  // what is there of the body is not to be gone on with

	asked    bool
	head     wireHead
	header   http.Header // of the answer, as received
	status   string      // status line without protocol: "200 OK"
	proto    string      // "http/1.0", "http/1.1", "h2"
	asksFor  bool        // the request carried validators
	asksPart bool        // the user's own header fields ask for a part of the body
	spool    *spool      // nil = nothing kept
	cut      cutting
	bound    string // the limit that cut the answer, a bound word; "" = none
	note     string // for Detail, when nothing more important is to be said
	sent     sentHead
}

// cutting is why a body is not whole, or not right. The zero value: it is both.
type cutting struct {
	reason crawler.Reason // of a failure; "" for our own MaxBody
	mark   string         // WARC-Truncated: "length", "time", "disconnect"; "" when all of it came
	detail string
}

// whole reports whether nothing was wrong.
func (c cutting) whole() bool { return c == cutting{} }

type exchangeKey struct{}

// with puts the exchange into a context, where the transport finds it.
func (x *exchange) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// remark adds to what Detail says when nothing more important is to be said.
func (x *exchange) remark(text string) {
	if x.note != "" {
		x.note += "; "
	}
	x.note += text
}

// release gives the body's memory back and removes its spool file; the beginning of a body that can be gone
// on with stays. Nothing of the exchange but result and found may be used afterwards. It may be called again.
func (x *exchange) release() {
	x.releasePart()
	if x.spool != nil {
		x.spool.discard()
		x.spool = nil
	}
	x.text = nil
}

// begin starts the exchange; false when it was used before (a client that follows redirects would).
func (x *exchange) begin() bool {
	if x.asked {
		return false
	}
	x.asked = true
	x.began = time.Now()
	x.ended = x.began
	x.result = crawler.Result{URL: x.url, FetchedAt: x.began.Round(0).UTC()}
	return true
}

// finish notes the end of the answer.
func (x *exchange) finish() {
	x.ended = time.Now()
	x.result.Duration = x.ended.Sub(x.began)
}

// noAnswer is the result of an exchange without any answer.
func (x *exchange) noAnswer(err error) {
	reason, detail := classify(err)
	x.sign = signOf(err)
	if headerLimit(err) {
		x.bound = crawler.BoundHeader
	}
	x.result.Outcome, x.result.Reason, x.result.Detail = crawler.Failed, reason, oneLine(detail, maxDetail)
	x.result.Unsent = x.requests == 0
}

// drop says that there is no result.
func (x *exchange) drop(why error) {
	x.dropped = why
	x.found, x.text = nil, nil
}

// sentHead collects the header fields as net/http writes them, in the goroutine that writes.
type sentHead struct {
	mu     sync.Mutex
	fields []sentField
}

type sentField struct{ name, value string }

func (h *sentHead) add(name string, values []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range values {
		h.fields = append(h.fields, sentField{name, v})
	}
}

func (h *sentHead) list() []sentField {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fields[:len(h.fields):len(h.fields)]
}

// oneLine makes a text fit for one line: control characters become spaces, and it is cut at n bytes on a
// rune boundary.
func oneLine(s string, n int) string {
	return cutText(cleanText(s), n)
}
