package session

import (
	"testing"

	"trawl/crawler/weburl"
)

func TestReferer(t *testing.T) {
	for _, c := range []struct {
		policy         RefererPolicy
		from, to, want string
	}{
		{RefererStrictOrigin, "https://a.example/p?q", "https://a.example/x", "https://a.example/p?q"},
		{RefererStrictOrigin, "https://a.example/p?q", "https://a.example:8443/x", "https://a.example/"},
		{RefererStrictOrigin, "https://a.example/p?q", "http://a.example/x", ""},
		{RefererStrictOrigin, "http://a.example/p?q", "https://a.example/x", "http://a.example/"},
		{RefererStrictOrigin, "http://a.example:81/p", "http://b.example/x", "http://a.example:81/"},
		{RefererOrigin, "https://a.example/p", "https://a.example/x", "https://a.example/"},
		{RefererOrigin, "https://a.example/p", "http://a.example/x", ""},
		{RefererSameOrigin, "https://a.example/p", "https://a.example/x", "https://a.example/p"},
		{RefererSameOrigin, "https://a.example/p", "https://b.example/x", ""},
		{RefererNone, "https://a.example/p", "https://a.example/x", ""},
	} {
		if got := Referer(c.policy, urlOf(t, c.from), urlOf(t, c.to)); got != c.want {
			t.Errorf("%s, %s to %s: %q, want %q", c.policy, c.from, c.to, got, c.want)
		}
	}
	if got := Referer(RefererStrictOrigin, weburl.URL{}, urlOf(t, "https://a.example/")); got != "" {
		t.Errorf("without a page: %q", got)
	}
}
