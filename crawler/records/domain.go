package records

import (
	"time"

	"trawl/crawler/schema"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

type (
	domain       = session.DomainState
	cookie       = session.Cookie
	keptCookie   = session.KeptCookie
	cookieChange = session.CookieChange
	login        = session.Login
)

var cookies = schema.Of("Cookie",
	schema.Foreign(1, "name", func(c *cookie) *string { return &c.Name }),
	schema.Foreign(2, "value", func(c *cookie) *string { return &c.Value }),
	schema.Foreign(3, "domain", func(c *cookie) *string { return &c.Domain }),
	schema.Bool(4, "below", func(c *cookie) *bool { return &c.Below }),
	schema.Foreign(5, "path", func(c *cookie) *string { return &c.Path }),
	schema.Bool(6, "secure", func(c *cookie) *bool { return &c.Secure }),
	schema.Bool(7, "http_only", func(c *cookie) *bool { return &c.HTTPOnly }),
	schema.Host(8, "by", func(c *cookie) *weburl.Host { return &c.By }),
)

// CookieChange is a cookie that was set or taken back, as it travels.
var CookieChange = schema.Of("CookieChange",
	schema.Message(1, "cookie", cookies, func(c *cookieChange) *cookie { return &c.Cookie }),
	schema.Duration(2, "age", func(c *cookieChange) *time.Duration { return &c.Age }),
	schema.Bool(3, "gone", func(c *cookieChange) *bool { return &c.Gone }),
)

var keptCookies = schema.Of("KeptCookie",
	schema.Message(1, "cookie", cookies, func(c *keptCookie) *cookie { return &c.Cookie }),
	schema.Clock(2, "expires", func(c *keptCookie) *time.Time { return &c.Expires }),
	schema.Clock(3, "set", func(c *keptCookie) *time.Time { return &c.Set }),
)

var logins = schema.Of("Login",
	schema.Host(1, "host", func(l *login) *weburl.Host { return &l.Host }),
	schema.Foreign(2, "scheme", func(l *login) *string { return &l.Scheme }),
	schema.Foreign(3, "credentials", func(l *login) *string { return &l.Credentials }),
)

// Domain is what the ledger keeps of a registrable domain.
var Domain = schema.Of("DomainState",
	schema.Foreign(1, "domain", func(d *domain) *string { return &d.Domain }).Require(),
	schema.List(2, "cookies", 0, keptCookies, func(d *domain) *[]keptCookie { return &d.Cookies }),
	schema.List(3, "logins", 0, logins, func(d *domain) *[]login { return &d.Logins }),
)
