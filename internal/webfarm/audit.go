package webfarm

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Audit is what crawlers did to the farm, as the server saw it. Durations are nanoseconds in JSON.
//
// A request begins when its first byte was read and ends when the last byte of the answer was handed to the
// kernel, or when the client was seen to be gone. Both are seen a little late by a busy process: leave some
// milliseconds to a measured gap, see [Rules].
type Audit struct {
	Total Total       `json:"total"`
	Hosts []HostAudit `json:"hosts"` // in the order of their numbers
}

// Counts are what is counted for each host and in total.
type Counts struct {
	Requests     int64 `json:"requests"`      // of all sorts
	Pages        int64 `json:"pages"`         // requests for URLs of the farm, without robots.txt
	Unique       int64 `json:"unique"`        // different URLs among them
	Repeats      int64 `json:"repeats"`       // Pages - Unique
	Excess       int64 `json:"excess"`        // repeats of URLs that had been answered for good (conditional requests do not count)
	Unknown      int64 `json:"unknown"`       // requests for what the farm does not have
	Robots       int64 `json:"robots"`        // requests for robots.txt
	RobotsHops   int64 `json:"robots_hops"`   // requests for the rules of another host whose robots.txt redirects here
	Disallowed   int64 `json:"disallowed"`    // requests that the host's robots.txt forbids
	BeforeRobots int64 `json:"before_robots"` // requests for pages before robots.txt had been answered
	Early        int64 `json:"early"`         // requests before the time of a Retry-After
	BadHost      int64 `json:"bad_host"`      // requests with another Host header than name:port
	Bytes        int64 `json:"bytes"`         // sent, with headers
	Connections  int64 `json:"connections"`
}

// HostAudit is the audit of one host. The zero times mean that it was never asked.
type HostAudit struct {
	Host string `json:"host"` // name:port
	Counts
	RobotsByScheme map[string]int64 `json:"robots_by_scheme,omitempty"`
	MinGap         time.Duration    `json:"min_gap_ns"`        // least time from the end of an answer to the next request, where none was open; -1 when never seen
	MinStartGap    time.Duration    `json:"min_start_gap_ns"`  // least time from a request to the next; -1 with fewer than two requests
	MaxConcurrency int              `json:"max_concurrency"`   // most requests open at once
	CrawlDelay     time.Duration    `json:"crawl_delay_ns"`    // what its robots.txt asks for
	First          time.Time        `json:"first,omitzero"`    // begin of the first request
	Last           time.Time        `json:"last,omitzero"`     // end of the last answer
	Samples        []string         `json:"samples,omitempty"` // some URLs asked against the rules, with the rule
}

// Total sums up the hosts and names the worst of them.
type Total struct {
	Counts
	HostsAsked         int           `json:"hosts_asked"`
	MinGap             time.Duration `json:"min_gap_ns"`
	MinGapHost         string        `json:"min_gap_host,omitempty"`
	MinStartGap        time.Duration `json:"min_start_gap_ns"`
	MinStartGapHost    string        `json:"min_start_gap_host,omitempty"`
	MaxConcurrency     int           `json:"max_concurrency"`
	MaxConcurrencyHost string        `json:"max_concurrency_host,omitempty"`
	First              time.Time     `json:"first,omitzero"`
	Last               time.Time     `json:"last,omitzero"`
}

const (
	// maxSamples bounds HostAudit.Samples.
	maxSamples = 5
)

// asked is what a meter needs to know of a request.
type asked struct {
	start       time.Time
	what        what
	ref         ref
	scheme      string
	target      []byte // read during the call only
	disallowed  bool
	badHost     bool
	conditional bool
}

// what is the sort of a request.
type what uint8

const (
	whatPage what = iota
	whatRobots
	whatRobotsHop
	whatUnknown
)

// answered is what became of it.
type answered struct {
	final      bool // a client has no reason to ask again
	retryAfter time.Duration
	bytes      int
}

// meter keeps the audit of one host. It is safe for concurrent use.
type meter struct {
	mu         sync.Mutex
	audit      HostAudit
	open       int
	lastStart  time.Time
	lastEnd    time.Time
	notBefore  time.Time // from a Retry-After
	robotsDone bool
	robots     int              // requests so far, for modes that fail at first
	pages      []tally          // by page
	hops       map[[2]int]tally // by page and hop
}

// tally is what happened to one URL.
type tally struct {
	requests uint32
	done     bool
}

func newMeter(host string, pages int, crawlDelay time.Duration) *meter {
	m := &meter{pages: make([]tally, pages), audit: HostAudit{Host: host, CrawlDelay: crawlDelay}}
	m.reset()
	return m
}

// reset forgets everything but the requests that are open now.
func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.audit = HostAudit{Host: m.audit.Host, CrawlDelay: m.audit.CrawlDelay, MinGap: -1, MinStartGap: -1, MaxConcurrency: m.open}
	m.lastStart, m.lastEnd, m.notBefore, m.robotsDone, m.robots = time.Time{}, time.Time{}, time.Time{}, false, 0
	clear(m.pages)
	m.hops = make(map[[2]int]tally)
}

func (m *meter) connected() {
	m.mu.Lock()
	m.audit.Connections++
	m.mu.Unlock()
}

// begin counts a request, and returns how often its URL was asked for before.
func (m *meter) begin(q asked) (before int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.audit
	a.Requests++
	if q.badHost {
		a.BadHost++
		m.sample("bad host", q.target)
	}
	m.pace(q)
	switch q.what {
	case whatRobots:
		a.Robots++
		if a.RobotsByScheme == nil {
			a.RobotsByScheme = make(map[string]int64)
		}
		a.RobotsByScheme[q.scheme]++
		m.robots++
		return m.robots - 1
	case whatRobotsHop:
		a.RobotsHops++
		return 0
	case whatUnknown:
		a.Unknown++
		m.sample("unknown", q.target)
		m.obedience(q)
		return 0
	}
	a.Pages++
	m.obedience(q)
	return m.count(q)
}

// obedience counts what robots.txt forbids.
func (m *meter) obedience(q asked) {
	if !m.robotsDone {
		m.audit.BeforeRobots++
	}
	if q.disallowed {
		m.audit.Disallowed++
		m.sample("disallowed", q.target)
	}
}

// pace measures the gaps and what is open.
func (m *meter) pace(q asked) {
	a := &m.audit
	if a.First.IsZero() {
		a.First = q.start
	} else {
		if gap := q.start.Sub(m.lastStart); a.MinStartGap < 0 || gap < a.MinStartGap {
			a.MinStartGap = max(gap, 0)
		}
		if gap := q.start.Sub(m.lastEnd); m.open == 0 && (a.MinGap < 0 || gap < a.MinGap) {
			a.MinGap = max(gap, 0)
		}
	}
	if q.start.Before(m.notBefore.Add(-earlySlack)) {
		a.Early++
		m.sample("early", q.target)
	}
	if q.start.After(m.lastStart) {
		m.lastStart = q.start
	}
	m.open++
	a.MaxConcurrency = max(a.MaxConcurrency, m.open)
}

// earlySlack is how far a request may come before the end of a Retry-After, for what two clocks and a busy
// machine differ.
const earlySlack = 5 * time.Millisecond

func (m *meter) count(q asked) (before int) {
	t := m.tally(q.ref)
	if t.requests == 0 {
		m.audit.Unique++
	} else {
		m.audit.Repeats++
	}
	if t.done && !q.conditional {
		m.audit.Excess++
		m.sample("again", q.target)
	}
	t.requests++
	m.keep(q.ref, t)
	return int(t.requests) - 1
}

func (m *meter) tally(r ref) tally {
	if r.hop > 0 {
		return m.hops[[2]int{r.page, r.hop}]
	}
	return m.pages[r.page]
}

func (m *meter) keep(r ref, t tally) {
	if r.hop > 0 {
		m.hops[[2]int{r.page, r.hop}] = t
	} else {
		m.pages[r.page] = t
	}
}

func (m *meter) sample(what string, target []byte) {
	if len(m.audit.Samples) < maxSamples {
		m.audit.Samples = append(m.audit.Samples, what+" "+string(target))
	}
}

// release says that the last bytes of an answer are about to be written. From here on the client may have
// all of it and ask again, before this process comes to count the end.
func (m *meter) release(now time.Time) {
	m.mu.Lock()
	m.open--
	m.ended(now)
	m.mu.Unlock()
}

// end says that they were written, or that the client is gone. The answer ended with its release: when this is
// called, a busy process may have let so much time pass that the next request is there already.
func (m *meter) end(q asked, now time.Time, a answered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.audit.Bytes += int64(a.bytes)
	if until := now.Add(a.retryAfter); a.retryAfter > 0 && until.After(m.notBefore) {
		m.notBefore = until
	}
	switch {
	case q.what == whatRobots:
		m.robotsDone = m.robotsDone || a.final
	case q.what == whatPage && a.final:
		t := m.tally(q.ref)
		t.done = true
		m.keep(q.ref, t)
	}
}

func (m *meter) ended(now time.Time) {
	if now.After(m.lastEnd) {
		m.lastEnd, m.audit.Last = now, now
	}
}

func (m *meter) snapshot() HostAudit {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.audit
	a.Samples, a.RobotsByScheme = slices.Clone(a.Samples), maps.Clone(a.RobotsByScheme)
	return a
}
