package download

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"trawl/crawler/session"
	"trawl/fetcher/fetchertest"
)

// told writes changes as texts that a test compares.
func told(changes []session.CookieChange) string {
	var words []string
	for _, c := range changes {
		word := fmt.Sprintf("%s=%s at %s%s", c.Name, c.Value, c.Domain, c.Path)
		if c.Gone {
			word = "no " + c.Name
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestOnlyWhatChangesOfCookiesIsReported(t *testing.T) {
	at, now := fetchertest.MustURL(t, "http://www.a.test/dir/page?q"), time.Now()
	j := newJar("www.a.test", fetchertest.Granted("www.a.test", "old=1", "last=1"), now)
	for _, c := range []struct{ set, want string }{
		{"c=1", "c=1 at www.a.test/dir"},
		{"c=1", ""},
		{"c=2", "c=2 at www.a.test/dir"},
		{"c=2; HttpOnly", "c=2 at www.a.test/dir"},
		{"old=1; Path=/", ""},
		{"old=; Path=/; Max-Age=0", "no old"},
		{"old=; Path=/; Max-Age=0", ""},
		{"other=; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "no other"},
		{"other=; Path=/; Max-Age=-1", ""},
		{"last=; Path=/; Max-Age=0", "no last"},
		{"d=1; Domain=a.test; Path=/", "d=1 at a.test/"},
		{"d=1; Domain=.test", ""},
		{"d=1; Domain=b.test", ""},
		{"life=1; Max-Age=3600", "life=1 at www.a.test/dir"},
		{"life=1; Max-Age=3630", ""},
		{"life=1; Max-Age=7200", "life=1 at www.a.test/dir"},
		{"life=1", "life=1 at www.a.test/dir"},
		{"not a cookie", ""},
		{"big=" + strings.Repeat("x", session.MaxHostCookieBytes), ""},
	} {
		changes, bounds := j.take(at, http.Header{"Set-Cookie": {c.set}}, now)
		if got := told(changes); got != c.want {
			t.Errorf("%.60s: reported %q, want %q", c.set, got, c.want)
		}
		if hit := bounds[session.BoundCookiesHost] > 0; hit != strings.HasPrefix(c.set, "big") {
			t.Errorf("%.60s: limits %v", c.set, bounds)
		}
	}
	if field, _, _ := j.field(fetchertest.MustURL(t, "http://www.a.test/dir/x"), now); field != "c=2; life=1; d=1" {
		t.Errorf("sent %q", field)
	}
}

func TestCookiesOfAnAnswerAreBounded(t *testing.T) {
	var lines []string
	for i := range 500 {
		lines = append(lines, fmt.Sprintf("c%d=%s", i, strings.Repeat("x", i)))
	}
	j := newJar("a.test", nil, time.Now())
	changes, bounds := j.take(fetchertest.MustURL(t, "http://a.test/"), http.Header{"Set-Cookie": lines}, time.Now())
	size := 0
	for i := range changes {
		size += changes[i].Size()
	}
	last := changes[len(changes)-1]
	if len(changes) > session.MaxHostCookies || size > session.MaxHostCookieBytes || last.Name != "c499" {
		t.Errorf("%d changes, %d bytes, the last one is %s", len(changes), size, last.Name)
	}
	if want := int64(500 - len(changes)); bounds[session.BoundCookiesHost] != want {
		t.Errorf("limits hit: %v, want %d", bounds, want)
	}
}

func TestCookiesOfManyAnswersAreBounded(t *testing.T) {
	j := newJar("a.test", nil, time.Now())
	for i := range 200 {
		j.take(fetchertest.MustURL(t, "http://a.test/"), http.Header{"Set-Cookie": {fmt.Sprintf("c%d=1", i)}}, time.Now())
	}
	if field, _, _ := j.field(fetchertest.MustURL(t, "http://a.test/"), time.Now()); strings.Count(field, "=") != session.MaxHostCookies {
		t.Errorf("sent %q", field)
	}
}
