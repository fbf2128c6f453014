package links

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// scanRefs lists the references of a document as "kind:reference", with the base where it is not the
// page's own.
func scanRefs(format Format, doc string) []string {
	const page = "http://a.test/d/p"
	var refs []string
	s := NewRawScanner(page, format, func(base string, l Raw) {
		ref := [...]string{"page:", "req:"}[l.Kind] + l.Ref
		if base != page {
			ref += " at " + base
		}
		refs = append(refs, ref)
	})
	s.Write([]byte(doc))
	s.Close()
	return refs
}

type refsTest struct {
	name string
	doc  string
	want string // references joined by a space and a bar
}

func testRefs(t *testing.T, format Format, tests []refsTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(scanRefs(format, tt.doc), " |"); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.doc, got, tt.want)
			}
		})
	}
}

func TestLinksOfElements(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"a and area lead to pages", `<a href=1><AREA HREF='2'>`, "page:1 |page:2"},
		{"an empty link is the page itself", `<a href=""><a href>`, "page: |page:"},
		{"an empty image is nothing", `<img src="" srcset=" "><script src></script><iframe src=''></iframe>`, ""},
		{"images with all their sources", `<img src=1 srcset="2, 3 2x"><picture><source srcset="4 100w"></picture>`, "req:1 |req:2 |req:3 |req:4"},
		{"frames are pages", `<iframe src=1></iframe><frame src=2>`, "page:1 |page:2"},
		{"media", `<video src=1 poster=2><source src=3><track src=4></video><audio src=5>`, "req:1 |req:2 |req:3 |req:4 |req:5"},
		{"plug-ins", `<embed src=1><object data=2 codebase=no></object>`, "req:1 |req:2"},
		{"an input is an image when it says so", `<input type=IMAGE src=1><input type=text src=no><input src=no>`, "req:1"},
		{"backgrounds", `<body background=1><table background=2><td background=3><div background=no>`, "req:1 |req:2 |req:3"},
		{"scripts", `<script src=1></script>`, "req:1"},
		{"style attributes", `<p style="background: url(&quot;1&quot;), URL( 2 )">`, "req:1 |req:2"},
		{"style elements", `<style>@import "1"; a { b: url(2) }</style>`, "req:1 |req:2"},
		{"svg", `<svg><image href=1 /><use xlink:href="2#x"/><use href="#x"/><a xlink:href=3><feImage href=4></svg>`, "req:1 |req:2#x |page:3 |req:4"},
		{"svg's names mean nothing outside of it", `<use href=no><a xlink:href=no>`, ""},
		{"html's image is an img", `<image src=1>`, "req:1"},
		{"refresh", `<meta http-equiv=Refresh content="0; url='1'x"><meta http-equiv=other content="0;url=no">`, "page:1"},
		{"a refresh without a URL is the page itself", `<base href=/x/><meta http-equiv=refresh content=5>`, "page:http://a.test/d/p at http://a.test/x/"},
		{"citations are no links", `<q cite=no><blockquote cite=no><ins cite=no><form action=no>`, ""},
		{"noscript is read as markup", `<noscript><img src=1></noscript>`, "req:1"},
	})
}

func TestLinksOfLinkElements(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"a stylesheet is a requisite", `<link rel=StyleSheet href=1>`, "req:1"},
		{"an alternate stylesheet is one too", `<link rel="alternate stylesheet" href=1>`, "req:1"},
		{"icons are requisites", `<link rel="shortcut icon" href=1><link rel=apple-touch-icon href=2>`, "req:1 |req:2"},
		{"preload and manifest are requisites", `<link rel=preload href=1 imagesrcset="2 1x"><link rel=manifest href=3>`, "req:1 |req:2 |req:3"},
		{"other relations are pages", `<link rel=canonical href=1><link rel=next href=2><link rel=alternate href=3>`, "page:1 |page:2 |page:3"},
		{"a hint to connect is no link", `<link rel=dns-prefetch href=//no><link rel="preconnect dns-prefetch" href=//no>`, ""},
		{"without a relation it is no link", `<link href=no>`, ""},
	})
}

func TestLinksOfMarkup(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"nothing in a script is a link", `<script>"<a href=no>"; a</scriptx</script ><a href=1>`, "page:1"},
		{"a script in a comment in a script", `<script><!-- <script><a href=no></script><a href=no> --></script><a href=1>`, "page:1"},
		{"a script's comment may be empty", `<script><!--><script></script><a href=1>`, "page:1"},
		{"a script that never ends takes all", `<script><a href=no>`, ""},
		{"nothing in a comment is a link", `<!-- <a href=no> -- > <a href=no> --><a href=1>`, "page:1"},
		{"comments end in strange ways", `<!--><a href=1><!---><a href=2><!-- x --!><a href=3><!----><a href=4>`, "page:1 |page:2 |page:3 |page:4"},
		{"bogus comments end with the tag", `<!x <a href=no><?y><a href=1></ z><a href=2></><a href=3>`, "page:1 |page:2 |page:3"},
		{"a CDATA section is a comment in html", `<![CDATA[ <a href=no> ]]><a href=1>`, "page:1"},
		{"a CDATA section is text in svg", `<svg><![CDATA[ > <a href=no> ]]><a href=1></svg><![CDATA[>]]><a href=2>`, "page:1 |page:2"},
		{"html elements end svg", `<svg><p><![CDATA[><a href=1>`, "page:1"},
		{"html inside of svg is html", `<svg><foreignObject><script/><a href=no></script></foreignObject><script/><a href=1>`, "page:1"},
		{"text that looks like markup", `<textarea><a href=no></textarea><xmp><a href=no></xmp><title><a href=no></title><a href=1>`, "page:1"},
		{"an iframe's content is text", `<iframe><a href=no></iframe><noembed><a href=no></noembed><noframes><a href=no></noframes>`, ""},
		{"plaintext never ends", `<plaintext><a href=no></plaintext><a href=no>`, ""},
		{"the first attribute of a name counts", `<a href=1 HREF=no>`, "page:1"},
		{"no space between attributes", `<a id="x"href="1"class='y'>`, "page:1"},
		{"white space around the equals sign", "<a\nhref\t=\r '1'>", "page:1"},
		{"a slash in an unquoted value", `<a href=x/y/>`, "page:x/y/"},
		{"a slash ends a name", `<a/href=1/>`, "page:1/"},
		{"a name may begin with an equals sign", `<a =href=no href=1>`, "page:1"},
		{"a tag in a quoted value", `<a title="<a href=no>" href=1>`, "page:1"},
		{"attributes of end tags mean nothing", `</a href=no><a href=1>`, "page:1"},
		{"a tag that the document ends in is none", `<a href=1><a href=no`, "page:1"},
		{"a less-than sign in text", `1 < 2 <3 << <a href=1>`, "page:1"},
		{"white space is cut and kept inside", `<a href=" 1 2&#32;">`, "page:1 2"},
	})
	testRefs(t, XML, []refsTest{
		{"self-closing tags close in XML", `<script src="1"/><title/><a href="2"/><style/><a href="3"/>`, "req:1 |page:2 |page:3"},
		{"CDATA sections are text in XML", `<![CDATA[<a href="no"/>]]><a href="1"/>`, "page:1"},
	})
}

func TestLinksDecodeReferences(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"ampersands", `<a href="?a&amp;b&ampc&amp=d&b=1&#38;c">`, "page:?a&b&ampc&amp=d&b=1&c"},
		{"a name without semicolon before a letter is text", `<a href="?x&copy=1&copyx&copy;2&copy">`, "page:?x&copy=1&copyx©2©"},
		{"a name that begins with another", `<a href="&notit;&notin;&not;">`, "page:&notit;∉¬"},
		{"a reference to a semicolon and one to two characters", `<a href="&semi;&NotEqualTilde;">`, "page:;≂̸"},
		{"numbers", `<a href="&#65;&#x42;&#X43&#x;&#;&#0;&#128;">`, "page:ABC&#x;&#;\uFFFD€"},
		{"numbers beyond everything", `<a href="&#x110000;&#99999999999999999999999999999999999999999999;&#xD800;">`, "page:\uFFFD\uFFFD\uFFFD"},
		{"what is no name", `<a href="&nothing;&;& &&amp;">`, "page:&nothing;&;& &&"},
	})
}

func TestLinksResolveByTheFirstBase(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"the base counts for all links", `<a href=1><base href="/b/"><a href=2>`, "page:1 at http://a.test/b/ |page:2 at http://a.test/b/"},
		{"the first base counts", `<base href=/b/><base href=/c/><a href=1>`, "page:1 at http://a.test/b/"},
		{"a base without href is none", `<base target=x><base href=/c/><a href=1>`, "page:1 at http://a.test/c/"},
		{"a bad first base leaves the page's URL", `<base href="http://["><base href=/c/><a href=1>`, "page:1"},
		{"a data base leaves the page's URL", `<base href="data:/,x"><a href=1>`, "page:1"},
	})
	links := Inspect("http://a.test/d/p", []byte(`<base href="ftp://b.test/"><a href=1><a href="http://c.test"><a href="//d.test/">`), nil, "html")
	if want := []string{"http://c.test/"}; !slices.Equal(links, want) {
		t.Errorf("with a base of another scheme: %q, want %q", links, want)
	}
}

func TestLinksOfStyleSheets(t *testing.T) {
	testRefs(t, CSS, []refsTest{
		{"url without quotes", `a{b:url( 1 )}`, "req:1"},
		{"url with quotes", `a{b:url("1" ) url('2')}`, "req:1 |req:2"},
		{"names have no case and escapes count", `a{b:UrL(1) u\72l(2) \75 rl(3)}`, "req:1 |req:2 |req:3"},
		{"a name that ends like url is another", `a{b:curl(no) url-x(no) -url(no)}`, ""},
		{"imports", `@import "1";@IMPORT'2';@import/**/url(3);@im\70ort "4" screen;`, "req:1 |req:2 |req:3 |req:4"},
		{"strings are no links", `a{content:"url(no)"} @charset "no"; @import url(1) "no";`, "req:1"},
		{"comments are no links", `/* url(no) */ a{b:url(/*x*/1)} /**/`, "req:/*x*/1"},
		{"a comment does not begin inside of url", `a{b:url(//x/*) c:url(1)}`, "req://x/* |req:1"},
		{"namespaces are names", `@namespace url(http://no); @namespace x "no"; a{b:url(1)}`, "req:1"},
		{"documents are names", `@-moz-document url(no) { a{b:url(1)} }`, "req:1"},
		{"escapes in values", `a{b:url("\31\20 x\
y\"") url(\)\28 2)}`, `req:1 xy" |req:)(2`},
		{"references into the document itself are none", `a{b:url(#x) url() url("")}`, ""},
		{"a bad url ends with its parenthesis", `a{b:url(no"x) url(1)} c{d:url(no no) url(2)}`, "req:1 |req:2"},
		{"a bad string ends with its line", "a{b:url(\"no\nx) url(1)} c:'no\n;d:url(2)", "req:1 |req:2"},
		{"the end of the sheet ends everything", `a{b:url("1`, "req:1"},
		{"an unquoted url at the end", `a{b:url(1 `, "req:1"},
	})
}

func TestSrcsetDescriptors(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"commas stay in URLs", `<img srcset="a,b 1x, c">`, "req:a,b |req:c"},
		{"data URLs too", `<img srcset="data:,x 1x, b 2x">`, "req:data:,x |req:b"},
		{"a height alone is bad", `<img srcset="a 1h, b 1w 1h">`, "req:b"},
		{"numbers that are none", `<img srcset="a 1.x, b +1x, c 1e, d .5x, e 0w, f -1x, g 1e2x">`, "req:d |req:g"},
		{"parentheses hide commas", `<img srcset="a (1x, b 2x), c">`, "req:c"},
	})
}

func TestLinksOfHeaders(t *testing.T) {
	h := http.Header{
		"Link": {
			`<1>; rel=next, <2>;rel="x stylesheet" ; title="a, b; <no>", <no>; rel=preconnect`,
			` , <3> ; REL = "\n\ext"; rel=icon,<no>,<no;x`, `no`,
		},
		"Refresh":  {"3; url=4"},
		"Location": {"/5#x"},
	}
	got := Inspect("http://a.test/d/p", nil, h, "headers")
	want := []string{"http://a.test/5", "http://a.test/d/1", "http://a.test/d/2", "http://a.test/d/3", "http://a.test/d/4"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// testURL parses a URL that is one.
func testURL(t testing.TB, s string) weburl.URL {
	t.Helper()
	u, err := weburl.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func scanLinks(t testing.TB, limit int, doc string) (*[]crawler.Link, *Scanner) {
	var links []crawler.Link
	s := NewScanner(testURL(t, "http://a.test/d/p"), HTML, limit, func(l crawler.Link) { links = append(links, l) })
	s.Write([]byte(doc))
	s.Close()
	return &links, s
}

func TestLinkScannerHandsOverCanonicalLinksOnce(t *testing.T) {
	links, s := scanLinks(t, 0, `<title> A &amp;
		<b> </title><a href=1#x><a href="HTTP://A.test:80/d/../d/1"><img src=1><a href=mailto:x><a href="java
script:x"><a href="http://["><a href="/`+strings.Repeat("x", weburl.MaxBytes)+`">`)
	want := []crawler.Link{{URL: testURL(t, "http://a.test/d/1"), Kind: crawler.LinkPage}, {URL: testURL(t, "http://a.test/d/1"), Kind: crawler.LinkRequisite}}
	if !slices.Equal(*links, want) {
		t.Errorf("links %v, want %v", *links, want)
	}
	if got, want := s.Counts(), (Counts{Found: 2, NotHTTP: 2, TooLong: 1, Invalid: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if got, want := s.Title(), "A & <b>"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	s.Reset(testURL(t, "http://b.test/"), HTML)
	s.Write([]byte(`<a href=1><!-- `))
	s.Close()
	if len(*links) != 3 || (*links)[2].URL.String() != "http://b.test/1" || s.Title() != "" || s.Counts() != (Counts{Found: 1}) {
		t.Errorf("after Reset: links %v, title %q, counts %+v", *links, s.Title(), s.Counts())
	}
}

func TestAScannerThatForgetsHandsOverAllLinksOfThePage(t *testing.T) {
	var got []string
	var s *Scanner
	s = NewScanner(testURL(t, "http://a.test/"), HTML, 3, func(l crawler.Link) {
		if got = append(got, l.URL.Path()); len(got) == 2 {
			s.Forget()
		}
	})
	for name := range strings.FieldsSeq("a b a b c c a d e f") {
		fmt.Fprintf(s, "<a href=%s>", name)
	}
	s.Close()
	if n := s.Counts(); strings.Join(got, "") != "/a/b/a/c/d/e" || n.Found != 6 || n.Forgot != 1 || n.TooMany != 1 {
		t.Errorf("%q, %+v", got, n)
	}
}

func TestASkippedLinkIsFoundAndNotHandedOver(t *testing.T) {
	page := testURL(t, "http://a.test/dir/")
	for _, c := range []struct{ skip, kind, want string }{
		{"http://a.test/b", "page", "/dir/a /b"}, // the one left is an image
		{"http://a.test/b", "requisite", "/dir/a /b"},
		{"http://a.test/other", "page", "/dir/a /b /b"},
	} {
		kind := crawler.LinkPage
		if c.kind == "requisite" {
			kind = crawler.LinkRequisite
		}
		var got []string
		var asked []uint64
		s := NewScanner(page, HTML, 3, func(l crawler.Link) { got = append(got, l.URL.Path()) })
		s.Skip(func(key uint64) bool {
			asked = append(asked, key)
			return key == crawler.Link{URL: testURL(t, c.skip), Kind: kind}.Key()
		})
		fmt.Fprint(s, "<a href=a><a href=/b#1><a href=../b><img src=/b><a href=/d>")
		s.Close()
		if n := s.Counts(); strings.Join(got, " ") != c.want || n.Found != 3 || n.TooMany != 1 || len(asked) != 3 {
			t.Errorf("without %s %s: %q, %+v, asked %d times", c.kind, c.skip, got, n, len(asked))
		}
	}
}

func TestLinkScannerLimitsLeaveMarks(t *testing.T) {
	links, s := scanLinks(t, 2, `<a href=1><a href=2><a href=1><a href=3><a href=4>`)
	if len(*links) != 2 || s.Counts() != (Counts{Found: 2, TooMany: 2}) {
		t.Errorf("limit of 2: %d links, %+v", len(*links), s.Counts())
	}
	long := strings.Repeat("x", MaxLinkCarry)
	_, s = scanLinks(t, 0, `<a href="`+long+`" href=no><p data-x='`+long+`'><img src="data:`+long+`"><a href=1><p style="a:url(`+long+`)">`+
		`<style>@import "`+long+`"; a{b:url(`+long+`);c:url(2);`+long+`:url(3)}</style><a href=4><`+long+` href=no>`+`<a href=5>`)
	if got, want := s.Counts(), (Counts{Found: 5, NotHTTP: 1, Cut: 4}); got != want {
		t.Errorf("values too long: %+v, want %+v", got, want)
	}
	_, s = scanLinks(t, 0, strings.Repeat(`<a href=1>`, MaxLinksHeld)+`<base href=/b/><a href=2>`)
	if got, want := s.Counts(), (Counts{Found: 2, LateBase: true}); got != want {
		t.Errorf("a late base: %+v, want %+v", got, want)
	}
}

func TestLinkScannerTitle(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"svg's titles are no titles", `<svg><title>no</title></svg><title>yes</title>`, "yes"},
		{"the first that is not empty counts", `<title> </title><title>1</title><title>2</title>`, "1"},
		{"a title that never ends", `<title>a<p>b`, "a<p>b"},
		{"bytes that are no text", "<title>a\xFFb</title>", "a\uFFFDb"},
		{"a long one is cut on a rune border", "<title>" + strings.Repeat("x", MaxTitleBytes-1) + "é</title>", strings.Repeat("x", MaxTitleBytes-1)},
		{"white space counts once", "<title>" + strings.Repeat(" ", 1000) + "a" + strings.Repeat("\n", 1000) + "b</title>", "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, s := scanLinks(t, 0, tt.doc); s.Title() != tt.want {
				t.Errorf("got %q, want %q", s.Title(), tt.want)
			}
		})
	}
}

func TestLinkFormatOf(t *testing.T) {
	const xhtml = `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct{ kind, head, want string }{
		{"text/html", "", "0 true"}, {"application/xhtml+xml", "", "1 true"}, {"image/svg+xml", "", "1 true"}, {"text/css", "", "2 true"},
		{"text/plain", "<html>", "0 false"}, {"", "", "0 false"}, {"application/rss+xml", "<rss>", "0 false"},
		{"application/xml", xhtml, "1 true"}, {"text/xml", xhtml, "1 true"}, {"application/vnd.wap.xhtml+xml", xhtml, "1 true"},
		{"application/xml", `<svg xmlns="http://www.w3.org/2000/svg">`, "1 true"}, {"application/xml", "<urlset>", "0 false"},
	} {
		format, ok := FormatOf(c.kind, []byte(c.head))
		if got := fmt.Sprint(format, " ", ok); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.kind, c.head, got, c.want)
		}
	}
}
