package download

import (
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/fetcher/fetchertest"
)

func TestSecretHeadersGoOnlyToTheHostsThatSeedsSpell(t *testing.T) {
	job := []crawler.Header{{Name: "authorization", Value: "Bearer t"}, {Name: "Proxy-Authorization", Value: "p"}, {Name: "Cookie", Value: "own=1"}, {Name: "X-Lang", Value: "de"}}
	for _, c := range []struct {
		name   string
		seeds  session.Schemes
		own    []crawler.Header
		url    string
		secret bool
		cookie string
	}{
		{"where redirects led", 0, nil, "http://a.test/", false, ""},
		{"where redirects led, over https", 0, nil, "https://a.test/", false, ""},
		{"an http seed's host", session.SpelledHTTP, nil, "http://a.test/", true, "own=1"},
		{"an http seed's host over https", session.SpelledHTTP, nil, "https://a.test/", true, "own=1"},
		{"an https seed's host", session.SpelledHTTPS, nil, "https://a.test/", true, "own=1"},
		{"an https seed's host over http", session.SpelledHTTPS, nil, "http://a.test/", false, ""},
		{"seeds of both schemes", session.SpelledHTTP | session.SpelledHTTPS, nil, "http://a.test/", true, "own=1"},
		{"a host that the user named for it", 0, []crawler.Header{{Name: "Cookie", Value: "host=2"}}, "http://a.test/", false, "host=2"},
	} {
		s := &Site{job: &crawler.Job{UserAgent: "t"}, headers: job, own: c.own, seeds: c.seeds, jar: newJar("a.test", nil, time.Now())}
		h, _, _ := s.header(fetchertest.MustURL(t, c.url))
		if got := h.Get("Authorization") != ""; got != c.secret || (h.Get("Proxy-Authorization") != "") != c.secret {
			t.Errorf("%s: %v", c.name, h)
		}
		if h.Get("Cookie") != c.cookie || h.Get("X-Lang") != "de" {
			t.Errorf("%s: %v", c.name, h)
		}
	}
}

func TestCredentialsKeepTheSchemeOfTheirSeed(t *testing.T) {
	secure, plain := session.Credentials{HTTPS: "s:1"}, session.Credentials{HTTP: "p:1"}
	both := session.Credentials{HTTP: "p:1", HTTPS: "s:1"}
	for _, c := range []struct {
		given     session.Credentials
		url, want string
	}{
		{secure, "https://a.test/", "s:1"}, {secure, "http://a.test/", ""},
		{plain, "http://a.test/", "p:1"}, {plain, "https://a.test/", "p:1"},
		{both, "http://a.test/", "p:1"}, {both, "https://a.test/", "s:1"},
	} {
		s := &Site{job: &crawler.Job{UserAgent: "t"}, credentials: c.given, jar: newJar("a.test", nil, time.Now())}
		want := ""
		if c.want != "" {
			want = basicAuth(c.want)
		}
		if h, _, _ := s.header(fetchertest.MustURL(t, c.url)); h.Get("Authorization") != want {
			t.Errorf("%+v to %s: %q, want %q", c.given, c.url, h.Get("Authorization"), want)
		}
	}
}
