package download

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"trawl/crawler"
)

// answered notes the head of an answer.
func (a *answer) answered(resp *http.Response) {
	a.header = resp.Header
	a.status = resp.Status
	a.proto = protocolName(resp)
	if len(a.head.Odd) > 0 {
		a.remark("its header was read although it has " + strings.Join(a.head.Odd, ", "))
	}
	a.noteHead(resp.StatusCode)
}

// noteHead takes over what the result says of the head.
func (a *answer) noteHead(status int) {
	r := &a.result
	r.Status = status
	r.ContentType = oneLine(a.header.Get("Content-Type"), maxContentType)
	r.ETag = validator(a.header.Get("ETag"))
	r.LastModified = validator(a.header.Get("Last-Modified"))
	if r.Status < 200 || r.Status > 299 {
		r.RetryAfter = retryAfter(a.header, time.Now())
	}
}

// protocolName is the protocol as WARC-Protocol names it.
func protocolName(resp *http.Response) string {
	switch {
	case resp.ProtoMajor == 2:
		return "h2"
	case resp.ProtoMajor == 1 && resp.ProtoMinor == 0:
		return "http/1.0"
	}
	return "http/1.1"
}

func validator(s string) string {
	if len(s) > maxValidator {
		return ""
	}
	return cleanText(s)
}

// retryAfter reads Retry-After (RFC 9110 section 10.2.3): seconds, or a date, which is compared with the
// server's own Date where there is one, as its clock may be wrong. The most is crawler.MaxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := textproto.TrimString(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if digits(text) {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(crawler.MaxRetryAfter/time.Second) {
			return crawler.MaxRetryAfter // err: more digits than a number holds
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), crawler.MaxRetryAfter)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// cleanText makes control characters into spaces, bytes that are no UTF-8 into U+FFFD, and folds white space.
func cleanText(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if !plain {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r // U+FFFD for each byte that is no UTF-8
		}, s)
		s = strings.Join(strings.Fields(s), " ")
	}
	return strings.TrimSpace(s)
}

// cutText cuts at n bytes, not inside of a rune.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
