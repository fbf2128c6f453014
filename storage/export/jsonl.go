package export

import (
	"strconv"
	"strings"

	"trawl/crawler"
	"trawl/crawler/schema"
)

// jsonLine writes a row as one JSON object in one line, keys in the order of columns, all present, null for
// what is absent.
type jsonLine struct{}

func (jsonLine) header(b []byte) []byte { return b }

func (jsonLine) append(b []byte, r *crawler.Row) []byte {
	for i := range columns {
		b = appendKey(b, i)
		b = appendValue(b, &columns[i], columns[i].Cell(r))
	}
	return append(b, "}\n"...)
}

// appendKey begins the object, or continues it.
func appendKey(b []byte, column int) []byte {
	b = append(b, "{,"[min(column, 1)], '"')
	b = append(b, columns[column].Name...)
	return append(b, '"', ':')
}

func appendValue(b []byte, c *column, v schema.Cell) []byte {
	if !v.There && !c.Has(schema.Always) {
		return append(b, "null"...)
	}
	switch c.Form {
	case schema.FormNumber:
		return strconv.AppendInt(b, v.Number, 10)
	case schema.FormFlag:
		return strconv.AppendBool(b, v.Flag)
	case schema.FormTime:
		return append(appendTime(append(b, '"'), v.Time), '"')
	case schema.FormList:
		begin := byte('[')
		for text := range strings.SplitSeq(v.Text, "\t") {
			b = appendJSON(append(b, begin), text)
			begin = ','
		}
		return append(b, ']')
	}
	return appendJSON(b, v.Text)
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
