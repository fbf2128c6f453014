package crawler

import (
	"strings"
	"testing"

	"trawl/crawler/weburl"
)

func TestALongSegmentIsCutInTheReason(t *testing.T) {
	j := NewJob(Crawl)
	for n, want := range map[int]string{60: strings.Repeat("x", 60), 61: strings.Repeat("x", 60) + "…"} {
		got := j.Trap(weburl.MustParse("http://a.test" + strings.Repeat("/"+strings.Repeat("x", n), 9)))
		if !strings.Contains(got, `"`+want+`"`) {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}

func TestTrapsArePathsThatRepeatOrGoTooDeep(t *testing.T) {
	j := NewJob(Crawl)
	for _, c := range []struct {
		name, path string
		set        func(*Job)
		want       string
	}{
		{"a plain path", "/a/b/c?x/x/x/x/x/x/x/x/x/x", nil, ""},
		{"one segment", "/x", nil, ""},
		{"one of two that may be", "/x", func(j *Job) { j.TrapRepeat, j.TrapSegments = 1, 1 }, ""},
		{"two of one", "/x/x", func(j *Job) { j.TrapRepeat = 1 }, "trap-repeat 1"},
		{"two segments where one may be", "/x/y", func(j *Job) { j.TrapSegments = 1 }, "trap-segments 1"},
		{"the other rule switched off", "/x/x/x", func(j *Job) { j.TrapRepeat, j.TrapSegments = 2, 0 }, "trap-repeat 2"},
		{"both ways", "/x/x/x", func(j *Job) { j.TrapRepeat, j.TrapSegments = 0, 2 }, "trap-segments 2"},
		{"the root", "/", nil, ""},
		{"one segment as often as it may", strings.Repeat("/x", 8) + "/", nil, ""},
		{"one segment once more", strings.Repeat("/x", 9) + "/", nil, `"x" more than 8 times in a row (trap-repeat 8)`},
		{"in the middle", "/a" + strings.Repeat("/x", 9) + "/b", nil, "trap-repeat 8"},
		{"not in a row", strings.Repeat("/x/y", 20), nil, ""},
		{"empty segments", "/a//////////b", nil, `"" more than 8`},
		{"as deep as it may be", strings.Repeat("/x/y", 32), nil, ""},
		{"one deeper", strings.Repeat("/x/y", 32) + "/z", nil, "65 segments (trap-segments 64)"},
		{"with another limit", "/x/x/x", func(j *Job) { j.TrapRepeat = 2 }, "trap-repeat 2"},
		{"with another depth", "/x/y/z", func(j *Job) { j.TrapSegments = 2 }, "trap-segments 2"},
		{"switched off", strings.Repeat("/x", 500), func(j *Job) { j.TrapRepeat, j.TrapSegments = 0, 0 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := j
			if c.set != nil {
				c.set(&one)
			}
			got := one.Trap(weburl.MustParse("http://a.test" + c.path))
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
