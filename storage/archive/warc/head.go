package warc

import (
	"bytes"
	"strconv"
)

// RenamedPrefix is put before the names of fields of an answer that describe its transfer and not the
// body as it is stored.
const RenamedPrefix = "X-Crawl-"

// AppendHead appends the head of an answer as it stands in the archive before a body of the given size.
// The body is stored after transfer decoding, so a Transfer-Encoding line would make readers decode it
// again: it is renamed to X-Crawl-Transfer-Encoding. A Content-Length that is not the size of the
// stored body (it was cut, or there was a transfer coding too) becomes X-Crawl-Content-Length, and where a
// line was renamed the true length is added. Answers that have no body by their status (1xx, 204, 304) keep
// their Content-Length, which speaks of another answer (RFC 9110, 8.6). A version other than HTTP/1.x is
// written as HTTP/1.1, since readers know no other; WARC-Protocol holds the true one. The rest is as the
// server sent it. What is appended ends with an empty line; head is not changed.
func AppendHead(out, head []byte, size int64) []byte {
	if !headNeedsWork(head, size) {
		return append(out, head...)
	}
	first, rest := cutLine(head)
	out = appendStatusLine(out, first)
	bodyless := hasNoBody(first)
	renamed, right := false, false
	for len(rest) > 0 {
		var line []byte
		if line, rest = cutLine(rest); len(bytes.TrimRight(line, "\r\n")) == 0 {
			if len(line) > len("\r\n") && len(rest) > 0 {
				continue // of returns only: it does not end the head
			}
			break
		}
		rename, fits := judge(line, size, bodyless)
		if rename {
			out = append(out, RenamedPrefix...)
			renamed = true
		}
		right = right || fits
		out = appendLine(out, line)
	}
	if renamed && !right && !bodyless {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, size, 10)
		out = append(out, "\r\n"...)
	}
	return append(out, "\r\n"...)
}

// AppendRequest is AppendHead for a request: the empty line is there, and the version is one that
// readers know.
func AppendRequest(out, head []byte) []byte {
	first, rest := cutLine(head)
	version2 := bytes.LastIndex(first, []byte(" HTTP/2"))
	if bytes.HasSuffix(head, []byte("\r\n\r\n")) && version2 < 0 {
		return append(out, head...)
	}
	if version2 >= 0 {
		out = append(append(out, first[:version2]...), " HTTP/1.1"...)
		first = nil
	}
	out = appendLine(out, first)
	for len(rest) > 0 {
		var line []byte
		if line, rest = cutLine(rest); len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		out = appendLine(out, line)
	}
	return append(out, "\r\n"...)
}

func headNeedsWork(head []byte, size int64) bool {
	if !bytes.HasSuffix(head, []byte("\r\n\r\n")) || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return true
	}
	first, rest := cutLine(head)
	bodyless := hasNoBody(first)
	for len(rest) > 0 {
		var line []byte
		if line, rest = cutLine(rest); len(bytes.TrimRight(line, "\r\n")) == 0 {
			return len(rest) > 0
		}
		if rename, _ := judge(line, size, bodyless); rename {
			return true
		}
	}
	return true
}

// judge says whether a line is to be renamed, and whether it is a Content-Length that fits the stored body.
func judge(line []byte, size int64, bodyless bool) (rename, fits bool) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false, false
	}
	name = bytes.TrimRight(name, " \t")
	if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
		return true, false
	}
	if bodyless || !bytes.EqualFold(name, []byte("Content-Length")) {
		return false, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	fits = err == nil && n == size
	return !fits, fits
}

func appendStatusLine(out, first []byte) []byte {
	first = bytes.TrimRight(first, "\r\n")
	if i := bytes.IndexByte(first, ' '); i >= 0 && bytes.HasPrefix(first, []byte("HTTP/")) &&
		!bytes.HasPrefix(first, []byte("HTTP/1.")) {
		out, first = append(out, "HTTP/1.1"...), first[i:]
	}
	return appendLine(out, first)
}

// hasNoBody reports whether the status allows no body.
func hasNoBody(first []byte) bool {
	i := 0
	for s := range bytes.FieldsSeq(first) {
		if i++; i == 2 {
			return string(s) == "204" || string(s) == "304" || len(s) == 3 && s[0] == '1'
		}
	}
	return false
}

// appendLine appends a line with CRLF at its end, whatever its own end was.
func appendLine(out, line []byte) []byte {
	out = append(out, bytes.TrimRight(line, "\r\n")...)
	return append(out, "\r\n"...)
}

// cutLine cuts after the first LF; the line keeps its end.
func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:]
	}
	return b, nil
}
