package crawler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"trawl/crawler/media"
	"trawl/crawler/weburl"
)

// MinBandwidth is the least limit of a fetcher's bandwidth, in bytes a second: one read.
const MinBandwidth = 64 * KiB

// Header is a request header of the user's.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// reserved are headers that say what the connection or the crawl itself needs.
var reserved = map[string]bool{
	"host": true, "connection": true, "content-length": true, "transfer-encoding": true, "upgrade": true, "te": true,
	"trailer": true, "accept-encoding": true, "user-agent": true, "range": true, "if-range": true,
}

// ParseHeader reads "Name: value".
func ParseHeader(text string) (Header, error) {
	name, value, ok := strings.Cut(text, ":")
	h := Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
	if !ok {
		return h, fmt.Errorf("%q is no header: write 'Name: value'", text)
	}
	if problem := h.problem(); problem != "" {
		return h, errors.New("header " + problem)
	}
	return h, nil
}

// problem says what is wrong with the header, "" for nothing.
func (h Header) problem() string {
	if h.Name == "" || strings.ContainsFunc(h.Name, func(r rune) bool { return !isHeaderName(r) }) {
		return fmt.Sprintf("%q: the name has letters, digits and - only", h.Name)
	}
	if reserved[strings.ToLower(h.Name)] {
		return fmt.Sprintf("%q: trawl sets this one itself", h.Name)
	}
	if strings.ContainsAny(h.Value, "\r\n\x00") {
		return fmt.Sprintf("%q: the value must be one line", h.Name)
	}
	return ""
}

// Secret reports whether the header proves who asks: of the job's headers these go only to the hosts that seeds spell.
func (h Header) Secret() bool {
	switch strings.ToLower(h.Name) {
	case "authorization", "proxy-authorization", "cookie":
		return true
	}
	return false
}

func isHeaderName(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// HostRule sets what is different for some hosts. Fields that are nil or empty stay as the job has them.
type HostRule struct {
	Match        string         `json:"match"` // a host (name, or name:port), or a name with all below it: *.example.com, example.com and below
	Delay        *time.Duration `json:"delay,omitempty"`
	PerHost      *int           `json:"per_host,omitempty"`
	MaxPages     *int64         `json:"max_pages,omitempty"`
	IgnoreRobots *bool          `json:"ignore_robots,omitempty"`
	Headers      []Header       `json:"headers,omitempty"`
}

func (r *HostRule) validate() (problems []error) {
	for i := range hostRuleSettings {
		for _, e := range hostRuleSettings[i].Check(r) {
			problems = append(problems, fmt.Errorf("hosts: %s: %s %s", r.Match, e.Setting, e.Problem))
		}
	}
	return problems
}

// HostSettings are the current settings for one host.
type HostSettings struct {
	Delay        time.Duration
	PerHost      int
	MaxPages     int64
	IgnoreRobots bool
	Headers      []Header // the job's; secret ones are for the hosts that seeds spell
	Own          []Header // the rule's, for the hosts that it names; they win
}

// HasSecrets reports whether headers of the job go only to the hosts that seeds spell.
func (j *Job) HasSecrets() bool { return slices.ContainsFunc(j.Headers, Header.Secret) }

// For gives the settings of a host: the job's, with those of the rule that names it most closely.
func (j *Job) For(h weburl.Host) HostSettings {
	s := HostSettings{Delay: j.Delay, PerHost: j.PerHost, MaxPages: j.MaxPerHost, IgnoreRobots: j.IgnoreRobots, Headers: j.Headers}
	best := j.RuleOf(h)
	if best == nil {
		return s
	}
	set(&s.Delay, best.Delay)
	set(&s.PerHost, best.PerHost)
	set(&s.MaxPages, best.MaxPages)
	set(&s.IgnoreRobots, best.IgnoreRobots)
	s.Own = best.Headers
	return s
}

func validMediaRange(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && !strings.ContainsAny(s, " ;,\"") && (kind != "*" || sub == "*")
}

// Accepts reports whether bodies of a content type are wanted.
func (j *Job) Accepts(contentType string) bool {
	if len(j.Accept) == 0 {
		return true
	}
	said := media.Extract([]string{contentType}).Kind
	if said == "" { // as written, then
		said, _, _ = strings.Cut(contentType, ";")
		said = strings.ToLower(strings.TrimSpace(said))
	}
	kind, _, _ := strings.Cut(said, "/")
	for _, a := range j.Accept {
		a = strings.ToLower(a)
		if a == said || a == kind+"/*" || a == "*/*" {
			return true
		}
	}
	return false
}
