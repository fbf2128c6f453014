package fetcher

import (
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"trawl/crawler"
)

const (
	// maxCookies is how many cookies a host may make us keep; the oldest go first.
	maxCookies = 32
	// maxCookieBytes is the longest Set-Cookie line that is kept, in bytes.
	maxCookieBytes = 1024
	// maxCookiesBytes bounds the lines of a host together, in bytes; the oldest go first.
	maxCookiesBytes = 3 << 10
)

// jar is a host's cookies during a turn. They come with the grant as Set-Cookie lines and go back the same
// way, all of them when one changed. Safe for concurrent use.
type jar struct {
	home *url.URL

	mu    sync.Mutex
	jar   *cookiejar.Jar
	lines []cookieLine // oldest first
	dirty bool
}

type cookieLine struct {
	key  string // name, domain and path
	text string
}

// newJar starts from the lines that came with the grant.
func newJar(host crawler.Host, lines []string) *jar {
	j := &jar{home: &url.URL{Scheme: "https", Host: string(host), Path: "/"}}
	for _, l := range lines {
		if c, err := http.ParseSetCookie(l); err == nil {
			j.keep(c, l)
		}
	}
	j.fill()
	return j
}

// fill makes the inner jar hold what the lines say. Called with mu held, or before the jar is shared.
func (j *jar) fill() {
	j.jar, _ = cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // never fails
	for _, l := range j.lines {
		if c, err := http.ParseSetCookie(l.text); err == nil {
			j.jar.SetCookies(j.home, []*http.Cookie{c})
		}
	}
}

// header is the Cookie field for a request, "" for none.
func (j *jar) header(u crawler.URL) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 0 {
		return ""
	}
	at, err := url.Parse(u.String())
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, c := range j.jar.Cookies(at) {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=" + c.Value)
	}
	return b.String()
}

// take keeps the cookies of an answer; header may be nil.
func (j *jar) take(u crawler.URL, header http.Header) {
	lines := header.Values("Set-Cookie")
	if len(lines) == 0 {
		return
	}
	at, err := url.Parse(u.String())
	if err != nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range lines {
		c, err := http.ParseSetCookie(l)
		if err != nil || len(l) > maxCookieBytes {
			continue
		}
		j.jar.SetCookies(at, []*http.Cookie{c})
		lasting(c, at, time.Now())
		if j.keep(c, c.String()) {
			j.fill()
		}
		j.dirty = true
	}
}

// lasting makes a cookie mean the same without the request it answered, and later: its path is spelled out
// (RFC 6265 section 5.1.4), and its age becomes a time.
func lasting(c *http.Cookie, at *url.URL, now time.Time) {
	if !strings.HasPrefix(c.Path, "/") {
		path := at.EscapedPath()
		c.Path = path[:max(1, strings.LastIndexByte(path, '/'))]
	}
	switch {
	case c.MaxAge > 0:
		c.Expires = now.Add(time.Duration(c.MaxAge) * time.Second)
	case c.MaxAge < 0:
		c.Expires = now.Add(-time.Hour)
	}
	c.MaxAge = 0
}

// keep puts a line in place of the one it replaces, and reports whether others had to go for it. Called
// with mu held, or before the jar is shared.
func (j *jar) keep(c *http.Cookie, text string) (full bool) {
	key := c.Name + "\x00" + c.Domain + "\x00" + c.Path
	j.lines = slices.DeleteFunc(j.lines, func(l cookieLine) bool { return l.key == key })
	if text == "" || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
		return false
	}
	j.lines = append(j.lines, cookieLine{key, text})
	n := 0
	for i := len(j.lines) - 1; i >= 0; i-- {
		if n += len(j.lines[i].text); n > maxCookiesBytes || len(j.lines)-i > maxCookies {
			j.lines = slices.Clone(j.lines[i+1:])
			return true
		}
	}
	return false
}

// changed lists all lines when one changed since the last call, else nil.
func (j *jar) changed() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.dirty {
		return nil
	}
	j.dirty = false
	lines := make([]string, len(j.lines))
	for i, l := range j.lines {
		lines[i] = l.text
	}
	return lines
}

func basicAuth(credentials string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}
