package main

import (
	"os"
	"slices"
	"strings"

	"trawl/crawler"
)

// anyReason is what --retry-failed without a value means.
const anyReason = "any"

func parseFailedReason(word string) (*crawler.Reason, error) {
	r, known := crawler.Reason(word), crawler.FailedReasons()
	if word == anyReason {
		r = ""
	} else if !slices.Contains(known, r) {
		return nil, usage("--retry-failed %q: use one of %s, or nothing for all failed URLs", word, joinWords(known))
	}
	return &r, nil
}

func joinWords[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// retryWord takes the reason of "--retry-failed REASON" out of the arguments: the value of this flag is
// optional, so one that follows after a space comes as an argument. A seed is a URL or a file.
func retryWord(value string, args []string) (string, []string) {
	if value != anyReason {
		return value, args
	}
	for i, a := range args {
		if a == "-" || strings.ContainsFunc(a, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			continue
		}
		if _, err := os.Stat(a); err != nil {
			return a, slices.Delete(slices.Clone(args), i, i+1)
		}
	}
	return value, args
}
