//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// row are the columns in which two runs of a job must agree.
type row struct {
	URL        string `json:"url"`
	Outcome    string `json:"outcome"`
	Reason     string `json:"reason"`
	Status     int    `json:"status"`
	Digest     string `json:"digest"`
	Bytes      int64  `json:"bytes"`
	Truncated  bool   `json:"truncated"`
	RedirectTo string `json:"redirect_to"`
}

// rows are those of one run.
type rows struct {
	by    map[string]row
	twice []string // URLs with more than one row
}

func readRows(name string) (*rows, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	defer f.Close()
	r := &rows{by: make(map[string]row)}
	d := json.NewDecoder(bufio.NewReader(f))
	for d.More() {
		var one row
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		if _, again := r.by[one.URL]; again {
			r.twice = append(r.twice, one.URL)
		}
		r.by[one.URL] = one
	}
	return r, nil
}

// maxDifferences bounds how many differences are told.
const maxDifferences = 5

// compare lists what differs from the undisturbed run, which may be nil.
func (r *rows) compare(calm *rows) (breaches []string) {
	for _, u := range r.twice {
		breaches = append(breaches, u+" is there more than once")
	}
	if calm == nil {
		return breaches
	}
	differ := 0
	tell := func(format string, args ...any) {
		if differ++; differ <= maxDifferences {
			breaches = append(breaches, fmt.Sprintf(format, args...))
		}
	}
	for _, u := range slices.Sorted(maps.Keys(calm.by)) {
		switch got, found := r.by[u]; {
		case !found:
			tell("%s is missing", u)
		case got != calm.by[u]:
			tell("%+v, undisturbed %+v", got, calm.by[u])
		}
	}
	for _, u := range slices.Sorted(maps.Keys(r.by)) {
		if _, found := calm.by[u]; !found {
			tell("%s is new", u)
		}
	}
	if differ > maxDifferences {
		breaches = append(breaches, fmt.Sprintf("%d rows differ in all", differ))
	}
	return breaches
}
