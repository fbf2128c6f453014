package webfarm

import (
	"bytes"
	"strconv"
)

// Kind is how a URL is answered.
type Kind string

// The kinds. Those from KindNotFound on are in the order of Faults.
const (
	KindGood          Kind = "good"
	KindAsset         Kind = "asset"
	KindDisallowed    Kind = "disallowed" // good, and forbidden by robots.txt
	KindNotFound      Kind = "not_found"
	KindServerError   Kind = "server_error"
	KindFlaky         Kind = "flaky"
	KindThrottled     Kind = "throttled"
	KindReset         Kind = "reset"
	KindTruncated     Kind = "truncated"
	KindSlow          Kind = "slow"
	KindRedirect      Kind = "redirect"
	KindRedirectCross Kind = "redirect_cross"
	KindRedirectChain Kind = "redirect_chain"
	KindRedirectLoop  Kind = "redirect_loop"
)

var faultKinds = []Kind{
	KindNotFound, KindServerError, KindFlaky, KindThrottled, KindReset, KindTruncated, KindSlow,
	KindRedirect, KindRedirectCross, KindRedirectChain, KindRedirectLoop,
}

// fan is how many children a page of the tree has.
const fan = 16

// site is the web without sockets: pure, and safe for concurrent use.
type site struct {
	o      Options
	faces  []face
	faults []float64 // Faults.fractions
	text   []byte    // words; see newText
}

// face is what a host is called.
type face struct {
	https     bool
	authority string // name:port
	base      string // scheme://authority
}

// ref is a URL of the farm: page of host, or with hop > 0 a further URL of the page's redirects.
type ref struct{ host, page, hop int }

// hash draws a number for a purpose (salt) and two places. It is the finalizer of splitmix64.
func (s *site) hash(salt uint64, a, b int) uint64 {
	x := s.o.Seed ^ salt*0x9e3779b97f4a7c15
	x = scramble(x + uint64(a)*0xd1342543de82ef95 + 1)
	return scramble(x + uint64(b)*0xaf251af3b0f025b5)
}

func scramble(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// What hash is asked for.
const (
	saltKind uint64 = iota + 1
	saltFault
	saltSection
	saltStyle
	saltSize
	saltText
	saltLink
	saltTarget
	saltJitter
	saltGzip
	saltChunked
	saltHTTPS
	saltRobots
	saltRule
	saltDelivery
)

// unit makes a number from 0 to 1 of a hash.
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// trunk is how many pages of a host have children, at least page 0.
func (s *site) trunk() int { return max(1, (s.o.PagesPerHost-1+fan-1)/fan) }

// kind says how a page is answered.
func (s *site) kind(host, page int) Kind {
	if page < s.trunk() {
		return KindGood
	}
	u := unit(s.hash(saltKind, host, page))
	if u < s.o.Assets {
		return KindAsset
	}
	switch folder, forbidden := s.section(host, page); {
	case forbidden:
		return KindDisallowed
	case folder != "":
		return KindGood
	}
	u = unit(s.hash(saltFault, host, page))
	for i, f := range s.faults {
		if u -= f; u < 0 {
			return faultKinds[i]
		}
	}
	return KindGood
}

// sections are the folders of which each host disallows one.
var sections = [...]string{"private/", "members/", "drafts/", "tmp/"}

// openSections are the folders in them that a longer rule allows.
var openSections = [...]string{"private/open/", "members/open/", "drafts/open/", "tmp/open/"}

func (s *site) disallowedSection(host int) int {
	return int(s.hash(saltRule, host, 0) % uint64(len(sections)))
}

// section is the folder of a leaf that lies in one, "" for others, and whether robots.txt forbids it.
func (s *site) section(host, page int) (folder string, forbidden bool) {
	if s.o.Robots.Disallowed == 0 || page < s.trunk() {
		return "", false
	}
	h := s.hash(saltSection, host, page)
	own := s.disallowedSection(host)
	switch u := unit(h); {
	case u < s.o.Robots.Disallowed:
		if h%8 == 0 {
			return openSections[own], false
		}
		return sections[own], s.robotsMode(host) != robotsMissing
	case u < 2*s.o.Robots.Disallowed:
		other := int(h % uint64(len(sections)-1))
		return sections[(own+1+other)%len(sections)], false
	}
	return "", false
}

// appendTarget writes path and query of a URL. A page's number follows the first dash.
func (s *site) appendTarget(b []byte, r ref) []byte {
	number := func(before, after string) []byte {
		b = append(b, before...)
		b = strconv.AppendInt(b, int64(r.page), 10)
		return append(b, after...)
	}
	if r.hop > 0 {
		return strconv.AppendInt(number("/hop-", "/"), int64(r.hop), 10)
	}
	if r.page == 0 {
		return append(b, '/')
	}
	style := s.hash(saltStyle, r.host, r.page)
	if s.kind(r.host, r.page) == KindAsset {
		t := assetTypes[style%uint64(len(assetTypes))]
		return number(t.before, t.after)
	}
	if folder, _ := s.section(r.host, r.page); folder != "" {
		b = append(append(b, '/'), folder...)
		return number("doc-", ".html")
	}
	b = append(b, "/s"...)
	b = append(b, byte('0'+r.page%8))
	switch style % 4 {
	case 0:
		return number("/page-", ".html")
	case 1:
		return strconv.AppendUint(number("/list?id=x-", "&sort=asc&v="), style>>8%1000, 10)
	case 2:
		return number("/a/b/item-", "/")
	}
	return number("/page-", "")
}

func (s *site) appendURL(b []byte, r ref) []byte {
	return s.appendTarget(append(b, s.faces[r.host].base...), r)
}

func (s *site) url(r ref) string { return string(s.appendURL(nil, r)) }

// resolve finds the URL of a host by path and query. scratch is used for the comparison and returned.
func (s *site) resolve(host int, target, scratch []byte) (ref, bool, []byte) {
	r := ref{host: host}
	if len(target) != 1 || target[0] != '/' {
		_, rest, ok := bytes.Cut(target, []byte{'-'})
		n := 0
		r.page, n = leadingNumber(rest)
		if !ok || n == 0 || r.page >= s.o.PagesPerHost {
			return ref{}, false, scratch
		}
		if bytes.HasPrefix(target, []byte("/hop-")) {
			r.hop, _ = leadingNumber(bytes.TrimPrefix(rest[n:], []byte{'/'}))
			if r.hop < 1 || r.hop > s.hops(host, r.page) {
				return ref{}, false, scratch
			}
		}
	}
	scratch = s.appendTarget(scratch[:0], r)
	return r, bytes.Equal(scratch, target), scratch
}

// leadingNumber reads the digits that b begins with, and says how many there are.
func leadingNumber(b []byte) (v, n int) {
	for n < len(b) && n < 9 && '0' <= b[n] && b[n] <= '9' {
		v = v*10 + int(b[n]-'0')
		n++
	}
	return v, n
}

// hops is how many further URLs the redirects of a page pass.
func (s *site) hops(host, page int) int {
	switch s.kind(host, page) {
	case KindRedirectChain:
		return s.o.Faults.ChainLength
	case KindRedirectLoop:
		return 2
	}
	return 0
}

// redirect is where a URL redirects to.
func (s *site) redirect(r ref) (ref, bool) {
	good := ref{host: r.host, page: int(s.hash(saltTarget, r.host, r.page) % uint64(s.trunk()))}
	next := ref{host: r.host, page: r.page, hop: r.hop + 1}
	switch s.kind(r.host, r.page) {
	case KindRedirect:
		return good, true
	case KindRedirectCross:
		good.host = s.otherHost(r.host, s.hash(saltTarget, r.page, r.host))
		return good, true
	case KindRedirectChain:
		if r.hop < s.o.Faults.ChainLength {
			return next, true
		}
		return good, true
	case KindRedirectLoop:
		if r.hop < 2 {
			return next, true
		}
		return ref{host: r.host, page: r.page}, true
	}
	return ref{}, false
}

// otherHost draws a host that is not this one, where there is one.
func (s *site) otherHost(host int, h uint64) int {
	if s.o.Hosts == 1 {
		return host
	}
	return (host + 1 + int(h%uint64(s.o.Hosts-1))) % s.o.Hosts
}
