package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gocolly/colly/v2"

	"trawl/crawler"
	"trawl/fetcher/download"
)

const (
	// freeCollectors is how many collectors are kept for lanes to come.
	freeCollectors = 256
	// extractLimit is how much of a page's text the user's own callbacks get, in bytes. Without callbacks
	// colly is handed no body.
	extractLimit = 8 * crawler.MiB
	// unread is what a collector without callbacks is told to visit: the transport knows the page's URL, and nobody else reads
	// it. Colly parses what it is given three times and writes it out four times, which takes most of its time for a usual URL.
	// A shorter one does not exist: a scheme of one letter, and nothing in it.
	unread = "x:"
)

// Colly runs pages through colly collectors. Safe for concurrent use.
type Colly struct {
	free    chan *colly.Collector // all with the same settings
	prepare func(*colly.Collector)
	log     *slog.Logger
}

// NewColly makes an engine whose collectors have the callbacks that prepare registers; nil = none. A panic in a callback
// fails its page.
func NewColly(prepare func(*colly.Collector), log *slog.Logger) *Colly {
	return &Colly{free: make(chan *colly.Collector, freeCollectors), prepare: prepare, log: log}
}

// TextLimit is what callbacks may want of a page.
func (e *Colly) TextLimit() int64 {
	if e.prepare == nil {
		return 0
	}
	return extractLimit
}

// Visitor has a collector of its own.
func (e *Colly) Visitor() download.Visitor { return &collyVisitor{engine: e, collector: e.take()} }

func (e *Colly) take() *colly.Collector {
	select {
	case c := <-e.free:
		return c
	default:
		return newCollector(e.prepare)
	}
}

// collyVisitor is a lane's collector. Owned by the lane.
type collyVisitor struct {
	engine    *Colly
	collector *colly.Collector
}

// Visit runs the collector. The return of colly's Request is the one sign that a page is done; how the page ended is the
// transport's to say.
func (v *collyVisitor) Visit(ctx context.Context, t http.RoundTripper, url string, header http.Header) (failed error) {
	defer func() {
		if cause := recover(); cause != nil {
			v.engine.log.Error("extraction panicked", "url", url, "panic", cause, "stack", string(debug.Stack()))
			v.collector = v.engine.take() // the locks of the other one may be held
			failed = fmt.Errorf("a callback panicked: %v", cause)
		}
	}()
	v.collector.Context = ctx
	v.collector.WithTransport(t)
	if v.engine.prepare == nil {
		url = unread
	}
	v.collector.Request(http.MethodGet, url, nil, nil, header)
	return nil
}

// Close gives the collector back, without what belonged to its page.
func (v *collyVisitor) Close() {
	v.collector.WithTransport(noTransport{})
	v.collector.Context = context.Background()
	select {
	case v.engine.free <- v.collector:
	default:
	}
	v.collector = nil
}

// noTransport is what a collector has while it fetches nothing.
type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrNotSupported }

// newCollector makes a collector that fetches one URL at a time and decides nothing: what is visited,
// robots.txt, redirects, cookies and limits are ours. Everything is set after NewCollector, which lets
// COLLY_* variables of the environment win over options, and after the user's own settings.
func newCollector(prepare func(*colly.Collector)) *colly.Collector {
	c := colly.NewCollector()
	if prepare != nil {
		prepare(c)
	}
	c.Async = false
	c.AllowURLRevisit = true
	c.IgnoreRobotsTxt = true
	c.ParseHTTPErrorResponse = true
	c.DetectCharset = false
	c.CheckHead = false
	c.TraceHTTP = false
	c.CacheDir = ""
	c.MaxDepth = 0
	c.MaxRequests = 0
	c.MaxBodySize = extractLimit + 1
	c.AllowedDomains, c.DisallowedDomains = nil, nil
	c.URLFilters, c.DisallowedURLFilters = nil, nil
	c.Headers = nil
	c.SetClient(&http.Client{
		Transport: noTransport{}, // no jar, no timeout: the exchange has its own limits
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is a link
		},
	})
	return c
}
