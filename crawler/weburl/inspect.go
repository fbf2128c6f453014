package weburl

import (
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// InspectURL is the WHATWG URL standard's answer for an input, resolved against base ("" for none): the href
// of any scheme, with credentials and fragment, or false when it must be refused. It is for looking at URLs;
// what a crawl makes of them is [Parse]'s, which is the same for http and https but for credentials,
// fragment and length.
func Inspect(input, base string) (href string, ok bool) {
	var b *whatwg.Url
	if base != "" {
		var err error
		if b, err = newInspector().Parse(base); err != nil {
			return "", false
		}
	}
	u, err := newInspector().BasicParser(input, b, nil, whatwg.NoState)
	if err != nil {
		return "", false
	}
	return encodeLastSpace(u), true
}

// newInspector is a whatwg-url parser brought up to the standard. It holds the host under way, so it serves
// one parse.
//
// Corrected are: hosts (the library reads "+1" as a number and "[::1]]" as an address, validates A-labels of
// names that are all ASCII, and refuses "_" beside a letter beyond ASCII) and "^" in paths, which is encoded.
func newInspector() whatwg.Parser {
	var canonical string
	before := func(u *whatwg.Url, host string) string {
		if host == "" || !u.IsSpecialScheme() && host[0] != '[' {
			return host // of an opaque host the library's reading is right
		}
		b, ok := appendHost(nil, host)
		if !ok {
			return "[" // refused by the library too
		}
		if canonical = string(b); canonical[0] == '[' {
			return canonical
		}
		return "name" // stands for the canonical host until the library has passed it
	}
	return whatwg.NewParser(
		whatwg.WithPreParseHostFunc(before),
		whatwg.WithPostParseHostFunc(func(*whatwg.Url, string) string { return canonical }),
		whatwg.WithPathPercentEncodeSet(whatwg.PathPercentEncodeSet.Set('^')),
	)
}

// encodeLastSpace is u's href, with the last space of an opaque path encoded when query or fragment follow,
// which whatwg-url leaves as it is.
func encodeLastSpace(u *whatwg.Url) string {
	href := u.Href(false)
	if !u.OpaquePath() {
		return href
	}
	end := len(u.Protocol()) + len(u.Pathname())
	if strings.HasSuffix(href[:end], " ") { // at the very end none is left
		return href[:end-1] + "%20" + href[end:]
	}
	return href
}
