package crawler

import (
	"fmt"
	"strings"
	"testing"
)

func TestMediaTypeIsWhatTheServerSaysOrWhatTheBytesLookLike(t *testing.T) {
	const page = "<!doctype html><title>t</title>"
	for _, c := range []struct {
		name string
		said []string
		head string
		want string
	}{
		{"said", []string{"text/html"}, "", "text/html"},
		{"in capitals, with a charset", []string{"Text/HTML; Charset=UTF-8"}, "", "text/html UTF-8"},
		{"empty parameters", []string{"text/html;;"}, "", "text/html"},
		{"the first charset counts", []string{"text/html;charset=windows-1251; charset=utf-8"}, "", "text/html windows-1251"},
		{"a charset in quotation marks", []string{`text/html; x="a;charset=no"; charset="koi8-r"`}, "", "text/html koi8-r"},
		{"a charset that is empty", []string{"text/html; charset="}, "", "text/html"},
		{"twice", []string{"text/html, text/html"}, "", "text/html"},
		{"twice, the charset stays", []string{"text/html; charset=gbk, text/html"}, "", "text/html gbk"},
		{"twice, the last type counts", []string{"text/plain; charset=gbk", "text/html"}, "", "text/html"},
		{"twice, the last is none", []string{"text/html", "*/*", "rubbish"}, "", "text/html"},
		{"a comma in quotation marks", []string{`text/html; x="a, text/plain"`}, "", "text/html"},
		{"without a semicolon", []string{"text/html charset=utf-8"}, page, "text/html, looked"},
		{"anything", []string{"*/*"}, page, "text/html, looked"},
		{"unknown", []string{"unknown/unknown"}, page, "text/html, looked"},
		{"unknown to an application", []string{"application/unknown; charset=gbk"}, page, "text/html, looked"},
		{"not said", nil, page, "text/html, looked"},
		{"empty", []string{""}, page, "text/html, looked"},
		{"white space before it", nil, strings.Repeat("\n ", 500) + page, "text/html, looked"},
		{"not said, of text", nil, "hello", "text/plain, looked"},
		{"not said, of an image", nil, "\x89PNG\r\n\x1a\n", "image/png, looked"},
		{"not said, and not to be looked at", []string{"nosniff"}, page, "text/plain, looked"},
		{"not said, no text, and not to be looked at", []string{"nosniff"}, "\x89PNG\r\n\x1a\n", "application/octet-stream, looked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := MediaTypeOf(c.said, len(c.said) > 0 && c.said[0] == "nosniff", []byte(c.head))
			got := strings.TrimSpace(m.Kind + " " + m.Charset)
			if !m.Said {
				got += ", looked"
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzMediaType(f *testing.F) {
	f.Add("text/html; charset=\"a\\b\", text/css;charset=x", "<html>")
	f.Fuzz(func(t *testing.T, said, head string) {
		if m := MediaTypeOf([]string{said}, false, []byte(head)); !strings.Contains(m.Kind, "/") || m.Kind != strings.ToLower(m.Kind) {
			t.Errorf("%+v", m)
		}
	})
}

func TestLinkFormatOf(t *testing.T) {
	const xhtml = `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct{ kind, head, want string }{
		{"text/html", "", "0 true"}, {"application/xhtml+xml", "", "1 true"}, {"image/svg+xml", "", "1 true"}, {"text/css", "", "2 true"},
		{"text/plain", "<html>", "0 false"}, {"", "", "0 false"}, {"application/rss+xml", "<rss>", "0 false"},
		{"application/xml", xhtml, "1 true"}, {"text/xml", xhtml, "1 true"}, {"application/vnd.wap.xhtml+xml", xhtml, "1 true"},
		{"application/xml", `<svg xmlns="http://www.w3.org/2000/svg">`, "1 true"}, {"application/xml", "<urlset>", "0 false"},
	} {
		format, ok := LinkFormatOf(c.kind, []byte(c.head))
		if got := fmt.Sprint(format, " ", ok); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.kind, c.head, got, c.want)
		}
	}
}

func TestAcceptReadsContentTypesAsBrowsersDo(t *testing.T) {
	j := NewJob(Crawl)
	j.Accept = []string{"text/html", "image/*"}
	for said, want := range map[string]bool{
		"text/html, text/html": true, "text/plain, Text/HTML; charset=x": true, "image/png;q=1": true,
		"text/html, text/plain": false, "video/mp4": false, "text/html charset=utf-8": false,
	} {
		if got := j.Accepts(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}
