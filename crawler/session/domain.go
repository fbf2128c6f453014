package session

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler/weburl"
)

// Words of limits that were hit, of the same kind and contract as those of a job's other limits.
const (
	BoundCookiesHost   = "cookies-host"   // a host's cookie went because the host set more than MaxHostCookies or MaxHostCookieBytes
	BoundCookiesDomain = "cookies-domain" // a cookie went because its domain has more than MaxDomainCookies or MaxDomainCookieBytes
)

// MaxDomainLogins is how many logins a user may give for the hosts of one domain.
const MaxDomainLogins = 256

// Login is a name and password that a user gave for a host, apart from seeds.
type Login struct {
	Host        weburl.Host
	Scheme      string // where it counts: "http" (and https), "https", or "" for what the host's seeds spell, else https
	Credentials string // "user:password"
}

// DomainState is what the ledger keeps of a registrable domain: what its hosts share. It is a record of its own, in the
// partition of the domain's name, since the hosts lie in many.
type DomainState struct {
	Domain  string
	Cookies []KeptCookie // in the order in which they were first set
	Logins  []Login
}

// Key names the record.
func (d *DomainState) Key() weburl.HostKey { return DomainKey(d.Domain) }

// DomainKey is the hash of a domain's name.
func DomainKey(name string) weburl.HostKey { return weburl.Host(name).Key() }

// Clone copies the state, so that it can be edited.
func (d *DomainState) Clone() DomainState {
	return DomainState{Domain: d.Domain, Cookies: slices.Clone(d.Cookies), Logins: slices.Clone(d.Logins)}
}

// Empty reports whether there is nothing to keep.
func (d *DomainState) Empty() bool { return len(d.Cookies)+len(d.Logins) == 0 }

// Bytes is what the state takes in memory, about.
func (d *DomainState) Bytes() int {
	n := 256 + len(d.Domain)
	for i := range d.Cookies {
		n += 192 + d.Cookies[i].Size() + len(d.Cookies[i].By)
	}
	for i := range d.Logins {
		n += 64 + len(d.Logins[i].Host) + len(d.Logins[i].Credentials)
	}
	return n
}

// Apply takes a change over. A cookie that is set again keeps its place. What has to go for it is counted by limit.
func (d *DomainState) Apply(c *CookieChange, now time.Time) (bounds map[string]int64) {
	d.Cookies = slices.DeleteFunc(d.Cookies, func(k KeptCookie) bool { return k.over(now) })
	at := slices.IndexFunc(d.Cookies, func(k KeptCookie) bool { return k.Same(&c.Cookie) })
	if c.Gone {
		if at >= 0 {
			d.Cookies = slices.Delete(d.Cookies, at, at+1)
		}
		return nil
	}
	switch {
	case c.By != "" && c.Size() > MaxHostCookieBytes:
		return map[string]int64{BoundCookiesHost: 1}
	case c.Size() > MaxDomainCookieBytes:
		return map[string]int64{BoundCookiesDomain: 1}
	}
	fresh := KeptCookie{Cookie: c.Cookie, Set: now}
	if c.Age > 0 {
		fresh.Expires = now.Add(min(c.Age, MaxCookieAge))
	}
	if at >= 0 {
		d.Cookies[at] = fresh
	} else {
		d.Cookies = append(d.Cookies, fresh)
	}
	return d.shrink(&fresh)
}

// shrink lets cookies go until the limits hold, never the one that was just set unless it is alone.
func (d *DomainState) shrink(fresh *KeptCookie) map[string]int64 {
	bounds := make(map[string]int64)
	of := func(by weburl.Host) func(*KeptCookie) bool { return func(c *KeptCookie) bool { return c.By == by } }
	for fresh.By != "" && d.over(of(fresh.By), MaxHostCookies, MaxHostCookieBytes) && d.drop(of(fresh.By), fresh) {
		bounds[BoundCookiesHost]++
	}
	all := func(*KeptCookie) bool { return true }
	servers := func(c *KeptCookie) bool { return c.By != "" }
	for d.over(all, MaxDomainCookies, MaxDomainCookieBytes) && (d.drop(servers, fresh) || d.drop(all, fresh)) {
		bounds[BoundCookiesDomain]++
	}
	if len(bounds) == 0 {
		return nil
	}
	return bounds
}

func (d *DomainState) over(counts func(*KeptCookie) bool, most, bytes int) bool {
	n, size := 0, 0
	for i := range d.Cookies {
		if c := &d.Cookies[i]; counts(c) {
			n++
			size += c.Size()
		}
	}
	return n > most || size > bytes
}

// drop removes the cookie that was set longest ago, among those that may go; false when there is none.
func (d *DomainState) drop(may func(*KeptCookie) bool, not *KeptCookie) bool {
	oldest := -1
	for i := range d.Cookies {
		c := &d.Cookies[i]
		if may(c) && !c.Same(&not.Cookie) && (oldest < 0 || c.Set.Before(d.Cookies[oldest].Set)) {
			oldest = i
		}
	}
	if oldest < 0 {
		return false
	}
	d.Cookies = slices.Delete(d.Cookies, oldest, oldest+1)
	return true
}

// For lists the cookies that may go to a host, with what is left of their time.
func (d *DomainState) For(h weburl.Host, now time.Time) []CookieChange {
	host := h.Name()
	var going []CookieChange
	for i := range d.Cookies {
		c := &d.Cookies[i]
		if c.over(now) || c.Domain != host && !(c.Below && covers(c.Domain, host)) {
			continue
		}
		change := CookieChange{Cookie: c.Cookie}
		if !c.Expires.IsZero() {
			change.Age = c.Expires.Sub(now)
		}
		going = append(going, change)
	}
	return going
}

// Login completes the credentials of a host's seeds, which win, by the logins that were given for it. seeds says by which schemes
// seeds spell the host.
func (d *DomainState) Login(h weburl.Host, seeds Schemes, c Credentials) Credentials {
	own := c
	for _, l := range d.Logins {
		if l.Host != h || l.Scheme == "" && own.HTTP != "" {
			continue
		}
		if c.HTTP == "" && (l.Scheme == "http" || l.Scheme == "" && seeds.Permit("http")) {
			c.HTTP = l.Credentials
		}
		if c.HTTPS == "" && l.Scheme != "http" {
			c.HTTPS = l.Credentials
		}
	}
	return c
}

// Private is what a user gives a job that is never shown: it is in the ledger, not in the job's settings.
type Private struct {
	Cookies []KeptCookie
	Logins  []Login
}

// Digest stands for the content, 0 for nothing.
func (p *Private) Digest() uint64 {
	if len(p.Cookies)+len(p.Logins) == 0 {
		return 0
	}
	var hash xxhash.Digest
	hash.Reset()
	_ = json.NewEncoder(&hash).Encode(p) // plain fields: it cannot fail
	return max(1, hash.Sum64())
}

// Schemes are those by which seeds spell a host, as a set of bits. It says where a user's secrets may go.
type Schemes uint8

const (
	SpelledHTTP Schemes = 1 << iota
	SpelledHTTPS
)

// SchemesOf is the set of one scheme.
func SchemesOf(scheme string) Schemes {
	if scheme == "https" {
		return SpelledHTTPS
	}
	return SpelledHTTP
}

// Permit reports whether what is meant for the seeds may go over the scheme: what an https seed opens is never sent
// over http, the other way round it may be.
func (s Schemes) Permit(scheme string) bool {
	return s&SpelledHTTP != 0 || s != 0 && scheme == "https"
}

// Credentials are "user:password" of a host, by the scheme of the seed that had them.
type Credentials struct{ HTTP, HTTPS string }

// For is what a request over the scheme may carry: those of an http seed go over https too, never the other way round.
func (c Credentials) For(scheme string) string {
	if scheme == "https" && c.HTTPS != "" {
		return c.HTTPS
	}
	if scheme == "https" || scheme == "http" {
		return c.HTTP
	}
	return ""
}
