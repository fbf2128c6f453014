package head

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// What net/http refuses in the head of an answer and browsers read. The answer counts, and its row's detail says what
// was odd.
const (
	oddBlank   = "an empty line before the status line"
	oddStatus  = "a status line of another form"
	oddColon   = "a line without a colon"
	oddName    = "a name that is none"
	oddSpace   = "a space before a colon"
	oddControl = "control characters in a value"
	oddFold    = "a first line that continues another"
	oddCoding  = "a Transfer-Encoding that names none"
	oddLength  = "a Content-Length that is no number"
)

// mendedHead is a head in the form that net/http reads.
type mendedHead struct {
	head []byte
	raw  []byte   // as it came, for the archive; its status line begins with HTTP/1.
	odd  []string // what was mended; nil = nothing
}

// headField is a field of a head; lines that continue its value are in it.
type headField struct{ name, value []byte }

// is compares the name.
func (f *headField) is(name string) bool {
	return len(f.name) == len(name) && strings.EqualFold(string(f.name), name)
}

// mendHead reads a whole head as tolerantly as browsers do.
func mendHead(b []byte) (m mendedHead) {
	start := 0
	for start < len(b) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	if start > 0 {
		m.remark(oddBlank)
	}
	first, rest := cutHeadLine(b[start:])
	status := m.status(first)
	fields := m.fields(rest)
	fields = m.transfer(fields)
	fields = m.length(fields)
	m.head = append(append(m.head, status...), "\r\n"...)
	for i := range fields {
		m.head = append(append(append(append(m.head, fields[i].name...), ": "...), fields[i].value...), "\r\n"...)
	}
	m.head = append(m.head, "\r\n"...)
	m.raw = bytes.Clone(b[start:])
	if !bytes.HasPrefix(first, []byte("HTTP/1.")) {
		m.raw = slices.Concat(status, []byte("\r\n"), rest)
	}
	return m
}

func (m *mendedHead) remark(what string) {
	if !slices.Contains(m.odd, what) {
		m.odd = append(m.odd, what)
	}
}

// status mends the status line. One in which no status can be found stays as it is.
func (m *mendedHead) status(line []byte) []byte {
	if plainStatus(line) {
		return line
	}
	version, rest, _ := strings.Cut(strings.TrimSpace(spaceControls(string(line))), " ")
	rest = strings.TrimLeft(rest, " ")
	code := rest[:min(3, len(rest))]
	if len(code) < 3 || !isNumber(code) || len(rest) > 3 && rest[3] >= '0' && rest[3] <= '9' {
		return line
	}
	major, minor, ok := "", "", strings.EqualFold(version, "ICY") || strings.EqualFold(version, "HTTP")
	if len(version) > 5 && strings.EqualFold(version[:5], "HTTP/") {
		major, minor, _ = strings.Cut(version[5:], ".")
		ok = isNumber(major) && isNumber(minor)
	}
	if !ok {
		return line
	}
	m.remark(oddStatus)
	proto := "HTTP/1.1 "
	if n, _ := strconv.Atoi(major); n < 1 || n == 1 && strings.Trim(minor, "0") == "" {
		proto = "HTTP/1.0 "
	}
	return []byte(proto + code + " " + strings.TrimLeft(rest[3:], " "))
}

// fields reads the lines after the status line. What is no field is passed over.
func (m *mendedHead) fields(b []byte) (fields []headField) {
	known := false // the field that a continuation line would continue was taken
	for begun := false; len(b) > 0; begun = true {
		var line []byte
		if line, b = cutHeadLine(b); len(line) == 0 {
			continue // the last one, or one of returns only
		}
		if line[0] == ' ' || line[0] == '\t' {
			switch {
			case !begun:
				m.remark(oddFold)
			case known:
				last := &fields[len(fields)-1]
				last.value = bytes.TrimSpace(slices.Concat(last.value, []byte(" "), bytes.TrimSpace(m.value(line))))
			}
			continue
		}
		f, ok := m.field(line)
		if known = ok; ok {
			fields = append(fields, f)
		}
	}
	return fields
}

// field reads one line; false when it is none.
func (m *mendedHead) field(line []byte) (f headField, ok bool) {
	name, value, colon := bytes.Cut(line, []byte(":"))
	trimmed := bytes.TrimRight(name, " \t")
	switch {
	case !colon:
		m.remark(oddColon)
		return f, false
	case len(trimmed) == 0 || !isToken(trimmed):
		m.remark(oddName)
		return f, false
	case len(trimmed) < len(name):
		m.remark(oddSpace)
	}
	f.name, f.value = trimmed, bytes.TrimSpace(m.value(value))
	return f, !f.is("Trailer") // it announces fields that nobody asks for, and some that it may not
}

// value makes control characters into spaces (RFC 9110 section 5.5).
func (m *mendedHead) value(b []byte) []byte {
	if !slices.ContainsFunc(b, isControl) {
		return b
	}
	m.remark(oddControl)
	return []byte(spaceControls(string(b)))
}

// transfer leaves one Transfer-Encoding that net/http reads, where the codings named are chunked or none. Others stay
// as they are.
func (m *mendedHead) transfer(fields []headField) []headField {
	const name = "Transfer-Encoding"
	chunked, lines, odd := false, 0, false
	for i := range fields {
		if !fields[i].is(name) {
			continue
		}
		lines++
		for token := range strings.SplitSeq(string(fields[i].value), ",") {
			switch strings.ToLower(strings.TrimSpace(token)) {
			case "chunked":
				odd = odd || chunked
				chunked = true
			case "identity", "", "none":
				odd = true
			default:
				return fields
			}
		}
	}
	if lines == 0 || lines == 1 && !odd {
		return fields
	}
	m.remark(oddCoding)
	fields = slices.DeleteFunc(fields, func(f headField) bool { return f.is(name) })
	if chunked {
		fields = append(fields, headField{name: []byte(name), value: []byte("chunked")})
	}
	return fields
}

// length leaves one Content-Length, or none when it says no number. Numbers that differ stay: such an answer may be two
// (RFC 9112 section 6.3), and net/http refuses it.
func (m *mendedHead) length(fields []headField) []headField {
	const name = "Content-Length"
	number, odd, lines := "", false, 0
	for i := range fields {
		if !fields[i].is(name) {
			continue
		}
		lines++
		for text := range strings.SplitSeq(string(fields[i].value), ",") {
			text = strings.TrimSpace(text)
			_, err := strconv.ParseUint(text, 10, 63)
			switch {
			case err != nil:
				odd = true
			case number != "" && number != text:
				return fields
			default:
				odd = odd || number != ""
				number = text
			}
		}
	}
	if lines == 0 || lines == 1 && !odd {
		return fields
	}
	m.remark(oddLength)
	fields = slices.DeleteFunc(fields, func(f headField) bool { return f.is(name) })
	if number != "" {
		fields = append(fields, headField{name: []byte(name), value: []byte(number)})
	}
	return fields
}

// cutHeadLine cuts the first line off, without its end.
func cutHeadLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimRight(line, "\r"), rest
}

// plainHead reports whether net/http reads a whole head as it is. It looks at each byte once; what it is not sure of is
// not plain.
func plainHead(b []byte) bool {
	line, b := cutHeadLine(b)
	if !plainStatus(line) {
		return false
	}
	codings, lengths := 0, 0
	for {
		var ended bool
		if line, b, ended = bytes.Cut(b, []byte("\n")); !ended {
			return false
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			return len(b) == 0
		}
		if slices.ContainsFunc(line, isControl) {
			return false
		}
		if line[0] == ' ' || line[0] == '\t' {
			return false
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) {
			return false
		}
		switch f := (headField{name: line[:colon]}); {
		case f.is("Transfer-Encoding"):
			codings++
			if codings > 1 || !bytes.EqualFold(bytes.TrimSpace(line[colon+1:]), []byte("chunked")) {
				return false
			}
		case f.is("Content-Length"):
			value := bytes.TrimSpace(line[colon+1:])
			lengths++
			if lengths > 1 || len(value) == 0 || len(value) > 18 || !isNumber(string(value)) {
				return false
			}
		case f.is("Trailer"):
			return false
		}
	}
}

// plainStatus reports whether a status line is one of HTTP/1.0 or 1.1 as it should be.
func plainStatus(line []byte) bool {
	const form = "HTTP/1.x 200"
	return len(line) >= len(form) && string(line[:7]) == form[:7] && (line[7] == '0' || line[7] == '1') &&
		line[8] == ' ' && isNumber(string(line[9:12])) && (len(line) == len(form) || line[12] == ' ') &&
		!slices.ContainsFunc(line, isControl)
}

// isToken reports whether a name of a field is one (RFC 9110 section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case strings.IndexByte("!#$%&'*+.^`|~", c) < 0:
			return false
		}
	}
	return true
}

// isControl reports whether a byte may not stand in a value.
func isControl(c byte) bool { return c < 0x20 && c != '\t' || c == 0x7f }

func spaceControls(s string) string {
	b := []byte(s)
	for i, c := range b {
		if isControl(c) {
			b[i] = ' '
		}
	}
	return string(b)
}

func isNumber(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
