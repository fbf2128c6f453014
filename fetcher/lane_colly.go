package fetcher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gocolly/colly/v2"
	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

const (
	// freeCollectors is how many collectors are kept for lanes to come.
	freeCollectors = 256
	// extractLimit is how much of a page's text the user's own callbacks get, in bytes. Without callbacks
	// colly is handed no body.
	extractLimit = 8 * crawler.MiB
	// robotsTotal bounds the exchange of a robots.txt when the job has no limit in all.
	robotsTotal = 2 * time.Minute
)

// collectors is a free list of collectors, all with the same settings. Safe for concurrent use.
type collectors struct {
	free    chan *colly.Collector
	prepare func(*colly.Collector) // nil = none
}

func newCollectors(prepare func(*colly.Collector)) *collectors {
	return &collectors{free: make(chan *colly.Collector, freeCollectors), prepare: prepare}
}

func (cs *collectors) get() *colly.Collector {
	select {
	case c := <-cs.free:
		return c
	default:
		return newCollector(cs.prepare)
	}
}

// put takes a collector back, without what belonged to its turn.
func (cs *collectors) put(c *colly.Collector) {
	c.WithTransport(noTransport{})
	c.Context = context.Background()
	select {
	case cs.free <- c:
	default:
	}
}

// noTransport is what a collector has while it fetches nothing.
type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errUsed }

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

// collySites makes sites whose pages go through colly. Safe for concurrent use.
type collySites struct {
	archive    Archive
	kit        *bodyKit
	collectors *collectors
	bandwidth  *rate.Limiter
	network    *network
	proxy      func(*url.URL) (*url.URL, error) // nil = none
	log        *slog.Logger
}

func (cs *collySites) open(spec siteSpec) site {
	job := &spec.view.Job
	o := transportOptions{
		Lease: spec.lease, Guard: spec.view.guard, Kit: cs.kit, Bandwidth: cs.bandwidth, TLS: spec.view.tls,
		Network: cs.network, Limits: job.Fetch, Lanes: max(1, spec.answer.Connections), Proxy: cs.proxy, Agent: job.UserAgent,
		Name: hostname(spec.host), Addresses: spec.answer.Addresses,
	}
	s := &collySite{
		from: cs, job: job, headers: job.Headers, own: job.For(spec.host).Own, transport: newTransport(o), lease: spec.lease,
		jar: newJar(spec.host, spec.answer.Cookies, time.Now()), seeds: spec.answer.Seeds, credentials: spec.answer.Credentials,
		early: spec.early,
	}
	for _, h := range slices.Concat(s.headers, s.own) {
		if name := http.CanonicalHeaderKey(h.Name); !slices.Contains(plainHeaders[:], name) {
			s.private = append(s.private, name)
		}
	}
	return s
}

// plainHeaders are those of the user's headers that the archive is told. Any other may be a key to something.
var plainHeaders = [...]string{"Accept", "Accept-Language", "Cache-Control", "From", "Pragma", "Referer"}

// collySite is the way to one host for one turn.
type collySite struct {
	from        *collySites
	job         *crawler.Job
	headers     []crawler.Header // the job's; the last of a name counts, and secret ones are for the seeds' hosts
	own         []crawler.Header // of the user's rule for the host, after them
	seeds       session.Schemes  // by which seeds spell the host
	private     []string         // names of those that the archive is not told
	transport   *transport
	lease       *lease
	jar         *jar
	credentials session.Credentials // they go before an Authorization among headers
	early       func(crawler.TaskURL, []crawler.Link, []session.CookieChange)
	told        int // addresses reported; owned by the turn's sender
}

func (s *collySite) browser() browser {
	return &collyBrowser{site: s, collector: s.from.collectors.get()}
}

func (s *collySite) watch(ctx context.Context) { s.lease.watch(ctx, time.Now, s.transport.lapse) }

func (s *collySite) learned() (addresses []string) {
	if found := s.transport.addresses(); len(found) != s.told {
		s.told, addresses = len(found), found
	}
	return addresses
}

func (s *collySite) rest() { s.transport.inner.CloseIdleConnections() }

func (s *collySite) close() { s.transport.close() }

// collyBrowser is a lane's collector. Owned by the lane.
type collyBrowser struct {
	site      *collySite
	collector *colly.Collector // nil after a panic
}

func (b *collyBrowser) close() {
	if b.collector != nil {
		b.site.from.collectors.put(b.collector)
		b.collector = nil
	}
}

// page fetches a URL through the collector and stores the exchange. The return of colly's Request is the
// one sign that a page is done; what came of it is read from the exchange alone.
func (b *collyBrowser) page(ctx context.Context, u crawler.TaskURL, v crawler.Validator, l leave) finding {
	s, job := b.site, b.site.job
	x := &exchange{over: s.transport, request: request{
		url: u.URL, redirects: u.Redirects, name: u.Name, limits: job.Fetch, keep: keepAs(job.Archive), leave: l,
		links: job.Kind == crawler.Crawl, styles: job.Requisites != crawler.RequisitesNone, lazy: job.LazyImages,
	}}
	if s.early != nil {
		x.early = func(links []crawler.Link) {
			changes, _ := s.jar.take(u.URL, x.header, time.Now()) // the links may want them; those of the end are the same
			s.early(u, links, changes)
		}
	}
	// A file is to be what the server has, and one that is coded on its way could not be resumed.
	x.identity = job.Kind == crawler.Download && x.keep == keepDecoded
	if len(job.Accept) > 0 {
		x.accepts = job.Accepts
	}
	if s.from.collectors.prepare != nil {
		x.textLimit = extractLimit
	}
	defer x.release()
	if short := s.from.kit.lendPart(ctx, x); short != nil {
		return finding{result: crawler.Result{URL: u.URL}, verdict: machineShort, why: short}
	}
	header, cookies, left := s.header(u.URL)
	if from := session.Referer(job.Referer, u.Via, u.URL); from != "" && header.Get("Referer") == "" {
		header.Set("Referer", from)
	}
	if v.ETag != "" {
		header.Set("If-None-Match", v.ETag)
	}
	if v.LastModified != "" {
		header.Set("If-Modified-Since", v.LastModified)
	}
	b.visit(ctx, x, header)
	changes, bounds := s.jar.take(u.URL, x.header, time.Now())
	bounds.add(crawler.BoundCookieHeader, left)
	x.archive(ctx, s.from.archive, s.private)
	if x.result.Outcome == crawler.Redirected {
		x.result.Asked = cookies
	}
	x.noteProgress()
	return finding{
		result: x.result, links: x.found, dropped: x.droppedLinks(), bounds: bounds.with(x.bounds()), cookies: changes,
		sent: x.requests > 0, verdict: x.verdict, why: x.why, sign: x.sign,
	}
}

// visit runs the collector. A panic in a callback, or a callback that aborts, fails the page.
func (b *collyBrowser) visit(ctx context.Context, x *exchange, header http.Header) {
	defer func() {
		cause := recover()
		switch {
		case cause != nil:
			b.site.from.log.Error("extraction panicked", "url", x.url, "panic", cause, "stack", string(debug.Stack()))
			b.collector = nil // its locks may be held
			b.refused(x, fmt.Sprintf("a callback panicked: %v", cause))
		case !x.used:
			b.refused(x, "a callback aborted the request, or colly refused it")
		}
		if b.collector == nil {
			b.collector = b.site.from.collectors.get()
		}
	}()
	b.collector.Context = ctx
	b.collector.WithTransport(x)
	b.collector.Request(http.MethodGet, x.url.String(), nil, nil, header) // the exchange tells how it ended
}

func (b *collyBrowser) refused(x *exchange, detail string) {
	x.begin() // for the result's URL and time, when the transport was not reached
	if x.verdict == counts {
		x.fail(crawler.ReasonExtraction, oneLine(detail, maxDetail))
		x.result.Unsent = x.requests == 0
		x.found, x.result.Links = nil, 0
	}
}

// robots fetches a robots.txt over the turn's transport, without colly. What is read is cut at the job's
// limit; it is stored when exchanges are.
func (b *collyBrowser) robots(ctx context.Context, u weburl.URL, l leave) finding {
	s, job := b.site, b.site.job
	x := &exchange{over: s.transport, request: request{url: u, limits: job.Fetch, robots: true, textLimit: job.Fetch.Robots, leave: l}}
	x.limits.MaxBody = job.Fetch.Robots
	if x.limits.Total <= 0 {
		x.limits.Total = robotsTotal
	}
	if job.Archive == crawler.ArchiveWARC {
		x.keep = keepWire
	}
	defer x.release()
	header, _, left := s.header(u)
	req := (&http.Request{Method: http.MethodGet, Header: header}).WithContext(ctx)
	if resp, err := x.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
	changes, bounds := s.jar.take(u, x.header, time.Now())
	bounds.add(crawler.BoundCookieHeader, left)
	x.archive(ctx, s.from.archive, s.private)
	return finding{
		result: x.result, body: x.text, opaque: x.opaque, bounds: bounds.with(x.bounds()), cookies: changes,
		sent: x.requests > 0, verdict: x.verdict, why: x.why, sign: x.sign,
	}
}

// header is what every request to the host carries. cookies stands for the cookies in it, left counts those that did
// not fit.
func (s *collySite) header(u weburl.URL) (h http.Header, cookies uint64, left int) {
	h = make(http.Header, 8)
	h.Set("User-Agent", s.job.UserAgent)
	h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	for _, of := range s.headers {
		if !of.Secret() || s.seeds.Permit(u.Scheme()) {
			h.Set(of.Name, of.Value)
		}
	}
	for _, own := range s.own {
		h.Set(own.Name, own.Value)
	}
	if c := s.credentials.For(u.Scheme()); c != "" {
		h.Set("Authorization", basicAuth(c))
	}
	c, cookies, left := s.jar.field(u, time.Now())
	if c != "" {
		if own := h.Get("Cookie"); own != "" {
			c = own + "; " + c
		}
		h.Set("Cookie", c)
	}
	return h, cookies, left
}

func keepAs(kind crawler.ArchiveKind) keepMode {
	switch kind {
	case crawler.ArchiveWARC:
		return keepWire
	case crawler.ArchiveFiles:
		return keepDecoded
	}
	return keepNothing
}

// hostname is the host without its port.
func hostname(h weburl.Host) string {
	name := string(h)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		return name[:i]
	}
	return name
}
