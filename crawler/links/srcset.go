package links

import (
	"bytes"

	"trawl/crawler/ascii"
)

// scanSrcset reads a srcset attribute (HTML standard, "parse a srcset attribute") and gives the URLs of
// its candidates; those with bad descriptors are none.
func scanSrcset(s []byte, found func(ref []byte)) {
	for {
		for len(s) > 0 && (ascii.IsSpace(s[0]) || s[0] == ',') {
			s = s[1:]
		}
		if len(s) == 0 {
			return
		}
		end := 0
		for end < len(s) && !ascii.IsSpace(s[end]) {
			end++
		}
		ref := s[:end]
		s = s[end:]
		good := true
		if ref[len(ref)-1] == ',' {
			ref = bytes.TrimRight(ref, ",")
		} else {
			s, good = srcsetDescriptors(s)
		}
		if good {
			found(ref)
		}
	}
}

// srcsetDescriptors reads the descriptors of one candidate, up to its comma, and judges them.
func srcsetDescriptors(s []byte) (rest []byte, good bool) {
	var d srcsetSize
	good = true
	depth, start := 0, -1
	for i := 0; ; i++ {
		if i == len(s) || depth == 0 && (s[i] == ',' || ascii.IsSpace(s[i])) {
			if start >= 0 {
				good = d.add(s[start:i]) && good
				start = -1
			}
			if i == len(s) {
				return nil, good && d.good()
			}
			if s[i] == ',' {
				return s[i+1:], good && d.good()
			}
			continue
		}
		if start < 0 {
			start = i
		}
		switch s[i] {
		case '(':
			depth = 1
		case ')':
			depth = 0
		}
	}
}

// srcsetSize is what a candidate's descriptors have said so far.
type srcsetSize struct{ width, density, height bool }

func (d *srcsetSize) add(word []byte) bool {
	number, unit := word[:len(word)-1], word[len(word)-1]
	switch {
	case unit == 'w' && isInteger(number) && !d.width && !d.density:
		d.width = true
		return !isZeroNumber(number)
	case unit == 'x' && isFloat(number) && !d.width && !d.density && !d.height:
		d.density = true
		return number[0] != '-' || isZeroNumber(number[1:])
	case unit == 'h' && isInteger(number) && !d.height && !d.density:
		d.height = true
		return !isZeroNumber(number)
	}
	return false
}

// good reports whether the descriptors make sense together: a height needs a width.
func (d *srcsetSize) good() bool { return !d.height || d.width }

// isZeroNumber reports whether a valid number is zero: it has no digit but 0 before its exponent.
func isZeroNumber(s []byte) bool {
	if i := bytes.IndexAny(s, "eE"); i >= 0 {
		s = s[:i]
	}
	return !bytes.ContainsAny(s, "123456789")
}

// isInteger reports whether s is a valid non-negative integer.
func isInteger(s []byte) bool { return len(s) > 0 && len(cutDigits(s)) == 0 }

// isFloat reports whether s is a valid floating-point number.
func isFloat(s []byte) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	whole := cutDigits(s)
	digits := len(s) - len(whole)
	s = whole
	if len(s) > 0 && s[0] == '.' {
		rest := cutDigits(s[1:])
		if len(rest) == len(s)-1 {
			return false
		}
		digits, s = 1, rest
	}
	if digits == 0 {
		return false
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
			s = s[1:]
		}
		return isInteger(s)
	}
	return len(s) == 0
}

func cutDigits(s []byte) []byte {
	for len(s) > 0 && '0' <= s[0] && s[0] <= '9' {
		s = s[1:]
	}
	return s
}
