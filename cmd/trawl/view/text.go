package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Words lists counts by word, the largest first.
func Words[K ~string](m map[K]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), byCount(m))
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = Count(m[k]) + " " + string(k)
	}
	return strings.Join(parts, ", ")
}

// byCount orders words by their counts, the largest first.
func byCount[K ~string](m map[K]int64) func(a, b K) int {
	return func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) }
}

// Count writes a number with thousands separated.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a number of bytes in the unit that suits it.
func Bytes(n int64) string {
	f := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + u
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f TB", f)
}
