package export

import (
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
)

// jsonLine writes a row as one JSON object in one line, keys in the order of columns, all present, null for
// what is absent.
type jsonLine struct {
	b      []byte
	column int
}

func (*jsonLine) header(b []byte) []byte { return b }

func (j *jsonLine) append(b []byte, r *crawler.Row) []byte {
	j.b, j.column = b, 0
	writeCells(j, r)
	b, j.b = append(j.b, "}\n"...), nil
	return b
}

func (j *jsonLine) key() {
	mark := byte(',')
	if j.column == 0 {
		mark = '{'
	}
	j.b = append(j.b, mark, '"')
	j.b = append(j.b, columns[j.column]...)
	j.b = append(j.b, '"', ':')
	j.column++
}

func (j *jsonLine) null() { j.b = append(j.b, "null"...) }

func (j *jsonLine) text(s string) {
	j.key()
	j.b = appendJSON(j.b, s)
}

func (j *jsonLine) optional(s string) {
	j.key()
	if s == "" {
		j.null()
		return
	}
	j.b = appendJSON(j.b, s)
}

func (j *jsonLine) foreign(s string) { j.optional(s) }
func (j *jsonLine) list(s string) {
	j.key()
	if s == "" {
		j.null()
		return
	}
	begin := byte('[')
	for text := range strings.SplitSeq(s, "\t") {
		j.b = appendJSON(append(j.b, begin), text)
		begin = ','
	}
	j.b = append(j.b, ']')
}

func (j *jsonLine) number(n int64)      { j.numberIf(n, true) }
func (j *jsonLine) optionalInt(n int64) { j.numberIf(n, n != 0) }

func (j *jsonLine) numberIf(n int64, there bool) {
	j.key()
	if !there {
		j.null()
		return
	}
	j.b = strconv.AppendInt(j.b, n, 10)
}

func (j *jsonLine) flag(v bool) {
	j.key()
	j.b = strconv.AppendBool(j.b, v)
}

func (j *jsonLine) moment(t time.Time) {
	j.key()
	if t.IsZero() {
		j.null()
		return
	}
	j.b = append(j.b, '"')
	j.b = append(appendTime(j.b, t), '"')
}

const hexDigits = "0123456789abcdef"

// appendJSON writes a JSON string (RFC 8259 section 7). Beside what must be escaped, U+2028 and U+2029 are left
// alone: they are fine in JSON, and a line of JSONL ends at "\n" only.
func appendJSON(b []byte, s string) []byte {
	s = valid(s)
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
