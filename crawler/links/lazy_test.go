package links

import (
	"strings"
	"testing"
)

func TestLazyLinks(t *testing.T) {
	for _, c := range []refsTest{
		{"images", `<img src=/0 data-src=/1 data-srcset="/2 1x, /3 2x"><img data-original=4.jpg><img data-lazy-src=/5 data-lazy-srcset="/6 320w, /7 640w">`,
			"req:/0 |req:/1 |req:/2 |req:/3 |req:4.jpg |req:/5 |req:/6 |req:/7"},
		{"other elements", `<source data-srcset=/1.webp><div data-bg=/2><section data-src=img/3.png><IFRAME DATA-SRC=/4></IFRAME>`,
			"req:/1.webp |req:/2 |req:img/3.png |page:/4"},
		{"a background as style has it", `<div data-bg="url('/1'), url(/2)">`, "req:/1 |req:/2"},
		{"what is no reference", `<div data-src=17 data-bg="{&quot;a&quot;:1}" data-original=hero data-lazy-src="lazy big" data-srcset="none">
			<p data-src="[&quot;/a.jpg&quot;]"><p data-src=""><p data-src="#x"><p data-src="1.5"><p data-src="16/9"><p data-src="javascript:x()">
			<p data-src="{{ url }}"><p data-src="/x_{width}.jpg"><p data-src=".hero"><p data-src="/"><p data-src="data:image/gif;base64,R0"><p data-bg=".5">`, ""},
		{"what is one", `<p data-src="?id=1"><p data-src="../a"><p data-src="//cdn.test/x"><p data-src="HTTPS://cdn.test"><p data-src="img/show?id=1"><p data-src="a.JPG?v=2#x">`,
			"req:?id=1 |req:../a |req://cdn.test/x |req:HTTPS://cdn.test |req:img/show?id=1 |req:a.JPG?v=2#x"},
		{"pictures of the page", `<meta property=og:image content="/1"><meta property="og:image:width" content="/no"><meta name="twitter:image" content=/2><meta name=description content=/no>`,
			"req:/1 |req:/2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			s := NewRawScanner("http://a.test/d/p", HTML, func(_ string, l Raw) {
				got = append(got, [...]string{"page:", "req:"}[l.Kind]+l.Ref)
			})
			s.Lazy(true)
			s.Write([]byte(c.doc))
			s.Close()
			if got := strings.Join(got, " |"); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if refs := scanRefs(HTML, strings.ReplaceAll(c.doc, "src=/0", "")); len(refs) > 0 {
				t.Errorf("without: %s", refs)
			}
		})
	}
}

func TestLinksOfFormsAndOfDocumentsInAttributes(t *testing.T) {
	testRefs(t, HTML, []refsTest{
		{"a button may lead elsewhere", `<form><button formaction=1><input type=submit formaction=2></form>`, "page:1 |page:2"},
		{"one that sends data does not", `<form method=POST><button formaction=no></form><button formmethod=post formaction=no><button formaction=1>`, "page:1"},
		{"one that asks in a form that sends", `<form method=post><button formmethod=get formaction=1></form>`, "page:1"},
		{"an iframe's own document", `<iframe srcdoc="<base href=/no/><title>no</title><a href=1><p style='a:url(2)'><iframe srcdoc='<a href=no>'>"></iframe><a href=3>`,
			"page:1 |req:2 |page:3"},
		{"svg in svg", `<svg><svg></svg><use xlink:href=1></svg><use xlink:href=no>`, "req:1"},
		{"svg in html in svg", `<svg><foreignObject><svg></svg><use xlink:href=no></foreignObject><use xlink:href=1></svg>`, "req:1"},
	})
	testRefs(t, CSS, []refsTest{
		{"sets of images", `a{b: image-set("1" 1x, url(2) 2x, '3' type("image/avif") 3x), url(4); c: "no"}`, "req:1 |req:2 |req:3 |req:4"},
		{"by an older name", `a{b: -WEBKIT-image-set("1" 1x); content: "no"}`, "req:1"},
		{"that do not end", `a{b: image-set("1" 1x} c{content: "no"; d: f("no")}`, "req:1"},
	})
}
