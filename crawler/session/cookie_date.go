package session

import (
	"strconv"
	"strings"
	"time"
)

// parseCookieDate reads a date in any of the ways that servers write it in Expires (RFC 6265 section 5.1.1).
func parseCookieDate(s string) (time.Time, bool) {
	var d cookieDate
	for _, token := range strings.FieldsFunc(s, isDateDelimiter) {
		d.take(token)
	}
	switch {
	case d.year <= 69:
		d.year += 2000
	case d.year <= 99:
		d.year += 1900
	}
	if !d.hasTime || !d.hasDay || d.month == 0 || !d.hasYear || d.year < 1601 || d.minute > 59 || d.second > 59 {
		return time.Time{}, false
	}
	at := time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC)
	return at, at.Day() == d.day // the month has that day, and the day that hour
}

// cookieDate is what was found of a date. Each part counts once: the first token that may be it.
type cookieDate struct {
	hasTime, hasDay, hasYear  bool
	hour, minute, second, day int
	month                     time.Month
	year                      int
}

func (d *cookieDate) take(token string) {
	if !d.hasTime && d.takeTime(token) {
		return
	}
	if !d.hasDay {
		if n, ok := leadingNumber(token, 1, 2); ok {
			d.day, d.hasDay = n, true
			return
		}
	}
	if d.month == 0 && len(token) >= 3 {
		if i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(token[:3])); i >= 0 && i%3 == 0 {
			d.month = time.Month(i/3 + 1)
			return
		}
	}
	if !d.hasYear {
		if n, ok := leadingNumber(token, 2, 4); ok {
			d.year, d.hasYear = n, true
		}
	}
}

func (d *cookieDate) takeTime(token string) bool {
	parts := strings.SplitN(token, ":", 3)
	if len(parts) != 3 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		v, ok := leadingNumber(p, 1, 2)
		if !ok || i < 2 && strings.Trim(p, "0123456789") != "" {
			return false
		}
		n[i] = v
	}
	d.hour, d.minute, d.second, d.hasTime = n[0], n[1], n[2], true
	return true
}

// leadingNumber reads the digits that a token begins with, when there are from least to most of them.
func leadingNumber(token string, least, most int) (int, bool) {
	n := 0
	for n < len(token) && token[n] >= '0' && token[n] <= '9' {
		n++
	}
	if n < least || n > most {
		return 0, false
	}
	v, err := strconv.Atoi(token[:n])
	return v, err == nil
}

func isDateDelimiter(r rune) bool {
	return r == '\t' || r >= ' ' && r <= '/' || r >= ';' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
}
