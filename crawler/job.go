package crawler

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"trawl/crawler/ascii"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// Kind is what sort of job this is. It cannot change while a job goes on.
type Kind string

const (
	// Crawl follows links within the scope.
	Crawl Kind = "crawl"
	// Download fetches each listed URL once, follows redirects only, and keeps the files.
	Download Kind = "download"
)

// ScopeRule names how far a crawl goes from its seeds. See [Scope].
type ScopeRule string

const (
	ScopePage   ScopeRule = "page"   // the seed itself
	ScopePrefix ScopeRule = "prefix" // the seed's path up to its last slash
	ScopeHost   ScopeRule = "host"   // the seed's name without a leading www., either scheme, the seed's port
	ScopeDomain ScopeRule = "domain" // the registrable domain
	ScopeAny    ScopeRule = "any"    // everything
)

// Requisites says which requisites of pages belong to a crawl.
type Requisites string

const (
	RequisitesNone  Requisites = "none"
	RequisitesScope Requisites = "scope" // as if they were pages
	RequisitesAll   Requisites = "all"   // also from other hosts, one hop
)

// ArchiveKind is where bodies go.
type ArchiveKind string

const (
	ArchiveWARC  ArchiveKind = "warc"
	ArchiveFiles ArchiveKind = "files"
	ArchiveNone  ArchiveKind = "none"
)

// Compression of WARC records.
type Compression string

const (
	CompressGzip Compression = "gzip"
	CompressNone Compression = "none"
)

// Job is what one crawl is to do, without its seeds, which are streamed. NewJob gives the defaults; zero
// fields mean what their comments say. Fields marked "identity" make another job when they differ.
type Job struct {
	Name string `json:"name"` // identity; for people
	Kind Kind   `json:"kind"` // identity

	Scope      ScopeRule  `json:"scope"`             // identity
	Include    []string   `json:"include,omitempty"` // identity; regular expressions on the canonical URL, one must match
	Exclude    []string   `json:"exclude,omitempty"` // identity; wins over Include
	Requisites Requisites `json:"requisites"`        // identity
	LazyImages bool       `json:"lazy_images"`       // what scripts load late counts as requisites

	TrapRepeat   int `json:"trap_repeat"`   // one segment of a path in a row; beyond it a link is a trap; 0 = any number
	TrapSegments int `json:"trap_segments"` // segments of a path; beyond it a link is a trap; 0 = any number

	Depth      int   `json:"depth"`        // most links from a seed; -1 = no limit
	MaxPages   int64 `json:"max_pages"`    // most fetched URLs; 0 = no limit; never exceeded
	MaxBytes   int64 `json:"max_bytes"`    // most bytes of bodies, decoded, of all URLs; 0 = no limit; exceeded by what is under way when it is reached
	MaxPerHost int64 `json:"max_per_host"` // most fetched URLs of one host; 0 = no limit

	Delay        time.Duration `json:"delay"`           // least time between two requests to a host
	PerHost      int           `json:"per_host"`        // connections to a host inside its turn, 1 to 64
	IgnoreRobots bool          `json:"ignore_robots"`   // do not ask for robots.txt and do not obey it
	MaxCrawl     time.Duration `json:"max_crawl_delay"` // robots Crawl-delay counts up to this
	UserAgent    string        `json:"user_agent"`

	Fetch  FetchLimits  `json:"fetch"`
	Retry  RetryPolicy  `json:"retry"`
	Robots RobotsPolicy `json:"robots"`

	HostPatience time.Duration `json:"host_patience"` // a host that has answered may be away so long, of the time that the job runs

	Accept    []string              `json:"accept,omitempty"`    // content types whose bodies are read, such as text/html or image/*; none = all
	Headers   []Header              `json:"headers,omitempty"`   // sent with each request
	Referer   session.RefererPolicy `json:"referer"`             // what requests say of the page that led to them
	CA        string                `json:"ca,omitempty"`        // certificates (PEM) trusted beside the system's
	Bandwidth int64                 `json:"bandwidth,omitempty"` // bytes a second of each fetcher; 0 = no limit
	Hosts     []HostRule            `json:"hosts,omitempty"`     // settings of single hosts

	Archive      ArchiveKind `json:"archive"`
	Compress     Compression `json:"compress"`
	AllowPrivate []string    `json:"allow_private,omitempty"` // networks (CIDR) or "all"
	SeedPrivate  []string    `json:"seed_private,omitempty"`  // IP:port opened because a seed spells it; set by the scheduler

	Index *HostIndex `json:"-"` // of Hosts, see IndexHosts

	Workers int `json:"workers,omitempty"` // most turns at once on each fetcher; 0 = as it announces

	Lease    time.Duration `json:"lease"`     // right to work, from the asking
	Renew    time.Duration `json:"renew"`     // interval of renewals
	Grace    time.Duration `json:"grace"`     // between the end of a lease and its lapse
	TurnTime time.Duration `json:"turn_time"` // work a turn is sized for, 2 s to 10 s
}

// FetchLimits bound one exchange with a server. Each leaves a mark when it is hit.
type FetchLimits struct {
	Connect     time.Duration `json:"connect"`      // to connect and shake hands
	FirstByte   time.Duration `json:"first_byte"`   // from the request to the first byte of the answer
	Idle        time.Duration `json:"idle"`         // without a byte, once the answer began
	Total       time.Duration `json:"total"`        // whole exchange but for our own waiting; 0 = no limit
	HeaderBytes int64         `json:"header_bytes"` // response headers
	MaxBody     int64         `json:"max_body"`     // decoded body, kept up to here and marked truncated; 0 = no limit
	Ratio       int64         `json:"ratio"`        // decoded to encoded bytes, beyond RatioAfter
	RatioAfter  int64         `json:"ratio_after"`  // decoded bytes before Ratio counts
	Redirects   int           `json:"redirects"`    // in a chain; 0 = none is followed
	Links       int           `json:"links"`        // a page; 0 = no limit
	URLBytes    int           `json:"url_bytes"`    // longer links are dropped with a tally
	Robots      int64         `json:"robots_bytes"` // robots.txt is read up to here
}

func (l *FetchLimits) Times() [4]time.Duration {
	return [...]time.Duration{l.Connect, l.FirstByte, l.Idle, l.Total}
}

// MaxRedirects is the most redirects in a chain that a job may ask for.
const MaxRedirects = 1000

// RobotsPolicy says how long robots.txt is kept and when a host whose robots.txt cannot be reached is
// given up.
type RobotsPolicy struct {
	TTL     time.Duration `json:"ttl"`
	Tries   int           `json:"tries"`
	Backoff time.Duration `json:"backoff"` // before the second try; then three times as long, and so on
}

// MiB and KiB are sizes in bytes.
const (
	KiB = 1 << 10
	MiB = 1 << 20
)

// NewJob returns a job of the kind with every default in force.
func NewJob(kind Kind) Job {
	j := Job{
		Name: string(kind), Kind: kind,
		Scope: ScopeHost, Requisites: RequisitesScope, LazyImages: true, Depth: -1,
		TrapRepeat: DefaultTrapRepeat, TrapSegments: DefaultTrapSegments,
		Delay: time.Second, PerHost: 1, MaxCrawl: 60 * time.Second,
		UserAgent: "trawl/1 (+https://github.com/trawl-crawler/trawl)",
		Fetch: FetchLimits{
			Connect: 10 * time.Second, FirstByte: 30 * time.Second, Idle: 60 * time.Second, Total: 5 * time.Minute,
			HeaderBytes: 64 * KiB, MaxBody: 64 * MiB, Ratio: 200, RatioAfter: 16 * MiB,
			Redirects: 10, Links: 100_000, URLBytes: weburl.MaxBytes, Robots: 500 * KiB,
		},
		HostPatience: DefaultHostPatience,
		Referer:      session.RefererStrictOrigin,
		Retry:        RetryPolicy{Retries: 3, Base: 5 * time.Second, Max: 10 * time.Minute},
		Robots:       RobotsPolicy{TTL: 24 * time.Hour, Tries: 4, Backoff: 70 * time.Second},
		Archive:      ArchiveWARC, Compress: CompressGzip,
		Lease: 15 * time.Second, Renew: 5 * time.Second, Grace: 5 * time.Second, TurnTime: 5 * time.Second,
	}
	if kind == Download {
		j.Scope, j.Requisites = ScopeAny, RequisitesNone
		j.Delay, j.PerHost, j.Archive = 0, 2, ArchiveFiles
		j.Fetch.MaxBody, j.Fetch.Total = 0, 0
	}
	return j
}

// Validate reports every problem of the job at once, each with what to do.
func (j *Job) Validate() error {
	var problems []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	bad(j.Kind == Crawl || j.Kind == Download, "kind %q: use crawl or download", j.Kind)
	switch j.Scope {
	case ScopePage, ScopePrefix, ScopeHost, ScopeDomain, ScopeAny:
	default:
		bad(false, "--scope %q: use page, prefix, host, domain or any", j.Scope)
	}
	switch j.Requisites {
	case RequisitesNone, RequisitesScope, RequisitesAll:
	default:
		bad(false, "--requisites %q: use none, scope or all", j.Requisites)
	}
	switch j.Archive {
	case ArchiveWARC, ArchiveFiles, ArchiveNone:
	default:
		bad(false, "--archive %q: use warc, files or none", j.Archive)
	}
	bad(j.Compress == CompressGzip || j.Compress == CompressNone, "--compress %q: use gzip or none", j.Compress)
	for _, re := range j.Include {
		_, err := regexp.Compile(re)
		bad(err == nil, "--include %q is not a regular expression: %v", re, err)
	}
	for _, re := range j.Exclude {
		_, err := regexp.Compile(re)
		bad(err == nil, "--exclude %q is not a regular expression: %v", re, err)
	}
	for _, n := range j.AllowPrivate {
		_, err := netip.ParsePrefix(n)
		bad(n == "all" || err == nil, "--allow-private %q: use all, or networks such as 10.0.0.0/8", n)
	}
	bad(j.Depth >= -1, "--depth %d: use 0 or more, or -1 for no limit", j.Depth)
	bad(j.TrapRepeat >= 0, "--trap-repeat %d: use 0 for no limit, or more", j.TrapRepeat)
	bad(j.TrapSegments >= 0, "--trap-segments %d: use 0 for no limit, or more", j.TrapSegments)
	bad(j.MaxPages >= 0, "--max-pages %d: use 0 for no limit, or more", j.MaxPages)
	bad(j.MaxBytes >= 0, "--max-bytes %d: use 0 for no limit, or more", j.MaxBytes)
	bad(j.MaxPerHost >= 0, "--max-per-host %d: use 0 for no limit, or more", j.MaxPerHost)
	bad(j.Delay >= 0 && j.Delay <= 24*time.Hour, "--delay %v: use 0 to 24h", j.Delay)
	bad(j.Workers >= 0, "--workers %d: use 0 for as many as a fetcher announces, or more", j.Workers)
	bad(j.PerHost >= 1 && j.PerHost <= 64, "--per-host %d: use 1 to 64", j.PerHost)
	bad(ProductToken(j.UserAgent) != "", "--user-agent %q: begin with a name of letters, - or _", j.UserAgent)
	bad(!strings.ContainsAny(j.UserAgent, "\r\n\x00"), "--user-agent: must be one line")
	bad(j.Fetch.Idle > 0, "--timeout %v: must be more than 0", j.Fetch.Idle)
	bad(j.Fetch.Connect > 0, "--connect-timeout %v: must be more than 0", j.Fetch.Connect)
	bad(j.Fetch.FirstByte > 0, "--first-byte-timeout %v: must be more than 0", j.Fetch.FirstByte)
	bad(j.Fetch.Total >= 0, "--total-timeout %v: use 0 for no limit, or more", j.Fetch.Total)
	bad(j.Fetch.Redirects >= 0 && j.Fetch.Redirects <= MaxRedirects, "--max-redirects %d: use 0 to %d", j.Fetch.Redirects, MaxRedirects)
	bad(j.Fetch.MaxBody >= 0, "--max-body %d: use 0 for no limit, or more", j.Fetch.MaxBody)
	bad(j.Fetch.Links >= 0, "--max-links %d: use 0 for no limit, or more", j.Fetch.Links)
	bad(j.Retry.Retries >= 0 && j.Retry.Retries <= 100, "--retries %d: use 0 to 100", j.Retry.Retries)
	bad(j.HostPatience >= 0, "--host-patience %v: use 0 or more", j.HostPatience)
	bad(j.Lease > 0 && j.Renew > 0 && j.Renew < j.Lease, "lease %v must be longer than renewal %v", j.Lease, j.Renew)
	bad(j.Grace > 0, "grace %v: must be more than 0", j.Grace)
	bad(j.Bandwidth == 0 || j.Bandwidth >= MinBandwidth, "--bandwidth %d: use 0 for no limit, or %d bytes a second at least", j.Bandwidth, MinBandwidth)
	bad(j.CA == "" || x509.NewCertPool().AppendCertsFromPEM([]byte(j.CA)), "--ca-file: there is no certificate (PEM) in it")
	switch j.Referer {
	case session.RefererNone, session.RefererOrigin, session.RefererSameOrigin, session.RefererStrictOrigin:
	default:
		bad(false, "--referer %q: use none, origin, same-origin or strict-origin-when-cross-origin", j.Referer)
	}
	for _, a := range j.Accept {
		bad(validMediaRange(a), "--accept %q: use a content type such as text/html, or image/*", a)
	}
	for _, h := range j.Headers {
		problems = append(problems, h.validate("--header"))
	}
	if more := j.canonicalHosts(); len(more) > 0 {
		problems = append(problems, more...)
	}
	return errors.Join(problems...)
}

// SameAs tells whether o goes on with j: the fields of identity must be equal. The error names the first
// that is not.
func (j *Job) SameAs(o *Job) error {
	switch {
	case j.Kind != o.Kind:
		return fmt.Errorf("kind is %s there and %s here", j.Kind, o.Kind)
	case j.Scope != o.Scope:
		return fmt.Errorf("--scope is %s there and %s here", j.Scope, o.Scope)
	case j.Requisites != o.Requisites:
		return fmt.Errorf("--requisites is %s there and %s here", j.Requisites, o.Requisites)
	case strings.Join(j.Include, "\n") != strings.Join(o.Include, "\n"):
		return fmt.Errorf("--include is %q there and %q here", j.Include, o.Include)
	case strings.Join(j.Exclude, "\n") != strings.Join(o.Exclude, "\n"):
		return fmt.Errorf("--exclude is %q there and %q here", j.Exclude, o.Exclude)
	}
	return nil
}

// ProductToken is the name that a User-Agent announces to robots.txt (RFC 9309 section 2.2.1): its
// leading letters, "-" and "_".
func ProductToken(userAgent string) string {
	for i := range len(userAgent) {
		if c := userAgent[i]; !ascii.IsLetter(c) && c != '-' && c != '_' {
			return userAgent[:i]
		}
	}
	return userAgent
}
