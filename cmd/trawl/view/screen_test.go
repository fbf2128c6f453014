package view

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl/crawler"
)

// terminal understands what the screen sends: text, new lines that scroll, cursor up, and erasing.
type terminal struct {
	t             *testing.T
	width, height int
	rows          []string // the visible ones are the last of them
	row, col      int
}

func (v *terminal) size() (int, int) { return v.width, v.height }

func (v *terminal) Write(p []byte) (int, error) {
	for s := string(p); s != ""; {
		switch {
		case strings.HasPrefix(s, "\x1b["):
			end := strings.IndexAny(s, "AJK")
			n, _ := strconv.Atoi(s[2:end])
			switch v.need(v.row); s[end] {
			case 'A':
				v.row = max(v.row-n, 0, len(v.rows)-v.height)
			case 'J':
				v.rows = v.rows[:v.row+1]
				v.rows[v.row] = v.rows[v.row][:min(v.col, len(v.rows[v.row]))]
			case 'K':
				v.rows[v.row] = v.rows[v.row][:min(v.col, len(v.rows[v.row]))]
			}
			s = s[end+1:]
		case s[0] == '\n':
			v.row, v.col = v.row+1, 0
			v.need(v.row)
			s = s[1:]
		case s[0] == '\r':
			v.col = 0
			s = s[1:]
		default:
			if v.col == v.width {
				v.row, v.col = v.row+1, 0
			}
			v.need(v.row)
			line := []byte(v.rows[v.row] + strings.Repeat(" ", max(0, v.col+1-len(v.rows[v.row]))))
			line[v.col] = s[0]
			v.rows[v.row] = string(line)
			v.col++
			s = s[1:]
		}
	}
	return len(p), nil
}

func (v *terminal) need(row int) {
	for len(v.rows) <= row {
		v.rows = append(v.rows, "")
	}
}

func (v *terminal) text() string { return strings.TrimRight(strings.Join(v.rows, "\n"), "\n") }

func (v *terminal) shows(want ...string) {
	v.t.Helper()
	if got := v.text(); got != strings.Join(want, "\n") {
		v.t.Errorf("the terminal shows\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func newTestScreen(t *testing.T) (*screen, *terminal) {
	v := &terminal{t: t, width: 40, height: 10}
	return &screen{terminal: v, size: v.size}, v
}

func drawn(lines ...string) func(int, int) string {
	return func(int, int) string { return strings.Join(lines, "\n") }
}

func TestLinesAppearAboveTheView(t *testing.T) {
	s, v := newTestScreen(t)
	fmt.Fprintln(s, "before")
	s.draw(drawn("view 1", "more of it"))
	v.shows("before", "view 1", "more of it")
	fmt.Fprintln(s, "first")
	v.shows("before", "first", "view 1", "more of it")
	fmt.Fprint(s, "second\nthi")
	v.shows("before", "first", "second", "view 1", "more of it")
	s.draw(drawn("view 2"))
	v.shows("before", "first", "second", "view 2")
	fmt.Fprint(s, "rd\n")
	v.shows("before", "first", "second", "third", "view 2")
	s.draw(drawn("v", "of three", "lines"))
	v.shows("before", "first", "second", "third", "v", "of three", "lines")
	fmt.Fprint(s, "cut")
	s.end()
	v.shows("before", "first", "second", "third", "cut")
	fmt.Fprint(s, " and whole\n")
	s.draw(drawn("no more"))
	v.shows("before", "first", "second", "third", "cut and whole")
}

func TestLongLinesAndManyOfThemDoNotTearTheView(t *testing.T) {
	s, v := newTestScreen(t)
	s.draw(drawn("view", "below"))
	var want []string
	for i := range 30 {
		line := fmt.Sprintf("%02d ", i) + strings.Repeat("x", 60)
		fmt.Fprintln(s, line)
		want = append(want, line[:40], line[40:])
		s.draw(drawn("view", "below"))
	}
	v.shows(append(want, "view", "below")...)
}

func TestATerminalThatBecomesNarrowerIsDrawnAnew(t *testing.T) {
	s, v := newTestScreen(t)
	fmt.Fprintln(s, "log")
	s.draw(drawn(strings.Repeat("a", 30), "b"))
	// The terminal wraps what stands there.
	v.width, v.rows, v.row = 20, []string{"log", strings.Repeat("a", 20), strings.Repeat("a", 10), "b", ""}, 4
	s.draw(drawn("aa", "b"))
	v.shows("log", "aa", "b")
}

func TestManyMayWriteWhileTheViewIsDrawn(t *testing.T) {
	s, v := newTestScreen(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				fmt.Fprintf(s, "line %d of %d\n", i, w)
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			s.draw(drawn(fmt.Sprint("view ", i), "and more"))
		}
	})
	wg.Wait()
	s.end()
	lines := strings.Split(v.text(), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "line ") {
			t.Errorf("torn: %q", line)
		}
	}
	if len(lines) != 200 {
		t.Errorf("%d lines, want 200", len(lines))
	}
}

func TestTheTimeLeftFollowsThePace(t *testing.T) {
	var p pace
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	status := func(kind crawler.Kind, done int64) *crawler.Status {
		return &crawler.Status{Kind: kind, Seen: 1000, Waiting: 1000 - done, Fetched: done}
	}
	if left := p.left(at, status(crawler.Download, 0)); left != 0 {
		t.Errorf("at the start %v, want not known", left)
	}
	if left := p.left(at.Add(time.Second), status(crawler.Download, 10)); left != 0 {
		t.Errorf("after a second %v, want not known", left)
	}
	if left := p.left(at.Add(10*time.Second), status(crawler.Download, 100)); left != 90*time.Second {
		t.Errorf("at 10 URLs a second with 900 to do %v, want 90 s", left)
	}
	if left := p.left(at.Add(60*time.Second), status(crawler.Download, 150)); left != 850*time.Second {
		t.Errorf("at 1 URL a second over the last 50 s with 850 to do %v, want 850 s", left)
	}
	s := status(crawler.Download, 200)
	s.Parked = 700
	if left := p.left(at.Add(110*time.Second), s); left != 100*time.Second {
		t.Errorf("with 700 of 800 beyond a limit at 1 a second %v, want 100 s", left)
	}
	if left := p.left(at.Add(120*time.Second), status(crawler.Download, 1000)); left != 0 {
		t.Errorf("at the end %v, want none", left)
	}
	var q pace
	q.left(at, status(crawler.Crawl, 0))
	if left := q.left(at.Add(10*time.Second), status(crawler.Crawl, 100)); left != 0 {
		t.Errorf("of a crawl, which finds more, %v; want not known", left)
	}
}

func TestALineSaysAtOnceThatSomethingIsWrong(t *testing.T) {
	begin := time.Now()
	l := lineClock{last: begin}
	for _, c := range []struct {
		at      int // seconds
		trouble string
		due     bool
	}{
		{1, "", false}, {2, "a is away", true}, {3, "a is away", false}, {4, "b is away", false}, {9, "", false},
		{10, "", true}, {11, "", false}, {12, "slowed by 503", true}, {13, "", false}, {14, "slowed by 503", false}, {20, "slowed by 503", true},
	} {
		if got := l.due(begin.Add(time.Duration(c.at)*time.Second), c.trouble); got != c.due {
			t.Errorf("after %d s, with %q: %v", c.at, c.trouble, got)
		}
	}
}
