package weburl

import (
	"errors"
	"strings"
	"testing"
)

func mustURL(t testing.TB, s string) URL {
	t.Helper()
	u, err := Parse(s)
	if err != nil {
		t.Fatalf("ParseURL(%q): %v", s, err)
	}
	return u
}

func TestParseURLMakesURLsCanonical(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"a plain URL stays", "https://example.com/a/b.html?q=1&r=%20", "https://example.com/a/b.html?q=1&r=%20"},
		{"an empty path is a slash", "http://example.com", "http://example.com/"},
		{"an empty path before a query too", "http://example.com?q", "http://example.com/?q"},
		{"scheme and host are put to lower case, the path is not", "HTTP://EXAMPLE.com/A", "http://example.com/A"},
		{"spaces and controls around are cut", " \x00\thttp://h/a \n", "http://h/a"},
		{"tabs and line ends within are cut", "ht\ntp://h\t/a\r\nb", "http://h/ab"},
		{"backslashes are slashes", `http:\\h\a\..\b`, "http://h/b"},
		{"but not in the query", `http://h/?a\b`, `http://h/?a\b`},
		{"missing and superfluous slashes make no difference", "http:h/a", "http://h/a"},
		{"any number of slashes before the host", "https:////h//a", "https://h//a"},
		{"the fragment is cut", "http://h/a?b#c?d", "http://h/a?b"},
		{"an empty query stays", "http://h/a?", "http://h/a?"},
		{"an empty query before a fragment stays", "http://h/a?#f", "http://h/a?"},
		{"a space before the fragment belongs to the path", "http://h/a #f", "http://h/a%20"},
		{"credentials are cut", "http://user:pass@h/", "http://h/"},
		{"the last @ ends the credentials", "http://a@b:c@d@h/", "http://h/"},
		{"an @ in the path ends nothing", "http://h/a@b", "http://h/a@b"},
		{"the scheme's own port is cut", "http://h:80/", "http://h/"},
		{"also with https", "https://h:443/", "https://h/"},
		{"the other scheme's port is not", "https://h:80/", "https://h:80/"},
		{"empty credentials", "http://@h/", "http://h/"},
		{"an empty port is none", "http://h:/", "http://h/"},
		{"zeros before a port are cut", "http://h:0008080/", "http://h:8080/"},
		{"port zero is a port", "http://h:0/", "http://h:0/"},
		{"dot segments are worked out", "http://h/a/./b/../../c", "http://h/c"},
		{"and do not climb above the root", "http://h/../../a/..", "http://h/"},
		{"a dot segment at the end leaves its slash", "http://h/a/b/.", "http://h/a/b/"},
		{"dots may be encoded", "http://h/a/%2e%2E/b/%2e/c/.%2e", "http://h/b/"},
		{"three dots are a name", "http://h/.../....", "http://h/.../...."},
		{"empty segments stay", "http://h//a///b/", "http://h//a///b/"},
		{"a dot segment takes an empty one", "http://h/a//../b", "http://h/a/b"},
		{"what must be encoded in a path is", "http://h/a b\"<>^`{|}é", "http://h/a%20b%22%3C%3E%5E%60%7B|%7D%C3%A9"},
		{"what must be encoded in a query is", "http://h/?a b\"<>^`{|}'é", "http://h/?a%20b%22%3C%3E^`{|}%27%C3%A9"},
		{"percent signs stay as they are", "http://h/%zz%4?%", "http://h/%zz%4?%"},
		{"hex digits keep their case", "http://h/%c3%A9", "http://h/%c3%A9"},
		{"what is not UTF-8 is replaced", "http://h/a\xffb", "http://h/a%EF%BF%BDb"},
		{"a dot after the host stays", "http://example.com./", "http://example.com./"},
		{"an underscore is a character like others", "http://a_b.example/", "http://a_b.example/"},
		{"beside a letter beyond ASCII too", "http://a_b.bücher.example/", "http://a_b.xn--bcher-kva.example/"},
		{"names become A-labels", "http://BÜCHER.example/", "http://xn--bcher-kva.example/"},
		{"a sharp s stays itself", "http://straße.example/", "http://xn--strae-oqa.example/"},
		{"ideographic dots are dots", "http://a。b/", "http://a.b/"},
		{"A-labels in ASCII names are taken as they are", "http://XN--a.example/", "http://xn--a.example/"},
		{"hosts may be percent-encoded", "http://%65x%41mple.com/", "http://example.com/"},
		{"also beyond ASCII", "http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/"},
		{"a hexadecimal part of an address", "http://0x7f.1/", "http://127.0.0.1/"},
		{"an octal address", "http://0177.0.0.01/", "http://127.0.0.1/"},
		{"one number is an address", "http://2130706433/", "http://127.0.0.1/"},
		{"nothing after 0x is zero", "http://1.0x/", "http://1.0.0.0/"},
		{"an address with a dot behind", "http://127.0.0.1./", "http://127.0.0.1/"},
		{"full-width digits are digits", "http://１２７.1/", "http://127.0.0.1/"},
		{"a sign makes no number", "http://1.+2/", "http://1.+2/"},
		{"a number that is not last makes no address", "http://1.2.3.com/", "http://1.2.3.com/"},
		{"an IPv6 address is shortened", "http://[2001:DB8:0:0:1:0:0:0]:8080/", "http://[2001:db8:0:0:1::]:8080/"},
		{"an IPv4 address inside is written in pieces", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, err := Parse(c.in); err != nil || got.String() != c.want {
				t.Errorf("ParseURL(%q) = %q, %v, want %q", c.in, got, err, c.want)
			}
			checkAgree(t, c.in, "")
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, c := range []struct {
		what, in string
		want     error
	}{
		{"nothing", "", ErrBad},
		{"a name without scheme", "example.com/a", ErrBad},
		{"a relative reference", "/a", ErrBad},
		{"a scheme alone", "http:", ErrBad},
		{"no host", "http://", ErrBad},
		{"no host before a port", "http://:80/", ErrBad},
		{"no host after credentials", "http://user@/", ErrBad},
		{"no host but a query", "http://?q", ErrBad},
		{"a port that is no number", "http://h:8a/", ErrBad},
		{"a port too large", "http://h:65536/", ErrBad},
		{"a port too large for any integer", "http://h:99999999999999999999999/", ErrBad},
		{"a space in the host", "http://a b/", ErrBad},
		{"a forbidden character in the host", "http://a<b/", ErrBad},
		{"an encoded slash in the host", "http://a%2Fb/", ErrBad},
		{"a percent sign in the host", "http://a%zz/", ErrBad},
		{"a control character in the host", "http://a\x01b/", ErrBad},
		{"bytes that are not UTF-8 in the host", "http://a%FF/", ErrBad},
		{"a host of characters that vanish", "http://\u2064/", ErrBad},
		{"a character that no name may have", "http://\ufffd.com/", ErrBad},
		{"an A-label beyond ASCII", "http://xn--bü/", ErrBad},
		{"letters of both directions in one label", "http://\u0627x/", ErrBad},
		{"a joiner without its neighbour", "http://a\u200d.test/", ErrBad},
		{"an address with five parts", "http://1.2.3.4.5/", ErrBad},
		{"an address with an empty part", "http://1..2/", ErrBad},
		{"an address with a part too large", "http://256.1.1.1/", ErrBad},
		{"an address too large", "http://4294967296/", ErrBad},
		{"a name that ends in a number", "http://example.1/", ErrBad},
		{"an octal number with a nine", "http://1.2.3.09/", ErrBad},
		{"an IPv6 address that is not closed", "http://[::1/", ErrBad},
		{"a bracket too many", "http://[::1]]/", ErrBad},
		{"something behind an IPv6 address", "http://[::1]a/", ErrBad},
		{"an IPv6 zone", "http://[fe80::1%25eth0]/", ErrBad},
		{"an IPv4 address in brackets", "http://[127.0.0.1]/", ErrBad},
		{"another scheme", "ftp://h/", ErrNotHTTP},
		{"mail", "mailto:a@example.com", ErrNotHTTP},
		{"a script, however large", "javascript:" + strings.Repeat("x", 1<<20), ErrNotHTTP},
		{"a host and port without scheme", "localhost:8080/", ErrNotHTTP},
		{"4097 bytes", "http://h/" + strings.Repeat("a", 4088), ErrTooLong},
		{"what is too long once encoded", "http://h/" + strings.Repeat("é", 1000), ErrTooLong},
		{"a host too long for its offset", "http://" + strings.Repeat("a", 70_000) + "/", ErrTooLong},
		{"a host of 5000 bytes", "http://" + strings.Repeat("a", 5_000) + "/", ErrTooLong},
		{"a megabyte", "http://h/" + strings.Repeat("../", 1<<18), ErrTooLong},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, err := Parse(c.in); !errors.Is(err, c.want) || !got.IsZero() {
				t.Errorf("ParseURL(%.80q) = %q, %v, want %v", c.in, got, err, c.want)
			}
			if len(c.in) < 10_000 {
				checkAgree(t, c.in, "")
			}
		})
	}
}

func TestTheLongestURLIsTaken(t *testing.T) {
	s := "http://h/" + strings.Repeat("a", MaxBytes-len("http://h/"))
	for what, in := range map[string]string{
		"as it is":                         s,
		"with a fragment of any length":    s + "#" + strings.Repeat("f", 100_000),
		"with credentials and dot segment": "http://user:password@h/./" + s[len("http://h/"):],
	} {
		if got, err := Parse(in); err != nil || got.String() != s {
			t.Errorf("%s: %.40q, %v", what, got, err)
		}
	}
	if got, err := mustURL(t, s).Resolve("?q"); !errors.Is(err, ErrTooLong) {
		t.Errorf("one more query on it gives %.40q, %v, want %v", got, err, ErrTooLong)
	}
}

func TestResolve(t *testing.T) {
	const base = "http://example.com:8080/dir/sub/page?q=1"
	for _, c := range []struct{ what, ref, want string }{
		{"nothing is the page itself", "", base},
		{"a space", " ", base},
		{"a control character", "\x00", base},
		{"a fragment too", "#top", base},
		{"a name", "other", "http://example.com:8080/dir/sub/other"},
		{"a name with query", "other?x#y", "http://example.com:8080/dir/sub/other?x"},
		{"here", "./", "http://example.com:8080/dir/sub/"},
		{"up", "../a", "http://example.com:8080/dir/a"},
		{"up and no name", "..", "http://example.com:8080/dir/"},
		{"up beyond the root", "../../../../a", "http://example.com:8080/a"},
		{"a query", "?x", "http://example.com:8080/dir/sub/page?x"},
		{"an empty query", "?", "http://example.com:8080/dir/sub/page?"},
		{"a path", "/a/../b", "http://example.com:8080/b"},
		{"a host", "//other/a", "http://other/a"},
		{"a host with many slashes", `/\/other`, "http://other/"},
		{"a URL", "https://other/a", "https://other/a"},
		{"the scheme alone is no host", "http:a", "http://example.com:8080/dir/sub/a"},
		{"the scheme and a path", "http:/a", "http://example.com:8080/a"},
		{"the scheme and nothing", "http:", base},
		{"the other scheme needs no slashes", "https:a", "https://a/"},
		{"a colon in a name", "./a:b", "http://example.com:8080/dir/sub/a:b"},
		{"a colon after a digit", "1:b", "http://example.com:8080/dir/sub/1:b"},
		{"characters to encode", " a b'é?'é ", "http://example.com:8080/dir/sub/a%20b'%C3%A9?%27%C3%A9"},
		{"line ends within", "/a\n\tb", "http://example.com:8080/ab"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, err := mustURL(t, base).Resolve(c.ref); err != nil || got.String() != c.want {
				t.Errorf("Resolve(%q) = %q, %v, want %q", c.ref, got, err, c.want)
			}
			checkAgree(t, c.ref, base)
		})
	}
	if got, err := (URL{}).Resolve("http://h/"); err != nil || got.String() != "http://h/" {
		t.Errorf("an absolute URL at no base is %q, %v", got, err)
	}
	if _, err := (URL{}).Resolve("a"); !errors.Is(err, ErrBad) {
		t.Errorf("a name at no base: %v, want %v", err, ErrBad)
	}
}

func TestParseSeedReturnsCredentials(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"none", "http://h/", ""},
		{"empty ones", "http://:@h/", ""},
		{"user and password", "http://user:pass@h/", "user:pass"},
		{"a user alone", "http://user@h/", "user:"},
		{"a password alone", "http://:pass@h/", ":pass"},
		{"decoded", "http://us%65r:p%40ss%3A%zz@h/", "user:p@ss:%zz"},
		{"colons and @ in the password", "http://user:a:b@c@h/", "user:a:b@c"},
		{"beyond ASCII", "http://jürgen:x@h/", "jürgen:x"},
	} {
		t.Run(c.what, func(t *testing.T) {
			u, credentials, err := ParseSeed(c.in)
			if err != nil || u.String() != "http://h/" || credentials != c.want {
				t.Errorf("ParseSeed(%q) = %q, %q, %v, want %q", c.in, u, credentials, err, c.want)
			}
		})
	}
	if u, credentials, err := ParseSeed("http://user:pass@h:x/"); err == nil || !u.IsZero() || credentials != "" {
		t.Errorf("a bad seed gives %q, %q, %v", u, credentials, err)
	}
}

func TestPartsOfAURL(t *testing.T) {
	for _, c := range []struct {
		in, scheme, hostname string
		port                 uint16
		host                 Host
		path, request        string
	}{
		{"http://h", "http", "h", 80, "h", "/", "/"},
		{"https://h/a?b", "https", "h", 443, "h", "/a", "/a?b"},
		{"http://h:443/a?", "http", "h", 443, "h", "/a", "/a?"},
		{"https://h:80/?a?b/c", "https", "h", 80, "h", "/", "/?a?b/c"},
		{"http://h:8080/a/", "http", "h", 8080, "h:8080", "/a/", "/a/"},
		{"http://[::1]/", "http", "[::1]", 80, "[::1]", "/", "/"},
		{"http://[::1]:81/", "http", "[::1]", 81, "[::1]:81", "/", "/"},
	} {
		t.Run(c.in, func(t *testing.T) {
			u := mustURL(t, c.in)
			if u.Scheme() != c.scheme || u.Hostname() != c.hostname || u.Port() != c.port || u.Host() != c.host ||
				u.Path() != c.path || u.RequestURI() != c.request {
				t.Errorf("%q %q %d %q %q %q", u.Scheme(), u.Hostname(), u.Port(), u.Host(), u.Path(), u.RequestURI())
			}
			if u.Key().Host != c.host.Key() {
				t.Error("the key of the row does not begin with the key of its host")
			}
		})
	}
	if a, b := mustURL(t, "http://h/"), mustURL(t, "https://h/"); a.Key().Host != b.Key().Host || a.Key() == b.Key() {
		t.Error("the schemes of one host are one host with two rows, and are not here")
	}
	if got := mustURL(t, "https://h:8080/a?b").RobotsURL(); got != mustURL(t, "https://h:8080/robots.txt") {
		t.Errorf("robots.txt is at %q", got)
	}
	if z := (URL{}); z.Scheme() != "" || z.Hostname() != "" || z.Path() != "" || z.String() != "" || !z.IsZero() {
		t.Error("the zero URL has parts")
	}
}

func TestInspectURL(t *testing.T) {
	for _, c := range []struct{ what, in, base, want string }{
		{"credentials and fragment are shown", "HTTP://u:p@H/#f", "", "http://u:p@h/#f"},
		{"other schemes too", "mailto:a@b", "", "mailto:a@b"},
		{"bases of other schemes", "b", "file:///a/c", "file:///a/b"},
		{"localhost is no host to a file", "file://LOCALHOST/a", "", "file:///a"},
		{"a host of another scheme keeps its case", "x-y://HoSt/a", "", "x-y://HoSt/a"},
		{"its IPv6 address is shortened", "x-y://[0:0::1]/", "", "x-y://[::1]/"},
		{"and needs one bracket", "x-y://[::1]]/", "", ""},
		{"a space before a query in a path without slash", "data:a  ?b", "", "data:a %20?b"},
		{"no space before a query", "data:a?b", "", "data:a?b"},
		{"none at the end", "data:a ", "", "data:a"},
		{"also in the base", "#b", "data:a  #c", "data:a %20#b"},
		{"a caret in a path", "x-y:/^", "", "x-y:/%5E"},
		{"a relative reference without base", "a", "", ""},
		{"a base that is none", "http://h/", "a", ""},
		{"no relative reference to a path without slash", "b", "data:a", ""},
		{"a websocket host is a host", "ws://0x7F.1:80/", "", "ws://127.0.0.1/"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := Inspect(c.in, c.base); got != c.want || ok != (c.want != "") {
				t.Errorf("InspectURL(%q, %q) = %q, %v, want %q", c.in, c.base, got, ok, c.want)
			}
		})
	}
}

func TestPlainURLsCostNoMoreThanTheirText(t *testing.T) {
	base := mustURL(t, "https://www.example.com/news/2024/index.html")
	for _, c := range []struct {
		what string
		most float64
		do   func()
	}{
		{"a canonical URL", 0, func() { Parse("https://www.example.com/a/b.html?q=1") }},
		{"a URL that needs a change", 1, func() { Parse("HTTPS://www.example.com/a/../b c.html#x") }},
		{"a relative reference", 1, func() { base.Resolve("../2023/story.html") }},
		{"a fragment", 0, func() { base.Resolve("#top") }},
		{"an address", 1, func() { Parse("http://127.0.0.1:8080") }},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.most {
			t.Errorf("%s costs %v allocations, want %v", c.what, got, c.most)
		}
	}
}

func BenchmarkParseURL(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"plain", "https://www.example.com/products/category-12/item-3456.html?page=2&sort=asc"},
		{"fragment", "https://www.example.com/products/category-12/item-3456.html#reviews"},
		{"encoded", "https://www.example.com/straße/übersicht der artikel?q=größe"},
		{"idn", "https://www.bücher.example/a"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDraft(b *testing.B) {
	base := mustURL(b, "https://www.example.com/products/category-12/index.html")
	var d Draft
	for _, c := range []struct{ name, ref string }{
		{"relative", "../category-13/item-3456.html?page=2"},
		{"absolute", "/products/category-13/item-3456.html"},
		{"whole", "https://www.example.com/products/category-13/item-3456.html"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Resolve(base, c.ref, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResolve(b *testing.B) {
	base := mustURL(b, "https://www.example.com/products/category-12/index.html")
	for _, c := range []struct{ name, ref string }{
		{"relative", "../category-13/item-3456.html?page=2"},
		{"absolute", "/products/category-13/item-3456.html"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := base.Resolve(c.ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
