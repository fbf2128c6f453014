package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

func TestCookiesTxtIsRead(t *testing.T) {
	got, err := ReadCookies("c.txt", "\ufeff# Netscape HTTP Cookie File\r\n\r\n"+
		".a.example\tTRUE\t/\tTRUE\t1795968000\tsid\t\"7 8\"\r\n"+
		"#HttpOnly_www.a.example\tFALSE\t/dir\tFALSE\t0\th\t1\n"+
		"old.example\tFALSE\t/\tFALSE\t1\tover\t1\n"+
		"127.0.0.1\tTRUE\t/\tFALSE\t0\tempty\n"+
		"localhost\tFALSE\t/\tfalse\t1795968000.5\tl\t1", cookieNow)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Unix(1795968000, 0).UTC()
	want := []KeptCookie{
		{Cookie: Cookie{Name: "sid", Value: `"7 8"`, Domain: "a.example", Below: true, Path: "/", Secure: true}, Expires: end},
		{Cookie: Cookie{Name: "h", Value: "1", Domain: "www.a.example", Path: "/dir", HTTPOnly: true}},
		{Cookie: Cookie{Name: "empty", Domain: "127.0.0.1", Path: "/"}},
		{Cookie: Cookie{Name: "l", Value: "1", Domain: "localhost", Path: "/"}, Expires: end},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestBadLinesOfCookiesTxtAreReportedWithTheirPlaceAndWithoutTheirText(t *testing.T) {
	for line, want := range map[string]string{
		"a.example FALSE / FALSE 0 secret 1":                                "1 fields",
		"a.example\tyes\t/\tFALSE\t0\tsecret\t1":                            "second field",
		"a.example\tTRUE\t/\t1\t0\tsecret\t1":                               "fourth field",
		"a.example\tTRUE\t/\tTRUE\tsoon\tsecret\t1":                         "fifth field",
		"a.example\tTRUE\t/\tTRUE\tNaN\tsecret\t1":                          "fifth field",
		"a example\tTRUE\t/\tTRUE\t0\tsecret\t1":                            "first field",
		"http://a.example\tTRUE\t/\tTRUE\t0\tsecret\t1":                     "first field",
		".co.uk\tTRUE\t/\tTRUE\t0\tsecret\t1":                               "public suffix",
		"a.example\tTRUE\tdir\tTRUE\t0\tsecret\t1":                          "cannot stand in a header",
		"a.example\tTRUE\t/\tTRUE\t0\tsecret;x\t1":                          "cannot stand in a header",
		"a.example\tTRUE\t/\tTRUE\t0\tsecret\t" + strings.Repeat("x", 5000): "longer than",
	} {
		_, err := ReadCookies("c.txt", "# head\n"+line+"\n", cookieNow)
		if err == nil || !strings.HasPrefix(err.Error(), "c.txt:2: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.60q: %v, want %q", line, err, want)
		}
	}
	_, err := ReadCookies("c.txt", strings.Repeat("bad\n", 100), cookieNow)
	if n := strings.Count(err.Error(), "\n") + 1; n != maxFileProblems+1 || !strings.Contains(err.Error(), "80 more lines") {
		t.Errorf("%d lines of problems: %v", n, err)
	}
}

func TestLoginsAreRead(t *testing.T) {
	got, err := ReadLogins("auth", "# hosts\n\na.example me:pass word\n  https://b.example/\tme:p:q\r\nhttp://c.example:8080 me:\n[::1]:81 u:p\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Login{
		{"a.example", "", "me:pass word"}, {"b.example", "https", "me:p:q"}, {"c.example:8080", "http", "me:"}, {"[::1]:81", "", "u:p"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, line := range []string{"a.example", "a.example secret", "secret@a.example u:p", "ftp://a.example u:secret", "a.example/x u:secret", "a b:secret\x01", "ok u:p\nok u:secret"} {
		_, err := ReadLogins("auth", line)
		if err == nil || !strings.HasPrefix(err.Error(), "auth:") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", line, err)
		}
	}
	var many strings.Builder
	for i := range MaxDomainLogins + 1 {
		fmt.Fprintf(&many, "h%d.a.example u:p\n", i)
	}
	if _, err := ReadLogins("auth", many.String()); err == nil || !strings.Contains(err.Error(), "auth:257: more than 256 hosts") {
		t.Errorf("too many hosts of a domain: %v", err)
	}
}

func TestWhereLoginsCount(t *testing.T) {
	d := DomainState{Logins: []Login{
		{"plain.a.example", "http", "p:1"}, {"secure.a.example", "https", "s:1"}, {"any.a.example", "", "n:1"},
		{"both.a.example", "http", "p:1"}, {"both.a.example", "https", "s:1"},
	}}
	for _, c := range []struct {
		host  weburl.Host
		seeds Schemes
		own   Credentials
		want  Credentials
	}{
		{"plain.a.example", 0, Credentials{}, Credentials{HTTP: "p:1"}},
		{"secure.a.example", SpelledHTTP, Credentials{}, Credentials{HTTPS: "s:1"}},
		{"any.a.example", 0, Credentials{}, Credentials{HTTPS: "n:1"}},
		{"any.a.example", SpelledHTTPS, Credentials{}, Credentials{HTTPS: "n:1"}},
		{"any.a.example", SpelledHTTP, Credentials{}, Credentials{HTTP: "n:1", HTTPS: "n:1"}},
		{"any.a.example", SpelledHTTP, Credentials{HTTP: "seed:1"}, Credentials{HTTP: "seed:1"}},
		{"any.a.example", SpelledHTTP, Credentials{HTTPS: "seed:1"}, Credentials{HTTP: "n:1", HTTPS: "seed:1"}},
		{"both.a.example", 0, Credentials{}, Credentials{HTTP: "p:1", HTTPS: "s:1"}},
		{"any.a.example:8080", SpelledHTTP, Credentials{}, Credentials{}},
		{"b.a.example", SpelledHTTP, Credentials{}, Credentials{}},
	} {
		if got := d.Login(c.host, c.seeds, c.own); got != c.want {
			t.Errorf("%s, spelled %b: %+v, want %+v", c.host, c.seeds, got, c.want)
		}
	}
}

func FuzzReadCookies(f *testing.F) {
	f.Add(".a.example\tTRUE\t/\tTRUE\t1795968000\tsid\t1\n#HttpOnly_b\tFALSE\t/\tFALSE\t0\ta\t\n")
	f.Add("host user:password\nhttps://b.example u:p\n")
	f.Fuzz(func(t *testing.T, text string) {
		cookies, _ := ReadCookies("f", text, cookieNow)
		for i := range cookies {
			if c := &cookies[i]; !c.Fits(weburl.Host(c.Domain)) || c.over(cookieNow) {
				t.Fatalf("%+v", c)
			}
		}
		logins, _ := ReadLogins("f", text)
		for _, l := range logins {
			if u, err := weburl.Parse("http://" + string(l.Host) + "/"); err != nil || u.Host() != l.Host || hasControls(l.Credentials) {
				t.Fatalf("%+v", l)
			}
		}
	})
}
