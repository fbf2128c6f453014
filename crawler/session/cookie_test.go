package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

var cookieNow = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func urlOf(t testing.TB, s string) weburl.URL {
	t.Helper()
	u, err := weburl.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSetCookieIsReadAsBrowsersReadIt(t *testing.T) {
	const hour = time.Hour
	host := func(name, value, path string) Cookie {
		return Cookie{Name: name, Value: value, Domain: "www.a.example", Path: path}
	}
	below := func(c Cookie, domain string) Cookie { c.Domain, c.Below = domain, true; return c }
	for _, c := range []struct {
		field string
		want  Cookie
		age   time.Duration // -1 = taken back
		bad   bool
	}{
		{field: "a=1", want: host("a", "1", "/dir")},
		{field: " a = 1 2 ;", want: host("a", "1 2", "/dir")},
		{field: `q="a b"`, want: host("q", `"a b"`, "/dir")},
		{field: "a=b=c", want: host("a", "b=c", "/dir")},
		{field: "a=", want: host("a", "", "/dir")},
		{field: "a=caf\xe9", want: host("a", "caf\xe9", "/dir")},
		{field: "a", bad: true},
		{field: "=1", bad: true},
		{field: "", bad: true},
		{field: "a=1\x00", bad: true},
		{field: "a=1\r\nX: y", bad: true},
		{field: "a=1; Path=/x", want: host("a", "1", "/x")},
		{field: "a=1; Path=x", want: host("a", "1", "/dir")},
		{field: "a=1;\tPath =\t/x ; Secure ", want: Cookie{Name: "a", Value: "1", Domain: "www.a.example", Path: "/x", Secure: true}},
		{field: "a=1; Path=/x; Path=", want: host("a", "1", "/dir")},
		{field: "a=1; Path=/x; path=/y", want: host("a", "1", "/y")},
		{field: "a=1; SECURE; HttpOnly=yes", want: Cookie{Name: "a", Value: "1", Domain: "www.a.example", Path: "/dir", Secure: true, HTTPOnly: true}},
		{field: "a=1; Domain=a.example", want: below(host("a", "1", "/dir"), "a.example")},
		{field: "a=1; Domain=.A.Example", want: below(host("a", "1", "/dir"), "a.example")},
		{field: "a=1; Domain=www.a.example", want: below(host("a", "1", "/dir"), "www.a.example")},
		{field: "a=1; Domain=", want: host("a", "1", "/dir")},
		{field: "a=1; Domain=example", bad: true},
		{field: "a=1; Domain=b.example", bad: true},
		{field: "a=1; Domain=ww.a.example", bad: true},
		{field: "a=1; Domain=x.www.a.example", bad: true},
		{field: "a=1; Domain=a.example:80", want: below(host("a", "1", "/dir"), "a.example")}, // as the host is written
		{field: "a=1; Domain=a.example/x", bad: true},
		{field: "a=1; Max-Age=3600", want: host("a", "1", "/dir"), age: hour},
		{field: "a=1; Max-Age=3600; Expires=Thu, 01 Jan 1970 00:00:00 GMT", want: host("a", "1", "/dir"), age: hour},
		{field: "a=1; Max-Age=31536000000", want: host("a", "1", "/dir"), age: MaxCookieAge},
		{field: "a=1; Max-Age=99999999999999999999999999", want: host("a", "1", "/dir"), age: MaxCookieAge},
		{field: "a=1; Max-Age=1h", want: host("a", "1", "/dir")},
		{field: "a=1; Max-Age=", want: host("a", "1", "/dir")},
		{field: "a=1; Max-Age=0", want: host("a", "1", "/dir"), age: -1},
		{field: "a=1; Max-Age=-99999999999999999999", want: host("a", "1", "/dir"), age: -1},
		{field: "a=1; Expires=Sun, 29 Nov 2026 13:00:00 GMT", want: host("a", "1", "/dir"), age: hour},
		{field: "a=1; Expires=Sunday, 29-Nov-26 13:00:00 GMT", want: host("a", "1", "/dir"), age: hour},
		{field: "a=1; Expires=Sun Nov 29 13:00:00 2026", want: host("a", "1", "/dir"), age: hour},
		{field: "a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", want: host("a", "1", "/dir"), age: MaxCookieAge},
		{field: "a=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT", want: host("a", "1", "/dir"), age: -1},
		{field: "a=1; Expires=Mon, 31 Feb 2027 00:00:00 GMT", want: host("a", "1", "/dir")},
		{field: "a=1; Expires=Sun, 29 Nov 2026 12:00:00 GMT", want: host("a", "1", "/dir"), age: -1}, // it is that time now
		{field: "a=1; Expires=Sun, 29 Nov 2026 12:00:01 GMT", want: host("a", "1", "/dir"), age: time.Second},
		{field: "a=1; Max-Age=1", want: host("a", "1", "/dir"), age: time.Second},
		{field: "a=1; Max-Age=34559999", want: host("a", "1", "/dir"), age: MaxCookieAge - time.Second},
		{field: "a=1; Max-Age=34560000", want: host("a", "1", "/dir"), age: MaxCookieAge},
		{field: "a=1; Max-Age=34560001", want: host("a", "1", "/dir"), age: MaxCookieAge},
		{field: "a=1; Max-Age=-", want: host("a", "1", "/dir")},
		{field: "a=1; Max-Age=5; Max-Age=7", want: host("a", "1", "/dir"), age: 7 * time.Second},
		{field: "a=1; Path=/x\x01", want: host("a", "1", "/dir")},
		{field: "a\x1f=1", bad: true},
		{field: "a=1\x7f", bad: true},
		{field: "a\tb=\x80~!", want: host("a\tb", "\x80~!", "/dir")},
		{field: "a=1; Domain=a.example:8080", bad: true},
		{field: "a=1; Expires=tomorrow", want: host("a", "1", "/dir")},
		{field: "a=1; Expires=0", want: host("a", "1", "/dir")},
	} {
		got, ok := ParseCookie(c.field, urlOf(t, "https://www.a.example/dir/page?q=/x/y"), cookieNow)
		want := CookieChange{Cookie: c.want, Age: max(0, c.age), Gone: c.age < 0}
		if ok == c.bad || ok && got != want {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", c.field, got, ok, want)
		}
		if ok && !got.Fits("www.a.example:8443") {
			t.Errorf("%q: is not taken for a cookie of its host: %+v", c.field, got)
		}
	}
}

func TestACookieThatEndsAtOnceIsNotSetAtAll(t *testing.T) {
	for ago, age := range map[time.Duration]time.Duration{-1: 1, 0: 0, 1: 0} {
		c, ok := ParseCookie("a=1; Expires=Sun, 29 Nov 2026 12:00:00 GMT", urlOf(t, "http://a.example/"), cookieNow.Add(ago))
		if !ok || c.Age != age || c.Gone != (age == 0) {
			t.Errorf("%v after its end: %+v, %v", ago, c, ok)
		}
	}
}

func TestACookieWithoutPathIsForTheDirectoryOfThePage(t *testing.T) {
	for page, want := range map[string]string{"/": "/", "/page": "/", "/dir/": "/dir", "/dir/page": "/dir", "/a/b/c": "/a/b", "/?q=/x/y": "/"} {
		if c, ok := ParseCookie("a=1", urlOf(t, "http://a.example"+page), cookieNow); !ok || c.Path != want {
			t.Errorf("%s: %q, want %q", page, c.Path, want)
		}
	}
}

func TestDomainsOfCookies(t *testing.T) {
	for _, c := range []struct {
		url, domain string
		want        string // "" = refused; "=" before it: the host's alone
	}{
		{"http://127.0.0.1:8080/", "127.0.0.1", "=127.0.0.1"},
		{"http://127.0.0.1/", "0.0.1", ""},
		{"http://[::1]/", "[::1]", "=[::1]"},
		{"http://localhost/", "localhost", "=localhost"},
		{"http://a.localhost/", "localhost", ""},
		{"http://co.uk/", "co.uk", "=co.uk"},
		{"http://a.co.uk/", "co.uk", ""},
		{"http://www.a.co.uk/", "a.co.uk", "a.co.uk"},
		{"http://user.github.io/", "github.io", ""},
		{"http://xn--bcher-kva.example/", "bücher.example", "xn--bcher-kva.example"},
		{"http://intranet/", "", "=intranet"},
	} {
		got, ok := ParseCookie("a=1; Domain="+c.domain, urlOf(t, c.url), cookieNow)
		text := got.Domain
		if !got.Below {
			text = "=" + text
		}
		if !ok {
			text = ""
		}
		if text != c.want {
			t.Errorf("%s from %s: %q, want %q", c.domain, c.url, text, c.want)
		}
	}
}

func TestWhereCookiesGo(t *testing.T) {
	for _, c := range []struct {
		cookie Cookie
		url    string
		want   bool
	}{
		{Cookie{Domain: "a.example", Path: "/"}, "http://a.example:8080/x", true},
		{Cookie{Domain: "a.example", Path: "/"}, "http://www.a.example/x", false},
		{Cookie{Domain: "a.example", Below: true, Path: "/"}, "http://www.a.example/x", true},
		{Cookie{Domain: "a.example", Below: true, Path: "/"}, "http://a.example/x", true},
		{Cookie{Domain: "a.example", Below: true, Path: "/"}, "http://ba.example/x", false},
		{Cookie{Domain: "a.example", Path: "/", Secure: true}, "http://a.example/", false},
		{Cookie{Domain: "a.example", Path: "/", Secure: true}, "https://a.example/", true},
		{Cookie{Domain: "a.example", Path: "/dir"}, "http://a.example/dir", true},
		{Cookie{Domain: "a.example", Path: "/dir"}, "http://a.example/dir/x", true},
		{Cookie{Domain: "a.example", Path: "/dir/"}, "http://a.example/dir/x", true},
		{Cookie{Domain: "a.example", Path: "/dir/"}, "http://a.example/dir", false},
		{Cookie{Domain: "a.example", Path: "/dir"}, "http://a.example/directory", false},
		{Cookie{Domain: "a.example", Path: "/dir"}, "http://a.example/dir?x", true},
		{Cookie{Domain: "a.example", Path: "/dir/sub"}, "http://a.example/dir", false},
		{Cookie{Domain: "b.example", Below: true, Path: "/"}, "http://a.example/", false},
		{Cookie{Domain: "0.0.1", Below: true, Path: "/"}, "http://127.0.0.1/", false}, // an address has no names above it
	} {
		if got := c.cookie.GoesTo(urlOf(t, c.url)); got != c.want {
			t.Errorf("%+v to %s: %v", c.cookie, c.url, got)
		}
	}
}

func TestCookiesFromElsewhereAreBelievedOnlyWhereAServerMaySetThem(t *testing.T) {
	good := Cookie{Name: "a", Value: "1", Domain: "www.a.example", Path: "/"}
	below := Cookie{Name: "a", Value: "1", Domain: "a.example", Below: true, Path: "/"}
	with := func(c Cookie, change func(*Cookie)) Cookie { change(&c); return c }
	for _, c := range []struct {
		what   string
		cookie Cookie
		host   weburl.Host
		want   bool
	}{
		{"the host's own", good, "www.a.example", true},
		{"at another port", good, "www.a.example:8080", true},
		{"of another host", good, "a.example", false},
		{"of a host below it", good, "x.www.a.example", false},
		{"of the domain above it", below, "www.a.example", true},
		{"of its own domain", below, "a.example", true},
		{"of another domain", below, "b.example", false},
		{"of a domain that ends like it", below, "ba.example", false},
		{"of a public suffix", with(below, func(c *Cookie) { c.Domain = "example" }), "a.example", false},
		{"of a public suffix, from that name", with(below, func(c *Cookie) { c.Domain = "co.uk" }), "co.uk", false},
		{"of an address", with(good, func(c *Cookie) { c.Domain = "127.0.0.1" }), "127.0.0.1:81", true},
		{"of what is below an address", with(below, func(c *Cookie) { c.Domain = "127.0.0.1" }), "127.0.0.1", false},
		{"of an IPv6 address", with(good, func(c *Cookie) { c.Domain = "[::1]" }), "[::1]:81", true},
		{"of an IPv6 address without port", with(good, func(c *Cookie) { c.Domain = "[::1]" }), "[::1]", true},
		{"of what is below an IPv6 address", with(below, func(c *Cookie) { c.Domain = "[::1]" }), "[::1]", false},
		{"without a name", with(good, func(c *Cookie) { c.Name = "" }), "www.a.example", false},
		{"without a value", with(good, func(c *Cookie) { c.Value = "" }), "www.a.example", true},
		{"a line end in the name", with(good, func(c *Cookie) { c.Name = "a\n" }), "www.a.example", false},
		{"a line end in the value", with(good, func(c *Cookie) { c.Value = "1\r" }), "www.a.example", false},
		{"a ; in the name", with(good, func(c *Cookie) { c.Name = "a;b" }), "www.a.example", false},
		{"a = in the name", with(good, func(c *Cookie) { c.Name = "a=b" }), "www.a.example", false},
		{"a ; in the value", with(good, func(c *Cookie) { c.Value = "1;b" }), "www.a.example", false},
		{"a = in the value", with(good, func(c *Cookie) { c.Value = "1=b" }), "www.a.example", true},
		{"no path", with(good, func(c *Cookie) { c.Path = "" }), "www.a.example", false},
		{"a path without slash", with(good, func(c *Cookie) { c.Path = "x" }), "www.a.example", false},
		{"a line end in the path", with(good, func(c *Cookie) { c.Path = "/\n" }), "www.a.example", false},
	} {
		if got := c.cookie.Fits(c.host); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestCookiesOfOneNameDomainAndPathAreOne(t *testing.T) {
	a := Cookie{Name: "n", Value: "1", Domain: "d", Path: "p", Secure: true}
	for _, c := range []struct {
		other Cookie
		same  bool
	}{
		{Cookie{Name: "n", Value: "2", Domain: "d", Path: "p", Below: true}, true},
		{Cookie{Name: "x", Domain: "d", Path: "p"}, false}, {Cookie{Name: "n", Domain: "x", Path: "p"}, false}, {Cookie{Name: "n", Domain: "d", Path: "x"}, false},
	} {
		if a.Same(&c.other) != c.same {
			t.Errorf("%+v: same %v", c.other, !c.same)
		}
	}
	if c := (Cookie{Name: "1", Value: "22", Domain: "4444", Path: "88888888"}); c.Size() != 15 {
		t.Errorf("its size is %d, want that of name, value, domain and path", c.Size())
	}
}

func TestNamesOfHosts(t *testing.T) {
	for h, want := range map[weburl.Host]string{"a.test": "a.test", "a.test:81": "a.test", "[::1]": "[::1]", "[::1]:81": "[::1]", ":81": ""} {
		if got := h.Name(); got != want {
			t.Errorf("%s: %q, want %q", h, got, want)
		}
	}
	for h, want := range map[weburl.Host]string{"www.a.co.uk:81": "a.co.uk", "localhost:81": "localhost", "127.0.0.1:81": "127.0.0.1", "[::1]:81": "[::1]"} {
		if got := CookieDomain(h); got != want {
			t.Errorf("cookies of %s are kept with %q, want %q", h, got, want)
		}
	}
	for name, want := range map[string]bool{"127.0.0.1": true, "::1": true, "[::1]": true, "[": false, "]": false, "[]": false, "": false, "a.test": false, "[::1": false, "::1]": false} {
		if weburl.IsAddress(name) != want {
			t.Errorf("%q: address %v", name, !want)
		}
	}
}

// keep sets cookies one after the other, a second apart.
func keep(d *DomainState, bounds map[string]int64, cs ...Cookie) {
	for i, c := range cs {
		for word, n := range d.Apply(&CookieChange{Cookie: c}, cookieNow.Add(time.Duration(i)*time.Second)) {
			bounds[word] += n
		}
	}
}

func TestCookieFieldHasLongerPathsFirstAndThenTheOlderOnes(t *testing.T) {
	d, u := DomainState{}, urlOf(t, "http://a.example/dir/x")
	c := func(name, value, path string) Cookie {
		return Cookie{Name: name, Value: value, Domain: "a.example", Path: path}
	}
	keep(&d, nil, c("one", "1", "/"), c("two", "1", "/"), c("deep", "1", "/dir"), c("off", "1", "/other"), c("one", "2", "/"))
	field, left := CookieField(d.Cookies, u, cookieNow)
	if field != "deep=1; one=2; two=1" || left != 0 {
		t.Errorf("%q, %d left out", field, left)
	}
	digest := CookieDigest(d.Cookies, u, cookieNow)
	other := DomainState{}
	keep(&other, nil, c("two", "1", "/"), c("deep", "1", "/dir"), c("one", "2", "/"))
	if CookieDigest(other.Cookies, u, cookieNow) != digest {
		t.Error("the order changes the digest")
	}
	keep(&other, nil, c("one", "3", "/"))
	if CookieDigest(other.Cookies, u, cookieNow) == digest || CookieDigest(nil, u, cookieNow) != 0 {
		t.Error("the digest does not say what is sent")
	}
	for i := range 40 {
		d.Cookies = append(d.Cookies, KeptCookie{Cookie: c(fmt.Sprint("c", i), strings.Repeat("x", 200), "/")})
	}
	if field, left = CookieField(d.Cookies, u, cookieNow); len(field) > MaxCookieHeader || left == 0 || left > 25 {
		t.Errorf("%d bytes, %d left out", len(field), left)
	}
}

func TestACookieIsSentUntilItsEnd(t *testing.T) {
	u := urlOf(t, "http://a.example/")
	for at, want := range map[time.Duration]string{-1: "a=1", 0: "", 1: ""} {
		c := []KeptCookie{{Cookie: Cookie{Name: "a", Value: "1", Domain: "a.example", Path: "/"}, Expires: cookieNow}}
		if got, _ := CookieField(c, u, cookieNow.Add(at)); got != want {
			t.Errorf("%v after its end: %q, want %q", at, got, want)
		}
		if digest := CookieDigest(c, u, cookieNow.Add(at)); digest != 0 != (want != "") {
			t.Errorf("%v after its end: digest %d", at, digest)
		}
	}
}

func FuzzParseCookie(f *testing.F) {
	for _, s := range []string{"a=1; Domain=a.example; Path=/; Max-Age=1", `q="a b"; Expires=Sun, 29 Nov 2026 13:00:00 GMT`, "a=1; Expires=1:2:3 4 feb 70"} {
		f.Add(s, "http://www.a.example/dir/x")
	}
	f.Fuzz(func(t *testing.T, field, from string) {
		u, err := weburl.Parse(from)
		if err != nil {
			return
		}
		c, ok := ParseCookie(field, u, cookieNow)
		if !ok {
			return
		}
		if !c.Fits(u.Host()) || c.Age < 0 || c.Age > MaxCookieAge || c.Gone && c.Age != 0 {
			t.Fatalf("%q from %s: %+v", field, from, c)
		}
		var d DomainState
		d.Apply(&c, cookieNow)
		if line, _ := CookieField(d.Cookies, u, cookieNow); hasControls(line) {
			t.Fatalf("%q is sent", line)
		}
	})
}
