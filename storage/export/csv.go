package export

import (
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
)

// csvLine writes a row as a line of CSV (RFC 4180: commas, lines that end with CR LF, quotes where they
// are needed), an empty cell for what is absent.
type csvLine struct {
	b     []byte
	begun bool
}

func (*csvLine) header(b []byte) []byte {
	b = append(b, strings.Join(columns[:], ",")...)
	return append(b, "\r\n"...)
}

func (c *csvLine) append(b []byte, r *crawler.Row) []byte {
	c.b, c.begun = b, false
	writeCells(c, r)
	b, c.b = append(c.b, "\r\n"...), nil
	return b
}

func (c *csvLine) comma() {
	if c.begun {
		c.b = append(c.b, ',')
	}
	c.begun = true
}

func (c *csvLine) text(s string) {
	c.comma()
	c.b = appendCSV(c.b, s)
}

func (c *csvLine) optional(s string) { c.text(s) }

// foreign is text that a server chose. A spreadsheet takes a cell that begins with one of these for a
// formula, and a formula can send data away, so it gets an apostrophe in front; JSONL has the text as it was.
func (c *csvLine) foreign(s string) {
	if s != "" && strings.IndexByte("=+-@\t\r\n", s[0]) >= 0 {
		s = "'" + s
	}
	c.text(s)
}

func (c *csvLine) list(s string) { c.foreign(s) }

func (c *csvLine) number(n int64)      { c.numberIf(n, true) }
func (c *csvLine) optionalInt(n int64) { c.numberIf(n, n != 0) }

func (c *csvLine) numberIf(n int64, there bool) {
	c.comma()
	if there {
		c.b = strconv.AppendInt(c.b, n, 10)
	}
}

func (c *csvLine) flag(v bool) {
	c.comma()
	c.b = strconv.AppendBool(c.b, v)
}

func (c *csvLine) moment(t time.Time) {
	c.comma()
	if !t.IsZero() {
		c.b = appendTime(c.b, t)
	}
}

// appendCSV quotes where it must. NUL ends a text for some readers, so it is replaced.
func appendCSV(b []byte, s string) []byte {
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
