package weburl

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"trawl/crawler/ascii"
)

// checkAgree compares ParseURL and Resolve with the parser behind InspectURL, which is another one and reads
// every scheme.
func checkAgree(t *testing.T, input, base string) {
	t.Helper()
	var from URL
	if base != "" {
		var err error
		if from, err = Parse(base); err != nil {
			return // InspectURL knows bases of other schemes
		}
		base = from.String()
	}
	href, ok := Inspect(input, base)
	got, err := from.Resolve(input)
	var d Draft
	d.Resolve(URL{}, "http://before.test/some/path?and=query", nil)
	if why := d.Resolve(from, input, nil); why != err || err == nil && (d.URL() != got || d.Hash() != got.Hash()) {
		t.Errorf("%q at %q is %q (%v), and its draft is %q (%v)", input, base, got, err, d.URL(), why)
	}
	switch {
	case errors.Is(err, ErrTooLong):
	case errors.Is(err, ErrNotHTTP):
		if ok && isHTTP(href) {
			t.Errorf("%q at %q is %q, and we say: %v", input, base, href, err)
		}
	case err != nil:
		if ok {
			t.Errorf("%q at %q is %q, and we say: %v", input, base, href, err)
		}
	case !ok:
		t.Errorf("%q at %q must be refused, and we say: %q", input, base, got)
	case got.String() != withoutExtras(href):
		t.Errorf("%q at %q is %q, and we say: %q", input, base, withoutExtras(href), got)
	default:
		checkCanonical(t, got)
	}
}

func isHTTP(href string) bool {
	return strings.HasPrefix(href, "http:") || strings.HasPrefix(href, "https:")
}

// withoutExtras cuts fragment and credentials from an http or https href.
func withoutExtras(href string) string {
	href, _, _ = strings.Cut(href, "#")
	scheme, rest, _ := strings.Cut(href, "://")
	authority, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority[strings.LastIndexByte(authority, '@')+1:] + "/" + path
}

// checkCanonical reports what holds for every URL there is.
func checkCanonical(t *testing.T, u URL) {
	t.Helper()
	again, err := Parse(u.String())
	if err != nil || again != u {
		t.Errorf("%q parses to %q again: %v", u, again, err)
	}
	if len(u.String()) > MaxBytes {
		t.Errorf("%q is longer than a URL may be", u)
	}
	if !strings.HasPrefix(u.Path(), "/") || !strings.HasPrefix(u.RequestURI(), u.Path()) {
		t.Errorf("%q has path %q and request URI %q", u, u.Path(), u.RequestURI())
	}
	for segment := range strings.SplitSeq(u.Path(), "/") {
		if dots(segment) != 0 {
			t.Errorf("%q has the dot segment %q", u, segment)
		}
	}
	if r, err := Parse(u.RobotsURL().String()); err != nil || r != u.RobotsURL() {
		t.Errorf("robots.txt of %q is %q: %v", u, u.RobotsURL(), err)
	}
	switch path, query, _ := strings.Cut(u.RequestURI(), "?"); {
	case u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " \t\r\n#/?@\\%"):
		t.Errorf("%q has the host %q", u, u.Hostname())
	case strings.ContainsAny(path, " \t\r\n#\\<>\"`^{}") || strings.ContainsAny(query, " \t\r\n#<>\"'"):
		t.Errorf("%q has characters that must be encoded", u)
	case !ascii.Only(u.String()):
		t.Errorf("%q is not ASCII", u)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"http://example.com/", "HTTP://ExAmPlE.com:80/a/../b/./c?q=1#f", "http:\\\\h\\a\\..\\b", "https:h", "http:/h/x",
		"http://u:p@h:8080/", "http://0x7f.1/", "http://[::1]:80/", "http://bücher.de/ä?ö#ü", "http://h/%2e%2E/a^b{c}",
		"ht\ntp://h\t/", " http://h/ ", "http://%65xample.com", "http://1.+2/", "http://[::1]]/", "http://xn--a/", "ftp://h/",
		"http://h?", "http://h/?#", "http://h/\xff", "http://a_b.bücher.de", "//h/p", "?q", "../x", "a:b", "http://h:0080/",
	} {
		f.Add(seed, "")
		f.Add(seed, "http://example.com/dir/page?query")
	}
	f.Fuzz(func(t *testing.T, input, base string) { checkAgree(t, input, base) })
}

// FuzzResolveBuilt makes references that are nearly right, which random bytes seldom are.
func FuzzResolveBuilt(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []byte{11, 12, 13})
	f.Add([]byte{1, 9, 2, 20, 3, 21, 3}, []byte{2, 20, 3, 3, 20})
	pieces := strings.Split("http:|https:|//|/|..|.|%2e|%2E.|?|#|a|B|:|80|8080|@|u:p@|\\|[|]|[::1]|example.com|127.1|0x7f|0|+1|-1|"+
		"é|%C3%A9|\t|\n| |'|\"|^|{|;|=|&|xn--a|_|~|%|%zz|99999|.|ﬀ|。|\u00ad|\x00|\x7f|\xff|ftp:|data:", "|")
	build := func(picks []byte) string {
		var s strings.Builder
		for _, p := range picks[:min(len(picks), 64)] {
			s.WriteString(pieces[int(p)%len(pieces)])
		}
		return s.String()
	}
	f.Fuzz(func(t *testing.T, picks, more []byte) {
		checkAgree(t, build(picks), "")
		checkAgree(t, build(picks), "http://example.com"+build(more))
		checkAgree(t, build(picks), "https://h/a/b/c?d")
	})
}

// FuzzHost compares our host parser with whatwg-url's where that follows the standard.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"example.com", "EXAMPLE.com.", "a..b", ".", "127.0.0.1", "0x7f.1", "0377", "1.2.3.256", "256", "4294967295", "4294967296",
		"0x", "1.0x", "08", "1.2.3.4.5", "1.2.3.4.", "[::]", "[1:2:3:4:5:6:7:8]", "[1::]", "[::ffff:1.2.3.4]", "[1:0:0:2:0:0:0:3]",
		"[::1.2.3]", "[:1]", "[1:2:3:4:5:6:7::]", "[fe80::1%25eth0]", "%31%32", "b%C3%BCcher", "bücher", "１２７.1", "a b", "a%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if strings.ContainsAny(host, "/\\?#@\t\n\r") || strings.TrimFunc(host, func(r rune) bool { return r <= ' ' }) != host {
			return // not a host by the time a host is looked at
		}
		ours, ok := appendHost(nil, host)
		u, err := whatwg.Parse("http://" + host + "/")
		switch {
		case host == "" || !utf8.ValidString(host) || strings.Contains(host, ":") && host[0] != '[':
		case strings.Contains(strings.ToLower(percentDecode(host)), "xn--"): // it validates where the standard no longer does
		case strings.ContainsAny(host, "+-_") || !ascii.Only(percentDecode(host)): // signs of numbers; STD3 rules
		case len(host) > 2 && host[0] == '[' && strings.ContainsAny(host[1:len(host)-1], "[]"): // it trims all brackets
		case ok != (err == nil) || ok && string(ours) != u.Hostname():
			t.Errorf("%q is %q %v, whatwg-url says %v %v", host, ours, ok, u, err)
		}
	})
}
