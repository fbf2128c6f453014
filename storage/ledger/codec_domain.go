package ledger

import (
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// Fields of a domain.
const (
	domainName   = 1 + iota
	domainCookie // list
	domainLogin  // list
)

func encodeDomain(buf []byte, s *session.DomainState) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(domainName, s.Domain)
	for i := range s.Cookies {
		e.element(domainCookie, string(encodeCookie(nil, &s.Cookies[i])))
	}
	for i := range s.Logins {
		e.element(domainLogin, string(encodeLogin(nil, &s.Logins[i])))
	}
	return e.b
}

func decodeDomain(value []byte) (session.DomainState, error) {
	d := newDecoder(value)
	var s session.DomainState
	for d.next() {
		switch d.num {
		case domainName:
			s.Domain = d.text()
		case domainCookie:
			c, err := decodeCookie([]byte(d.text()))
			if s.Cookies = append(s.Cookies, c); err != nil {
				d.fail(err)
			}
		case domainLogin:
			l, err := decodeLogin([]byte(d.text()))
			if s.Logins = append(s.Logins, l); err != nil {
				d.fail(err)
			}
		}
	}
	return s, d.err
}

// Fields of a cookie.
const (
	cookieName = 1 + iota
	cookieValue
	cookieDomain
	cookieBelow
	cookiePath
	cookieSecure
	cookieHTTPOnly
	cookieBy
	cookieExpires
	cookieSet
)

func encodeCookie(buf []byte, c *session.KeptCookie) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(cookieName, c.Name)
	e.text(cookieValue, c.Value)
	e.text(cookieDomain, c.Domain)
	e.bool(cookieBelow, c.Below)
	e.text(cookiePath, c.Path)
	e.bool(cookieSecure, c.Secure)
	e.bool(cookieHTTPOnly, c.HTTPOnly)
	e.text(cookieBy, string(c.By))
	e.time(cookieExpires, c.Expires)
	e.time(cookieSet, c.Set)
	return e.b
}

func decodeCookie(value []byte) (session.KeptCookie, error) {
	d := newDecoder(value)
	var c session.KeptCookie
	for d.next() {
		switch d.num {
		case cookieName:
			c.Name = d.text()
		case cookieValue:
			c.Value = d.text()
		case cookieDomain:
			c.Domain = d.text()
		case cookieBelow:
			c.Below = d.bool()
		case cookiePath:
			c.Path = d.text()
		case cookieSecure:
			c.Secure = d.bool()
		case cookieHTTPOnly:
			c.HTTPOnly = d.bool()
		case cookieBy:
			c.By = weburl.Host(d.text())
		case cookieExpires:
			c.Expires = d.time()
		case cookieSet:
			c.Set = d.time()
		}
	}
	return c, d.err
}

// Fields of a login.
const (
	loginHost = 1 + iota
	loginScheme
	loginCredentials
)

func encodeLogin(buf []byte, l *session.Login) []byte {
	e := encoder{}
	e.begin(buf)
	e.text(loginHost, string(l.Host))
	e.text(loginScheme, l.Scheme)
	e.text(loginCredentials, l.Credentials)
	return e.b
}

func decodeLogin(value []byte) (session.Login, error) {
	d := newDecoder(value)
	var l session.Login
	for d.next() {
		switch d.num {
		case loginHost:
			l.Host = weburl.Host(d.text())
		case loginScheme:
			l.Scheme = d.text()
		case loginCredentials:
			l.Credentials = d.text()
		}
	}
	return l, d.err
}
