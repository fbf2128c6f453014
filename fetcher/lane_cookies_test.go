package fetcher

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCookiesKeepTheirMeaningWithoutTheirRequest(t *testing.T) {
	at := mustURL(t, "http://a.test/dir/page?q")
	for line, want := range map[string]string{
		"c=1":                     "c=1; Path=/dir",
		"c=1; Path=/x":            "c=1; Path=/x",
		"c=1; Path=relative":      "c=1; Path=/dir",
		"c=1; Path=/; Max-Age=60": "c=1; Path=/; Expires=",
		"c=1; Max-Age=0":          "",
		"c=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT": "",
		"not a cookie":                   "",
		"c=" + strings.Repeat("x", 2000): "",
	} {
		j := newJar("a.test", nil)
		j.take(at, http.Header{"Set-Cookie": {line}})
		got := strings.Join(j.changed(), "\n")
		if want == "" && got != "" || !strings.HasPrefix(got, want) || strings.Contains(got, "Max-Age") {
			t.Errorf("%s: kept %q, want %q", line, got, want)
		}
	}
}

func TestCookiesAreSentWhereTheyBelong(t *testing.T) {
	j := newJar("a.test", []string{"all=1; Path=/", "dir=1; Path=/dir", "safe=1; Path=/; Secure", "other=1; Domain=b.test; Path=/"})
	for u, want := range map[string]string{
		"http://a.test/":      "all=1",
		"http://a.test/dir/x": "dir=1; all=1",
		"https://a.test/":     "all=1; safe=1",
	} {
		if got := j.header(mustURL(t, u)); got != want {
			t.Errorf("%s: %q, want %q", u, got, want)
		}
	}
}

func TestCookiesAreBounded(t *testing.T) {
	j := newJar("a.test", nil)
	for i := range 500 {
		j.take(mustURL(t, "http://a.test/"), http.Header{"Set-Cookie": {fmt.Sprintf("c%d=%s", i, strings.Repeat("x", i))}})
	}
	lines := j.changed()
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	if len(lines) > maxCookies || size > maxCookiesBytes || !strings.HasPrefix(lines[len(lines)-1], "c499=") {
		t.Errorf("%d cookies, %d bytes", len(lines), size)
	}
	if sent := j.header(mustURL(t, "http://a.test/")); len(sent) > maxCookiesBytes {
		t.Errorf("%d bytes sent", len(sent))
	}
	if j.changed() != nil {
		t.Error("told twice")
	}
}

func TestCookieThatIsTakenBackIsReported(t *testing.T) {
	j := newJar("a.test", []string{"c=1; Path=/"})
	j.take(mustURL(t, "http://a.test/"), http.Header{"Set-Cookie": {"c=; Max-Age=0; Path=/"}})
	if lines := j.changed(); lines == nil || len(lines) != 0 {
		t.Errorf("reported %q", lines)
	}
	if c := j.header(mustURL(t, "http://a.test/")); c != "" {
		t.Errorf("sent %q at %v", c, time.Now())
	}
}
