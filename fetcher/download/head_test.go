package download

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"trawl/crawler"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"none", "", "", 0},
		{"seconds", " 120 ", "", 2 * time.Minute},
		{"nothing to wait for", "0", "", 0},
		{"more seconds than we wait", "86400", "", crawler.MaxRetryAfter},
		{"more digits than a number holds", strings.Repeat("9", 40), "", crawler.MaxRetryAfter},
		{"seconds that overflow a duration", "9223372036854775", "", crawler.MaxRetryAfter},
		{"a date", at(90 * time.Second), "", 90 * time.Second},
		{"a date by the server's own clock, which is wrong", at(24*time.Hour + time.Minute), at(24 * time.Hour), time.Minute},
		{"a date in the past", at(-time.Hour), "", 0},
		{"a date too far away", at(48 * time.Hour), "", crawler.MaxRetryAfter},
		{"a negative number", "-5", "", 0},
		{"words", "soon", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{"Retry-After": {c.value}}
			if c.date != "" {
				h.Set("Date", c.date)
			}
			if got := retryAfter(h, now); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestHeadOfAnAnswerIsBoundedAndOnOneLine(t *testing.T) {
	x := testExchange(t, "http://a.test/")
	x.answered(&http.Response{StatusCode: 503, Status: "503 Busy", ProtoMajor: 1, ProtoMinor: 0, Header: http.Header{
		"Content-Type":  {"text/html;\t" + strings.Repeat("ü", 300)},
		"Etag":          {strings.Repeat("e", maxValidator+1)},
		"Last-Modified": {"x\x00y"},
		"Retry-After":   {"7"},
	}})
	r := x.result
	if len(r.ContentType) > maxContentType || !utf8.ValidString(r.ContentType) || strings.Contains(r.ContentType, "\t") {
		t.Errorf("content type of %d bytes: %q", len(r.ContentType), r.ContentType)
	}
	if r.ETag != "" || r.LastModified != "x y" || r.RetryAfter != 7*time.Second || x.proto != "http/1.0" {
		t.Errorf("%+v, %s", r, x.proto)
	}
	good := testExchange(t, "http://a.test/")
	good.answered(&http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Retry-After": {"7"}}})
	if good.result.RetryAfter != 0 || good.proto != "http/1.1" {
		t.Errorf("of a good answer: %v, %s", good.result.RetryAfter, good.proto)
	}
}
