package weburl

import (
	"strings"
	"testing"
)

func TestAStoredURLKeepsItsTextThoughTheParserReadsItOtherwise(t *testing.T) {
	for _, s := range []string{"http://example.com/", "https://EXAMPLE.com:443/a?", "http://h/a/../b", "http://xn--/x?y"} {
		u, err := Stored(s)
		if err != nil || u.String() != s {
			t.Errorf("%s: %v, %v", s, u, err)
		}
	}
	u, err := Stored("http://Old.example:8080/a/../b?q")
	if err != nil || u.Hostname() != "Old.example" || u.Port() != 8080 || u.RequestURI() != "/a/../b?q" {
		t.Errorf("%v, %v: parts %q %d %q", u, err, u.Hostname(), u.Port(), u.RequestURI())
	}
	for more, taken := range map[int]bool{0: true, 1: false} {
		s := "http://H/" + strings.Repeat("a", MaxBytes-len("http://H/")+more)
		if u, err := Stored(s); taken != (err == nil) || taken && u.String() != s {
			t.Errorf("%d bytes: %.20q, %v", len(s), u, err)
		}
	}
	for _, s := range []string{"", "http://", "http:///", "http://h", "ftp://h/", "h/", "http://u@h/", "http://h/#f", "http://h/a b", "http://h?/", "http://h/\x00", "http://h/\x7f", "http://h\\x/", "http:h/A/../", "HTTP://h/"} {
		if u, err := Stored(s); err == nil {
			t.Errorf("%q is read as %v", s, u)
		}
	}
}
