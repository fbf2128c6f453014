package download

import (
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"time"

	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// jar is the cookies that may go to a host during a turn. They come with the grant; what answers change goes back with
// the pages that changed it. Safe for concurrent use.
type jar struct {
	host weburl.Host

	mu   sync.Mutex
	kept session.DomainState
	gone []session.Cookie // taken back in this turn, so that each is reported once; cookies of other turns may be meant too
}

// newJar starts from the cookies that came with the grant, received just now.
func newJar(host weburl.Host, cookies []session.CookieChange, now time.Time) *jar {
	j := &jar{host: host}
	for _, c := range cookies {
		kept := session.KeptCookie{Cookie: c.Cookie, Set: now}
		if c.Age > 0 {
			kept.Expires = now.Add(c.Age)
		}
		j.kept.Cookies = append(j.kept.Cookies, kept)
	}
	return j
}

// field is the Cookie field for a request, "" for none, what stands for the cookies in it, and how many were left out
// because there are too many.
func (j *jar) field(u weburl.URL, now time.Time) (field string, digest uint64, left int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.kept.Cookies) == 0 {
		return "", 0, 0
	}
	field, left = session.CookieField(j.kept.Cookies, u, now)
	return field, session.CookieDigest(j.kept.Cookies, u, now), left
}

// take keeps the cookies of an answer; header may be nil. It lists what changed by it, and counts what was too much.
func (j *jar) take(u weburl.URL, header http.Header, now time.Time) (changes []session.CookieChange, bounds Tally) {
	lines := header.Values("Set-Cookie")
	if len(lines) == 0 {
		return nil, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range lines {
		c, ok := session.ParseCookie(l, u, now)
		if !ok {
			continue
		}
		if c.By = j.host; c.Size() > session.MaxHostCookieBytes {
			bounds.Add(session.BoundCookiesHost, 1)
		} else {
			changes = append(changes, c)
		}
	}
	changes, over := session.NewestChanges(changes)
	bounds.Add(session.BoundCookiesHost, over)
	news := changes[:0]
	for _, c := range changes {
		if j.differs(&c, now) {
			j.kept.Apply(&c, now) // the scheduler counts what has to go for it
			news = append(news, c)
		}
	}
	return news, bounds
}

// lifeStep is how much longer a cookie must live than the one that is kept to be worth telling: many servers set the
// same cookie with each answer.
const lifeStep = time.Minute

// differs reports whether a change changes anything. Called with mu held.
func (j *jar) differs(c *session.CookieChange, now time.Time) bool {
	at := slices.IndexFunc(j.kept.Cookies, func(k session.KeptCookie) bool { return k.Same(&c.Cookie) })
	if c.Gone {
		reported := slices.ContainsFunc(j.gone, func(o session.Cookie) bool { return o.Same(&c.Cookie) })
		if !reported && len(j.gone) < session.MaxDomainCookies {
			j.gone = append(j.gone, c.Cookie)
		}
		return at >= 0 || !reported
	}
	if at < 0 {
		return true
	}
	k := j.kept.Cookies[at]
	same := c.Cookie
	if same.By = k.By; same != k.Cookie || k.Expires.IsZero() != (c.Age == 0) {
		return true
	}
	if c.Age == 0 {
		return false
	}
	moved := now.Add(c.Age).Sub(k.Expires)
	return moved.Abs() > min(lifeStep, c.Age/8)
}

func basicAuth(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}
