package crawler

import (
	"fmt"
	"strings"

	"trawl/crawler/weburl"
)

// Defaults of the rules against traps: pages that lead to ever longer paths.
const (
	// DefaultTrapRepeat is how often one segment of a path may stand in a row.
	DefaultTrapRepeat = 8
	// DefaultTrapSegments is how many segments a path may have.
	DefaultTrapSegments = 64
)

// Trap says why a link looks like one of endlessly many that a site makes up, naming the rule, and "" when it does
// not. A URL that the user gave is never one.
func (j *Job) Trap(u weburl.URL) string {
	path := strings.Trim(u.Path(), "/")
	if path == "" {
		return ""
	}
	if n := strings.Count(path, "/") + 1; j.TrapSegments > 0 && n > j.TrapSegments {
		return fmt.Sprintf("the path has %d segments (trap-segments %d)", n, j.TrapSegments)
	}
	if j.TrapRepeat <= 0 {
		return ""
	}
	var last string
	var run int
	for segment := range strings.SplitSeq(path, "/") {
		if segment != last {
			last, run = segment, 0
		}
		if run++; run > j.TrapRepeat {
			return fmt.Sprintf("the path has %q more than %d times in a row (trap-repeat %d)", cutTo(segment, 60), j.TrapRepeat, j.TrapRepeat)
		}
	}
	return ""
}

// cutTo shortens a text of ASCII, as segments of paths are.
func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
