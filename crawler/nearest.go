package crawler

import (
	"slices"
	"strings"
)

// Nearest is the name that was most likely meant by a word that is none of them, "" when none is near.
func Nearest(word string, names []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	word = plain(word)
	best, least := "", 2+len(word)/3
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(word, plain(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// editDistance counts the bytes to insert, remove or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
