package crawler

import (
	"errors"
	"fmt"
	"time"

	"trawl/crawler/ascii"
	"trawl/crawler/session"
	"trawl/crawler/setting"
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
// fields mean what their comments say. [Settings] describes each: its default, check and help, and whether another value makes another job.
// It is one flat value, as a job is compared, stored and sent whole.
type Job struct {
	Name string `json:"name"` // for people
	Kind Kind   `json:"kind"`

	Scope      ScopeRule  `json:"scope"`
	Include    []string   `json:"include,omitempty"` // regular expressions on the canonical URL, one must match
	Exclude    []string   `json:"exclude,omitempty"` // wins over Include
	Requisites Requisites `json:"requisites"`
	LazyImages bool       `json:"lazy_images"` // what scripts load late counts as requisites

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

// NewJob returns a job of the kind with every default set.
func NewJob(kind Kind) Job {
	j := Job{}
	for i := range jobSettings {
		jobSettings[i].Reset(&j, kind == Download)
	}
	j.Name, j.Kind = string(kind), kind
	return j
}

// Validate reports every problem of the job at once, each with what to do: what is wrong with one setting as a [setting.Error].
func (j *Job) Validate() error {
	var problems []error
	for i := range jobSettings {
		for _, problem := range jobSettings[i].Check(j) {
			problems = append(problems, problem)
		}
	}
	if j.Renew >= j.Lease {
		problems = append(problems, fmt.Errorf("lease %v must be longer than renewal %v", j.Lease, j.Renew))
	}
	return errors.Join(append(problems, j.canonicalHosts()...)...)
}

// SameAs reports whether o continues j: the fields of identity must be equal. The error names the first
// that is not.
func (j *Job) SameAs(o *Job) error {
	for i := range jobSettings {
		s := &jobSettings[i]
		if !s.Identity || s.Equal(j, o) {
			continue
		}
		form := "is %s there and %s here"
		if _, list := s.Value(j).(setting.List); list {
			form = "is %q there and %q here"
		}
		return &setting.Error{Setting: s.Name, Problem: fmt.Sprintf(form, s.Value(j).Plain(), s.Value(o).Plain())}
	}
	return nil
}

// settingOf is the setting of a name, nil where there is none.
func settingOf(name string) *Setting {
	for i := range jobSettings {
		if jobSettings[i].Name == name {
			return &jobSettings[i]
		}
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
