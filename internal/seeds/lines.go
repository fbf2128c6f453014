package seeds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"trawl/crawler/media"
)

// plainText reads text as editors and spreadsheets save it, in UTF-8 or UTF-16, with or without a byte order mark, which is
// left in UTF-8.
func plainText(in *bufio.Reader) *bufio.Reader {
	head, _ := in.Peek(2)
	if len(head) == 2 && (head[0] == 0 || head[1] == 0 || head[0] >= 0xfe) { // only then more is waited for
		head, _ = in.Peek(8)
	}
	if wide := media.WideText(head); wide != nil {
		return bufio.NewReader(wide.NewDecoder().Reader(in))
	}
	return in
}

// listLines reads the lines of a list, with line ends of any kind. A line is there as soon as its end is, also when the list
// comes slowly.
type listLines struct {
	in     *bufio.Reader
	number int64 // of the line read last, from 1
	line   []byte
	afterR bool // the last line ended in a carriage return: a newline belongs to it
}

// next reads a line without its end; a list may end without a line end. A line that is longer than maxSeedLine is bad, and cut.
func (l *listLines) next() (t listText, more bool, err error) {
	l.line = l.line[:0]
	l.number++
	t.at = l.number
	begun := false
	for {
		c, err := l.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			t.text = string(l.line)
			return t, begun, nil
		case err != nil:
			return t, false, err
		case c == '\n' && l.afterR && !begun:
			l.afterR = false
			continue
		case c == '\n' || c == '\r':
			l.afterR = c == '\r'
			t.text = string(l.line)
			return t, true, nil
		case len(l.line) < maxSeedLine:
			l.line = append(l.line, c)
		default:
			t.bad = errLongLine
		}
		begun = true
	}
}

// What is wrong with a line of a list.
var (
	errNoURL     = errors.New("no URL: it must begin with http:// or https://")
	errLongLine  = fmt.Errorf("longer than %d bytes", maxSeedLine)
	errNotUTF8   = errors.New("its bytes are not UTF-8: save the list as UTF-8, or percent-encode them")
	errControl   = errors.New("it has a control character")
	errTwoURLs   = errors.New("two URLs in one line: write each on a line of its own")
	errBlankHash = errors.New("white space before a #: write %20 if it belongs to the URL, or a blank after the # if a note begins there")
	errBlank     = errors.New("white space within a URL: write %20 if it belongs there, or a tab before the file's name")
)

// listURL is the URL that stands in a line, or in its first column. What a page may have in a link is a slip of the
// keyboard here, and would be a wrong request. A # between blanks, or at the end, begins a note.
func listURL(text string) (string, error) {
	for i, r := range text {
		switch {
		case r == utf8.RuneError:
			return "", errNotUTF8
		case unicode.IsControl(r) && r != '\t':
			return "", errControl
		case unicode.IsSpace(r):
			if !isURL(text[:i]) {
				return "", errNoURL
			}
			rest := strings.TrimSpace(text[i:])
			note, isNote := strings.CutPrefix(rest, "#")
			switch {
			case isNote && strings.TrimSpace(note) != "" && strings.TrimLeftFunc(note, unicode.IsSpace) == note:
				return "", errBlankHash
			case isNote:
				return text[:i], nil
			case strings.Contains(rest, "://"):
				return "", errTwoURLs
			}
			return "", errBlank
		}
	}
	return text, nil
}
