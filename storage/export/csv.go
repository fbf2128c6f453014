package export

import (
	"strconv"
	"strings"

	"trawl/crawler"
	"trawl/crawler/schema"
)

// csvLine writes a row as a line of CSV (RFC 4180: commas, lines that end with CR LF, quotes where they
// are needed), an empty cell for what is absent.
type csvLine struct{}

func (csvLine) header(b []byte) []byte {
	for i := range columns {
		b = append(comma(b, i), columns[i].Name...)
	}
	return append(b, "\r\n"...)
}

func (csvLine) append(b []byte, r *crawler.Row) []byte {
	for i := range columns {
		c := &columns[i]
		b = comma(b, i)
		if v := c.Cell(r); v.There || c.Has(schema.Always) {
			b = appendCSV(b, c, v)
		}
	}
	return append(b, "\r\n"...)
}

func comma(b []byte, column int) []byte {
	if column > 0 {
		b = append(b, ',')
	}
	return b
}

func appendCSV(b []byte, c *column, v schema.Cell) []byte {
	switch c.Form {
	case schema.FormNumber:
		return strconv.AppendInt(b, v.Number, 10)
	case schema.FormFlag:
		return strconv.AppendBool(b, v.Flag)
	case schema.FormTime:
		return appendTime(b, v.Time)
	}
	if c.Has(schema.Chosen) {
		return appendCSVText(b, noFormula(v.Text))
	}
	return appendCSVText(b, v.Text)
}

// noFormula: a spreadsheet takes a cell that begins with one of these for a formula, and a formula can send data away, so text that
// others chose gets an apostrophe in front; JSONL has the text as it was.
func noFormula(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// appendCSVText quotes where it must. NUL ends a text for some readers, so it is replaced.
func appendCSVText(b []byte, s string) []byte {
	s = valid(s)
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !strings.ContainsAny(s, ",\"\r\n") && !edgeSpace(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		b = append(append(b, s[:i]...), '"', '"')
		s = s[i+1:]
	}
	return append(append(b, s...), '"')
}

// edgeSpace: some readers cut spaces that are not in quotes.
func edgeSpace(s string) bool {
	return s != "" && (s[0] == ' ' || s[0] == '\t' || s[len(s)-1] == ' ' || s[len(s)-1] == '\t')
}
