package links

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"

	"trawl/crawler"
)

// inCharset writes a text in an encoding, by its label.
func inCharset(t testing.TB, label, text string) string {
	t.Helper()
	e, err := htmlindex.Get(label)
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scanAs scans a document as the fetcher does, cut into pieces of n bytes, and lists title and links.
func scanAs(t testing.TB, format Format, label, doc string, n int) string {
	t.Helper()
	var got []string
	s := NewScanner(testURL(t, "http://a.test/"), format, 0, func(l crawler.Link) {
		got = append(got, strings.TrimPrefix(l.URL.String(), "http://a.test"))
	})
	var w interface{ Write([]byte) (int, error) } = s
	if d := s.Sniff(label, []byte(doc)[:min(len(doc), CharsetLook)]); d != nil {
		w = transform.NewWriter(s, d)
	}
	for len(doc) > 0 {
		k := min(n, len(doc))
		w.Write([]byte(doc[:k]))
		doc = doc[k:]
	}
	s.Close()
	return strings.TrimSpace(s.Title() + " " + strings.Join(got, " "))
}

func TestDocumentsAreReadInTheirCharset(t *testing.T) {
	const link = `<a href="/ж?q=ж&amp;n=1">`
	const russian = "<title>Привет</title>" + link
	const in1251, in8 = "Привет /%D0%B6?q=%E6&n=1", "Привет /%D0%B6?q=%D0%B6&n=1"
	late := "<script>" + strings.Repeat("y", 3000) + "</script>"
	for _, c := range []struct {
		name   string
		format Format
		label  string
		doc    string
		want   string
	}{
		{"UTF-8 without a word", HTML, "", russian, in8},
		{"the server's word", HTML, "windows-1251", inCharset(t, "windows-1251", russian), in1251},
		{"the server's word by another label", HTML, " CP1251 ", inCharset(t, "windows-1251", russian), in1251},
		{"a label that is none", HTML, "utf-8859", russian, in8},
		{"the server's word counts more than the page's", HTML, "windows-1251", inCharset(t, "windows-1251", "<meta charset=utf-8>"+russian), in1251},
		{"a mark counts more than the server's word", HTML, "windows-1251", "\ufeff" + russian, in8},
		{"a meta element", HTML, "", inCharset(t, "windows-1251", "<meta charset=windows-1251>"+russian), in1251},
		{"a meta element after the title", HTML, "", inCharset(t, "windows-1251", russian+"<meta charset=windows-1251>"), in1251},
		{"a meta element's content", HTML, "", inCharset(t, "windows-1251", `<META http-equiv="Content-Type" CONTENT='text/html; charset="windows-1251"'>`+russian), in1251},
		{"a meta element that is misspelt", HTML, "", inCharset(t, "windows-1251", `<meta httpequiv="ContentType" content="text/html; charset=windows-1251">`+russian), in1251},
		{"a late meta element", HTML, "", inCharset(t, "windows-1251", late+"<meta charset=windows-1251>"+russian), in1251},
		{"a late meta element's content", HTML, "", inCharset(t, "windows-1251", late+`<meta content="text/html; charset=windows-1251" http-equiv=content-type>`+russian), in1251},
		{"the first of two late ones", HTML, "", inCharset(t, "windows-1251", late+"<meta charset=windows-1251><meta charset=gbk>"+russian), in1251},
		{"a late one against the server's word", HTML, "utf-8", late + "<meta charset=windows-1251>" + russian, in8},
		{"a meta element in a comment", HTML, "", "<!-- <meta charset=windows-1251> -->" + russian, in8},
		{"a description that speaks of charsets", HTML, "", "<meta name=description content='say charset=windows-1251'>" + russian, in8},
		{"UTF-16 of a meta element is UTF-8", HTML, "", "<meta charset=utf-16>" + russian, in8},
		{"an XML declaration", XML, "", inCharset(t, "windows-1251", `<?xml version="1.0" encoding='windows-1251'?>`+russian), in1251},
		{"an XML declaration of HTML", HTML, "", inCharset(t, "windows-1251", `<?xml version="1.0" encoding="windows-1251"?>`+russian), in1251},
		{"UTF-16 by its mark", HTML, "", "\xff\xfe" + inCharset(t, "utf-16le", russian), in8},
		{"UTF-16 by the server's word", HTML, "utf-16be", inCharset(t, "utf-16be", russian), in8},
		{"UTF-16 without a word", HTML, "", inCharset(t, "utf-16le", "<html>"+russian), in8},
		{"no word, no UTF-8", HTML, "", inCharset(t, "windows-1252", "<title>Café Über</title><a href='/é?q=é'>"), "Café Über /%C3%A9?q=%E9"},
		{"character references", HTML, "windows-1252", "<title>&eacute;</title><a href='/&eacute;?q=&eacute;'>", "é /%C3%A9?q=%E9"},
		{"what the charset lacks", HTML, "windows-1252", "<a href='?q=a&#x436;\xe9'>", "/?q=a%26%231078%3B%E9"},
		{"GBK", HTML, "gb2312", inCharset(t, "gbk", "<title>中文</title><a href='/中?q=中'>"), "中文 /%E4%B8%AD?q=%D6%D0"},
		{"bytes of ASCII within characters", HTML, "shift_jis", inCharset(t, "shift_jis", "<title>表示</title><a href=/表?q=日本>"), "表示 /%E8%A1%A8?q=%93%FA%96{"},
		{"ISO-2022-JP", HTML, "iso-2022-jp", inCharset(t, "iso-2022-jp", "<title>日本</title><a href='/日本'>"), "日本 /%E6%97%A5%E6%9C%AC"},
		{"bad bytes", HTML, "utf-8", "<title>Caf\xe9</title>", "Caf\ufffd"},
		{"style in a page", HTML, "windows-1251", inCharset(t, "windows-1251", "<style>a{b:url(/s?ж)}</style><p style='c:url(/t?ж)'>"), "/s?%E6 /t?%E6"},
		{"srcset in a page", HTML, "windows-1251", inCharset(t, "windows-1251", "<img srcset='/s?ж 2x, /ж'>"), "/s?%E6 /%D0%B6"},
		{"a style sheet that says it", CSS, "", inCharset(t, "shift_jis", "@charset \"shift_jis\"; a{b:url(/表)}"), "/%E8%A1%A8"},
		{"a style sheet, as the server says", CSS, "windows-1251", inCharset(t, "windows-1251", "a{b:url('/ж')}"), "/%D0%B6"},
		{"an iframe's own document", HTML, "windows-1251", inCharset(t, "windows-1251", "<iframe srcdoc='<a href=&quot;/ж?ж&quot;><style>a{b:url(/s?ж)}</style>'>"), "/%D0%B6?%E6 /s?%E6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{1 << 20, 1, 7} {
				if got := scanAs(t, c.format, c.label, c.doc, n); got != c.want {
					t.Errorf("in pieces of %d: got %s, want %s", n, got, c.want)
				}
			}
		})
	}
}

// FuzzCharset scans anything in any charset: it never breaks, and pieces make no difference.
func FuzzCharset(f *testing.F) {
	f.Add("", "<meta charset=gbk><title>\xd6\xd0</title><a href='?\xd6\xd0'>", 3)
	f.Add("shift_jis", "<title>\x95\x5c</title><a href='?\x95\x5c\xff'>", 1)
	f.Fuzz(func(t *testing.T, label, doc string, n int) {
		whole := scanAs(t, HTML, label, doc, len(doc)+1)
		if parts := scanAs(t, HTML, label, doc, 1+max(n, -n)%100); parts != whole {
			t.Errorf("%q in pieces: %q, whole: %q", doc, parts, whole)
		}
		if !bytes.Equal([]byte(whole), bytes.ToValidUTF8([]byte(whole), nil)) {
			t.Errorf("not UTF-8: %q", whole)
		}
	})
}
