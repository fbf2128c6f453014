package download

import (
	"net/http"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download/head"
	"trawl/fetcher/trouble"
)

const (
	// maxContentType, maxTitle and maxDetail cut what a server says about itself, in bytes.
	maxContentType = 256
	maxTitle       = 512
	maxDetail      = 256
	// maxValidator is the longest ETag or Last-Modified that is kept; a cut one would be of no use.
	maxValidator = 512
)

// answer is what is known of a request that was sent and of its answer, noted as it comes.
type answer struct {
	result crawler.Result
	began  time.Time // with monotonic reading
	ended  time.Time // of the answer

	requests    int // that may have reached the server: 0 or 1
	sent        sentHead
	conditional bool // the request carried validators
	asksPart    bool // the user's own header fields ask for a part of the body

	head   head.Head
	header http.Header // as received
	status string      // status line without protocol: "200 OK"
	proto  string      // "http/1.0", "http/1.1", "h2"

	cut  cutting
	sign trouble.Sign // what a fault says about our own network
	note string       // for Detail, when nothing more important is to be said
}

// cutting is why an answer is not whole, or not right. The zero value: it is both.
type cutting struct {
	reason crawler.Reason // of a failure; "" for our own MaxBody
	mark   string         // WARC-Truncated: "length", "time", "disconnect"; "" when all of it came
	bound  string         // the limit that cut it, a word of HostReport.Bounds; "" = none
	detail string
}

// whole reports whether nothing was wrong.
func (c cutting) whole() bool { return c == cutting{} }

// finish notes the end of the answer.
func (a *answer) finish() {
	a.ended = time.Now()
	a.result.Duration = a.ended.Sub(a.began)
}

// noAnswer is the result of an exchange without any answer.
func (a *answer) noAnswer(err error) {
	reason, detail := classify(err)
	a.sign = signOf(err)
	if headerLimit(err) {
		a.cut.bound = crawler.BoundHeader
	}
	a.fail(reason, Detail(detail))
	a.result.Unsent = a.requests == 0
}

// fail says that the exchange failed.
func (a *answer) fail(reason crawler.Reason, detail string) {
	a.result.Outcome, a.result.Reason, a.result.Detail = crawler.Failed, reason, detail
}

// remark adds to what Detail says when nothing more important is to be said.
func (a *answer) remark(text string) {
	if a.note != "" {
		a.note += "; "
	}
	a.note += text
}

// usualFields is how many fields of a request there is room for at once.
const usualFields = 8

// sentHead collects the header fields as net/http writes them, in the goroutine that writes.
type sentHead struct {
	mu     sync.Mutex
	fields []sentField
}

type sentField struct{ name, value string }

func (h *sentHead) add(name string, values []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fields == nil {
		h.fields = make([]sentField, 0, usualFields)
	}
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

// Detail makes a text fit for a result's Detail.
func Detail(s string) string { return oneLine(s, maxDetail) }
