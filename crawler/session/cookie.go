package session

import (
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler/weburl"
)

// Limits of cookies. Those that do not fit are left out, and counted ([BoundCookiesHost] and its kin).
const (
	// MaxHostCookies and MaxHostCookieBytes bound what one host may set; its oldest go first.
	MaxHostCookies     = 32
	MaxHostCookieBytes = 3 << 10
	// MaxDomainCookies and MaxDomainCookieBytes bound the cookies of a registrable domain; the oldest go first, and
	// those that the user gave last.
	MaxDomainCookies     = 64
	MaxDomainCookieBytes = 8 << 10
	// MaxCookieHeader is the longest Cookie field that is sent, in bytes.
	MaxCookieHeader = 4 << 10
	// MaxCookieAge caps how long a cookie with an end is kept.
	MaxCookieAge = 400 * 24 * time.Hour
)

// CameBack begins the detail of a row that failed because it redirects to where its chain had been.
const CameBack = "redirects back to "

// Cookie is a cookie after RFC 6265. Its texts are as the server wrote them: quotes are part of a value. Name, domain
// and path together name it.
type Cookie struct {
	Name     string
	Value    string
	Domain   string // a name in lower case: of the host that set it, or with Below the Domain that the host gave
	Below    bool   // goes to the hosts below Domain too
	Path     string
	Secure   bool // goes over https only
	HTTPOnly bool
	By       weburl.Host // which set it; "" = the user
}

// CookieChange is a cookie that was set or taken back, as it travels.
type CookieChange struct {
	Cookie
	Age  time.Duration // it lives so long from the receiving; 0 = as long as the job
	Gone bool          // it is taken back
}

// KeptCookie is a cookie in the ledger.
type KeptCookie struct {
	Cookie
	Expires time.Time // zero = as long as the job
	Set     time.Time // last
}

// CookieDomain is the name under which the cookies of a host are kept together: its registrable domain, or its own
// name where it has none. Cookies do not know ports.
func CookieDomain(h weburl.Host) string { return weburl.RegistrableDomain(h.Name()) }

// ParseCookie reads a Set-Cookie field of an answer from u (RFC 6265 sections 5.2 and 5.3). It is false for what is
// no cookie, or one that u's host may not set. By is left to the caller.
func ParseCookie(field string, u weburl.URL, now time.Time) (CookieChange, bool) {
	pair, attributes, _ := strings.Cut(field, ";")
	name, value, ok := strings.Cut(pair, "=")
	c := CookieChange{Cookie: Cookie{Name: trimBlanks(name), Value: trimBlanks(value)}}
	if !ok || c.Name == "" || hasControls(c.Name) || hasControls(c.Value) {
		return c, false
	}
	var given, path string
	var expires time.Time
	var maxAge time.Duration
	hasMaxAge := false
	for attributes != "" {
		var one string
		one, attributes, _ = strings.Cut(attributes, ";")
		key, text, _ := strings.Cut(one, "=")
		switch text = trimBlanks(text); strings.ToLower(trimBlanks(key)) {
		case "expires":
			if at, ok := parseCookieDate(text); ok {
				expires = at
			}
		case "max-age":
			if age, ok := parseMaxAge(text); ok {
				maxAge, hasMaxAge = age, true
			}
		case "domain":
			if text = strings.TrimPrefix(text, "."); text != "" {
				given = text
			}
		case "path":
			path = text
		case "secure":
			c.Secure = true
		case "httponly":
			c.HTTPOnly = true
		}
	}
	if c.Path = path; !strings.HasPrefix(path, "/") || hasControls(path) {
		c.Path = defaultPath(u.Path())
	}
	switch {
	case hasMaxAge:
		c.Age, c.Gone = maxAge, maxAge == 0
	case !expires.IsZero():
		c.Age = min(expires.Sub(now), MaxCookieAge)
		c.Gone = c.Age <= 0
	}
	if c.Gone {
		c.Age = 0
	}
	return c, c.belong(u.Hostname(), given)
}

// belong sets the cookie's domain by what the server gave ("" = nothing), and reports whether the host may set it.
func (c *Cookie) belong(host, given string) bool {
	c.Domain = host
	if given == "" {
		return true
	}
	u, err := weburl.Parse("http://" + given + "/")
	if err != nil || u.RequestURI() != "/" || u.Hostname() != string(u.Host()) {
		return false
	}
	name := u.Hostname()
	switch {
	case !covers(name, host):
		return false
	case weburl.IsPublicSuffix(name) || weburl.IsAddress(name):
		return name == host // then it is the host's alone
	}
	c.Domain, c.Below = name, true
	return true
}

// covers is the domain-match of RFC 6265 section 5.1.3.
func covers(domain, host string) bool {
	return host == domain || strings.HasSuffix(host, domain) && host[len(host)-len(domain)-1] == '.' && !weburl.IsAddress(host)
}

// Fits reports whether the cookie is one that a host may have set, or be sent: what comes from elsewhere is believed
// only then.
func (c *Cookie) Fits(h weburl.Host) bool {
	host := h.Name()
	switch {
	case c.Name == "" || hasControls(c.Name) || hasControls(c.Value) || strings.ContainsAny(c.Name, ";=") || strings.Contains(c.Value, ";"):
		return false
	case !strings.HasPrefix(c.Path, "/") || hasControls(c.Path):
		return false
	case !c.Below:
		return c.Domain == host
	}
	return covers(c.Domain, host) && !weburl.IsPublicSuffix(c.Domain) && !weburl.IsAddress(c.Domain)
}

// GoesTo reports whether the cookie is sent with a request for u.
func (c *Cookie) GoesTo(u weburl.URL) bool {
	switch host := u.Hostname(); {
	case c.Secure && u.Scheme() != "https":
		return false
	case !c.Below && c.Domain != host, c.Below && !covers(c.Domain, host):
		return false
	}
	path, rest := c.Path, u.Path()
	if !strings.HasPrefix(rest, path) {
		return false
	}
	return len(rest) == len(path) || strings.HasSuffix(path, "/") || rest[len(path)] == '/'
}

// Same reports whether both have one name, domain and path, so that the later one replaces the earlier.
func (c *Cookie) Same(o *Cookie) bool {
	return c.Name == o.Name && c.Domain == o.Domain && c.Path == o.Path
}

// Size is what the limits of bytes count.
func (c *Cookie) Size() int { return len(c.Name) + len(c.Value) + len(c.Domain) + len(c.Path) }

// CookieField is the Cookie field of a request for u, "" for none: longer paths first, then in the order given, which is
// that in which they were first set (RFC 6265 section 5.4). left is how many did not fit into [MaxCookieHeader].
func CookieField(cookies []KeptCookie, u weburl.URL, now time.Time) (field string, left int) {
	going := goingTo(cookies, u, now)
	slices.SortStableFunc(going, func(a, b *KeptCookie) int { return len(b.Path) - len(a.Path) })
	var b strings.Builder
	for _, c := range going {
		if b.Len()+len("; ")+len(c.Name)+len("=")+len(c.Value) > MaxCookieHeader {
			left++
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=" + c.Value)
	}
	return b.String(), left
}

// CookieDigest stands for the cookies that go with a request for u, 0 for none: where it differs, the server may
// answer otherwise than it did.
func CookieDigest(cookies []KeptCookie, u weburl.URL, now time.Time) uint64 {
	going := goingTo(cookies, u, now)
	if len(going) == 0 {
		return 0
	}
	pairs := make([]string, len(going))
	for i, c := range going {
		pairs[i] = c.Path + "\x00" + c.Name + "=" + c.Value + "\x00"
	}
	slices.Sort(pairs)
	return max(1, xxhash.Sum64String(strings.Join(pairs, "")))
}

func goingTo(cookies []KeptCookie, u weburl.URL, now time.Time) []*KeptCookie {
	var going []*KeptCookie
	for i := range cookies {
		if c := &cookies[i]; !c.over(now) && c.GoesTo(u) {
			going = append(going, c)
		}
	}
	return going
}

func (c *KeptCookie) over(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// defaultPath is that of RFC 6265 section 5.1.4.
func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// hasControls reports whether a text cannot stand in a header field.
func hasControls(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// parseMaxAge reads the seconds of Max-Age, capped at [MaxCookieAge] however many digits there are.
func parseMaxAge(s string) (age time.Duration, ok bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	if digits != s {
		return 0, true
	}
	for i := range len(digits) {
		if age = 10*age + time.Duration(digits[i]-'0')*time.Second; age > MaxCookieAge {
			return MaxCookieAge, true
		}
	}
	return age, true
}

// NewestChanges keeps the last change of each cookie, and as many of the last ones as a host may set.
func NewestChanges(all []CookieChange) (kept []CookieChange, over int) {
	for i := range all {
		later := func(o CookieChange) bool { return o.Same(&all[i].Cookie) }
		if !slices.ContainsFunc(all[i+1:], later) {
			kept = append(kept, all[i])
		}
	}
	size := 0
	for i := len(kept) - 1; i >= 0; i-- {
		if size += kept[i].Size(); size > MaxHostCookieBytes || len(kept)-i > MaxHostCookies {
			return kept[i+1:], i + 1
		}
	}
	return kept, 0
}
