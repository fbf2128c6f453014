package wire

import (
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

func encodeCookies(cs []session.CookieChange) []*Cookie {
	out := make([]*Cookie, len(cs))
	for i := range cs {
		c := &cs[i]
		out[i] = &Cookie{
			Name: []byte(c.Name), Value: []byte(c.Value), Domain: c.Domain, Below: c.Below, Path: []byte(c.Path),
			Secure: c.Secure, HttpOnly: c.HTTPOnly, By: string(c.By), Age: encodeDuration(c.Age), Gone: c.Gone,
		}
	}
	return out
}

// cookies reads cookies that the host h may have set, or may be sent.
func (r *reader) cookies(ms []*Cookie, h weburl.Host) []session.CookieChange {
	var out []session.CookieChange
	for _, m := range ms {
		c := session.CookieChange{
			Cookie: session.Cookie{
				Name: string(m.GetName()), Value: string(m.GetValue()), Domain: m.GetDomain(), Below: m.GetBelow(),
				Path: string(m.GetPath()), Secure: m.GetSecure(), HTTPOnly: m.GetHttpOnly(), By: weburl.Host(m.GetBy()),
			},
			Age: r.duration("cookie age", m.GetAge()), Gone: m.GetGone(),
		}
		if c.By != "" {
			r.host("cookie by", m.GetBy())
		}
		if r.err == nil && !c.Fits(h) {
			r.fail("cookie", "is none of host %q", h)
		}
		if r.err != nil {
			return nil
		}
		out = append(out, c)
	}
	return out
}
