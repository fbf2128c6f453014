package seeds

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// csvTable reads columns of a table in CSV (RFC 4180), as spreadsheets and databases write it: its first row has the
// names of the columns; cells lie between commas, semicolons or tabs, whichever that row has most of.
type csvTable struct {
	in      *bufio.Reader
	comma   byte
	columns []int // that are wanted, from 0
	line    int   // in which the next byte stands, from 1
	afterR  bool
	cell    []byte
}

func newCSVTable(in *bufio.Reader) *csvTable { return &csvTable{in: in, line: 1} }

// What is wrong with a table.
var (
	errNoHeader   = errors.New("it is empty: a table begins with a row of its columns' names")
	errLongHeader = fmt.Errorf("its first row is longer than %d bytes: it must have the names of the columns", maxSeedLine)
	errOpenQuote  = errors.New("a quotation mark is opened in this row and never closed, so nothing is read from here on: close it, or double it where it belongs to the text")
)

// header reads the names of the columns.
func (c *csvTable) header() (names []string, err error) {
	var raw []byte
	var commas [3]int
	const kinds = ",;\t"
	quoted := false
	for {
		b, err := c.byte()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return nil, err
		}
		if end || b == '\n' && !quoted {
			if len(bytes.TrimSpace(raw)) > 0 {
				break
			} else if end {
				return nil, errNoHeader
			}
			continue
		}
		if b == '"' {
			quoted = !quoted
		} else if i := strings.IndexByte(kinds, b); i >= 0 && !quoted {
			commas[i]++
		}
		if raw = append(raw, b); len(raw) > maxSeedLine {
			return nil, errLongHeader
		}
	}
	c.comma = kinds[0]
	for i, n := range commas {
		if n > commas[strings.IndexByte(kinds, c.comma)] {
			c.comma = kinds[i]
		}
	}
	first := &csvTable{in: bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff")))), comma: c.comma}
	_, err = first.row(func(_ int, cell []byte) { names = append(names, strings.TrimSpace(string(cell))) })
	return names, err
}

// next reads the wanted cells of the next row.
func (c *csvTable) next() (t listText, more bool, err error) {
	for {
		t = listText{at: int64(c.line)}
		found := false
		cells, err := c.row(func(i int, cell []byte) {
			for n, column := range c.columns {
				if i == column {
					t.set(n, cell)
					found = found || n == 0
				}
			}
		})
		switch {
		case errors.Is(err, errOpenQuote):
			t.text, t.bad = "", err
			return t, true, nil
		case err != nil:
			t.at = int64(c.line)
			return t, false, err
		case cells == 0:
			return t, false, nil
		case cells < 0: // an empty line
			continue
		case !found:
			t.bad = fmt.Errorf("the row has %d cells, and the URL should be in number %d", cells, c.columns[0]+1)
		}
		return t, true, nil
	}
}

// row reads a row and passes its cells on, each good until the next one, and cut behind maxSeedLine bytes and one. It
// returns how many there were: 0 at the end, -1 for an empty line.
func (c *csvTable) row(take func(i int, cell []byte)) (cells int, err error) {
	var quoted, wasQuoted, mark, begun bool // mark: the last byte was a quotation mark within quotes
	c.cell = c.cell[:0]
	give := func() {
		take(cells, c.cell)
		cells++
		c.cell, wasQuoted = c.cell[:0], false
	}
	for {
		b, err := c.byte()
		if mark && (err != nil || b != '"') {
			quoted = false
		}
		switch {
		case errors.Is(err, io.EOF) && quoted:
			return cells, errOpenQuote
		case errors.Is(err, io.EOF) && !begun:
			return 0, nil
		case errors.Is(err, io.EOF):
			give()
			return cells, nil
		case err != nil:
			return cells, err
		case quoted && b == '"' && !mark:
			mark = true
			continue
		case quoted:
		case b == '\n' && !begun:
			return -1, nil
		case b == '\n':
			give()
			return cells, nil
		case b == c.comma:
			begun, mark = true, false
			give()
			continue
		case b == '"' && !wasQuoted && len(bytes.TrimSpace(c.cell)) == 0:
			begun, quoted, wasQuoted, mark, c.cell = true, true, true, false, c.cell[:0]
			continue
		}
		begun, mark = true, false
		if len(c.cell) <= maxSeedLine {
			c.cell = append(c.cell, b)
		}
	}
}

// byte reads a byte. Line ends of any kind are newlines.
func (c *csvTable) byte() (byte, error) {
	for {
		b, err := c.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b == '\n' && c.afterR {
			c.afterR = false
			continue
		}
		if c.afterR = b == '\r'; c.afterR {
			b = '\n'
		}
		if b == '\n' {
			c.line++
		}
		return b, nil
	}
}
