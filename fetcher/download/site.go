package download

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/download/spool"
	"trawl/fetcher/lease"
	"trawl/fetcher/trouble"
	"trawl/internal/durable"
)

// robotsTotal bounds the exchange of a robots.txt when the job has no limit in all.
const robotsTotal = 2 * time.Minute

// Options of a Downloader. Fields without a remark must be set.
type Options struct {
	Archive    Store
	Engine     Engine
	SpoolDir   string                           // for bodies too large for memory; made and emptied
	PartialDir string                           // for bodies that were interrupted; "" = they start from byte 0
	Backlog    Backlog                          // for links that wait to be taken
	Bandwidth  *rate.Limiter                    // of all sites, bytes; its limit may change
	Proxy      func(*url.URL) (*url.URL, error) // nil = none
	Heard      func()                           // called when something comes from outside: a byte, a connection, a refusal
	Idle       int                              // connections that are kept from one turn of a host to the next; 0 = none
	Logger     *slog.Logger
}

// Downloader has what all sites share: spools, decoders, the engine, the archive, idle connections. Safe for concurrent use.
type Downloader struct {
	Options

	kit    *bodyKit
	keeper *keeper
}

// New makes a downloader and its directories.
func New(o Options) (*Downloader, error) {
	kit, err := newBodyKit(o.SpoolDir, o.Backlog)
	if err != nil {
		return nil, err
	}
	if o.PartialDir != "" {
		if kit.partials, err = spool.NewPartials(o.PartialDir, o.Logger, durable.System); err != nil {
			return nil, err
		}
	}
	return &Downloader{Options: o, kit: kit, keeper: newKeeper(o.Idle, o.Logger)}, nil
}

// CloseIdle closes the connections that no turn has. It is called at the end, and when the machine is short of something.
func (d *Downloader) CloseIdle() { d.keeper.clear() }

// SiteOptions say what a site is, and for how long and how it may be asked.
type SiteOptions struct {
	Job         *crawler.Job
	Host        weburl.Host
	Guard       weburl.AddressGuard
	TLS         *tls.Config // nil = the system's roots
	Lease       *lease.Lease
	Lanes       int
	Addresses   []string // known of the host
	Cookies     []session.CookieChange
	Seeds       session.Schemes // by which seeds spell the host
	Credentials session.Credentials
}

// Site is the way to one host while a lease lasts: its connections and its cookies, and what is learned on them. Safe for
// concurrent use.
type Site struct {
	from        *Downloader
	host        weburl.Host
	terms       terms
	job         *crawler.Job
	headers     []crawler.Header // the job's; the last of a name counts, and secret ones are for the seeds' hosts
	own         []crawler.Header // of the user's rule for the host, after them
	seeds       session.Schemes
	private     []string // names of those that the archive is not given
	transport   *transport
	jar         *jar
	credentials session.Credentials // they go before an Authorization among headers
	reported    int                 // addresses that Learned has returned

	mu    sync.Mutex
	kept  *resting // what the transport became by Rest: it may be another turn's since. nil = it is ours
	found []string // addresses, when it was given up
}

// Site opens the way to a host. It must be closed.
func (d *Downloader) Site(o SiteOptions) *Site {
	s := &Site{
		from: d, job: o.Job, headers: o.Job.Headers, own: o.Job.For(o.Host).Own,
		jar: newJar(o.Host, o.Cookies, time.Now()), seeds: o.Seeds, credentials: o.Credentials,
		host: o.Host, terms: o.terms(),
	}
	if s.transport = d.keeper.take(s.host, s.terms); s.transport != nil {
		s.transport.renew(o.Lease, o.Addresses)
	} else {
		s.transport = newTransport(transportOptions{
			Options: dial.Options{Lease: o.Lease, Guard: o.Guard, TLS: o.TLS, Heard: d.Heard, Name: hostname(o.Host), Addresses: o.Addresses},
			Kit:     d.kit, Bandwidth: d.Bandwidth, Limits: o.Job.Fetch, Lanes: o.Lanes, Proxy: d.Proxy, Agent: o.Job.UserAgent,
		})
	}
	for _, h := range slices.Concat(s.headers, s.own) {
		if name := http.CanonicalHeaderKey(h.Name); !slices.Contains(plainHeaders[:], name) {
			s.private = append(s.private, name)
		}
	}
	return s
}

// plainHeaders are those of the user's headers that the archive is given. Any other may be a key to something.
var plainHeaders = [...]string{"Accept", "Accept-Language", "Cache-Control", "From", "Pragma", "Referer"}

// Lapse closes all connections at once: the lease ended. When it is extended, new ones may be opened.
func (s *Site) Lapse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil {
		s.from.keeper.drop(s.kept)
		return
	}
	s.transport.lapse()
}

// Rest is called when no exchange is under way and none will be; next is how long the host is not to be asked. Idle connections
// are kept for the host's next turn, where it may be soon and all exchanges ended in order, or else closed. From now on nothing
// is written on them until a turn of this host is opened.
func (s *Site) Rest(next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next < keptFor {
		s.found = s.transport.dialer.Resolved()
		if idle := s.transport.rest(); idle > 0 {
			s.kept = &resting{host: s.host, terms: s.terms, over: s.transport, idle: idle}
			s.from.keeper.put(s.kept)
			return
		}
	}
	s.transport.inner.CloseIdleConnections()
}

// Learned is the host's addresses, nil when they are not new since the last call. It is called by one goroutine.
func (s *Site) Learned() (addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.found
	if s.kept == nil {
		found = s.transport.dialer.Resolved()
	}
	if len(found) != s.reported {
		s.reported, addresses = len(found), found
	}
	return addresses
}

// Close ends all connections but those that Rest kept; these too, when the turn did not end in order. No lane may be used after
// it.
func (s *Site) Close(ordered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.kept == nil:
		s.transport.close()
	case !ordered:
		s.from.keeper.drop(s.kept)
	}
}

// Lane does one exchange after the other. Owned by one goroutine; it must be closed.
type Lane struct {
	site    *Site
	visitor Visitor
	clock   exchangeClock
}

// Lane makes a lane.
func (s *Site) Lane() *Lane { return &Lane{site: s, visitor: s.from.Engine.Visitor()} }

// Close gives back what the lane holds.
func (l *Lane) Close() {
	l.visitor.Close()
	l.clock.close()
}

// Page is a page that is asked for.
type Page struct {
	URL          weburl.URL
	Via          weburl.URL // the page that has the link to it; zero = none
	Redirects    int        // followed up to it
	Name         string     // of its file, as far as the user gave one
	ETag         string     // of what is known of it; "" = nothing
	LastModified string
	// Sent reports whether a link was sent already, and need not be among Links, by its key ([crawler.Link.Key]). nil = none was.
	Sent func(key uint64) bool
	// Early takes links while the page is read, with the changes of cookies that its head made. It returns when more may
	// come.
	Early func([]crawler.Link, []session.CookieChange)
}

// Finding is how one exchange ended.
type Finding struct {
	Verdict Verdict
	Why     error // of a verdict other than Counts
	Result  crawler.Result
	Links   []crawler.Link // but those of Page.Sent; owned by the caller
	Dropped Tally          // references on the page that are not among links, by reason
	Bounds  Tally          // limits that were hit
	Cookies []session.CookieChange
	Text    []byte       // of a robots.txt
	Opaque  bool         // it is in a coding that is not known
	Sent    bool         // a request went out
	Sign    trouble.Sign // what a fault says about our own network
}

// Page fetches a page through the engine and stores the exchange.
func (l *Lane) Page(ctx context.Context, p Page, permit Permit) Finding {
	s, job := l.site, l.site.job
	x := &exchange{over: s.transport, clock: &l.clock, request: request{
		url: p.URL, redirects: p.Redirects, name: p.Name, limits: job.Fetch, keep: keepAs(job.Archive), permit: permit,
		links: job.Kind == crawler.Crawl, styles: job.Requisites != crawler.RequisitesNone, lazy: job.LazyImages,
		textLimit: s.from.Engine.TextLimit(), sentLink: p.Sent,
	}}
	early := p.Early
	x.early = func(links []crawler.Link) {
		changes, _ := s.jar.take(x.url, x.header, time.Now()) // the links may want them; those of the end are the same
		early(links, changes)
	}
	// A file is to be what the server has, and one that is coded on its way could not be resumed.
	x.identity = job.Kind == crawler.Download && x.keep == keepDecoded
	if len(job.Accept) > 0 {
		x.accepts = job.Accepts
	}
	defer x.release()
	if short := s.from.kit.lendPart(ctx, x); short != nil {
		return Finding{Result: crawler.Result{URL: p.URL}, Verdict: MachineShort, Why: short}
	}
	header, cookies, left := s.header(p.URL)
	if from := session.Referer(job.Referer, p.Via, p.URL); from != "" && header.Get("Referer") == "" {
		header.Set("Referer", from)
	}
	if p.ETag != "" {
		header.Set("If-None-Match", p.ETag)
	}
	if p.LastModified != "" {
		header.Set("If-Modified-Since", p.LastModified)
	}
	failed := l.visitor.Visit(ctx, x, x.url.String(), header)
	if failed == nil && !x.used {
		failed = errAborted
	}
	if failed != nil {
		x.notExtracted(failed)
	}
	f := l.finding(ctx, x, left)
	if f.Result.Outcome == crawler.Redirected {
		f.Result.Asked = cookies
	}
	return f
}

// errAborted: the engine ended a visit without a request.
var errAborted = errors.New("a callback aborted the request, or the engine refused it")

// notExtracted fails the page because of the engine.
func (x *exchange) notExtracted(failed error) {
	x.begin() // for the result's URL and time, when the transport was not reached
	if x.verdict == Counts {
		x.fail(crawler.ReasonExtraction, Detail(failed.Error()))
		x.result.Unsent = x.requests == 0
		x.found, x.result.Links = nil, 0
	}
}

// Robots fetches a robots.txt, without the engine. What is read is cut at the job's limit; it is stored when exchanges are.
func (l *Lane) Robots(ctx context.Context, u weburl.URL, permit Permit) Finding {
	s, job := l.site, l.site.job
	x := &exchange{over: s.transport, clock: &l.clock, request: request{url: u, limits: job.Fetch, robots: true, textLimit: job.Fetch.Robots, permit: permit}}
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
	f := l.finding(ctx, x, left)
	f.Text, f.Opaque = x.text, x.opaque
	return f
}

// finding stores the exchange and sums it up. left is how many cookies did not fit into the request.
func (l *Lane) finding(ctx context.Context, x *exchange, left int) Finding {
	s := l.site
	changes, bounds := s.jar.take(x.url, x.header, time.Now())
	bounds.Add(crawler.BoundCookieHeader, left)
	x.archive(ctx, s.from.Archive, s.private)
	x.noteProgress()
	return Finding{
		Verdict: x.verdict, Why: x.why, Result: x.result, Links: x.found, Cookies: changes,
		Dropped: x.droppedLinks(), Bounds: bounds.With(x.bounds()), Sent: x.requests > 0, Sign: x.sign,
	}
}

// header is what every request to the host carries. cookies stands for the cookies in it, left counts those that did
// not fit.
func (s *Site) header(u weburl.URL) (h http.Header, cookies uint64, left int) {
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
