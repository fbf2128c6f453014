package media

import (
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
			m := TypeOf(c.said, len(c.said) > 0 && c.said[0] == "nosniff", []byte(c.head))
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
		if m := TypeOf([]string{said}, false, []byte(head)); !strings.Contains(m.Kind, "/") || m.Kind != strings.ToLower(m.Kind) {
			t.Errorf("%+v", m)
		}
	})
}
