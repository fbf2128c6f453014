package view

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/lipgloss"
	"golang.org/x/term"

	"trawl/crawler"
)

const (
	// liveInterval is the time between two drawings of the live view.
	liveInterval = 500 * time.Millisecond
	// leftWindow is the time that the pace for the time left is taken over.
	leftWindow = 30 * time.Second
	// leftAfter is how long the pace must be known before a time left is told.
	leftAfter = 3 * time.Second
)

// screen is a terminal with a view at its bottom. What is written to it appears above the view, line by
// line. Its methods are safe for concurrent use.
type screen struct {
	terminal io.Writer
	size     func() (width, height int)

	mu    sync.Mutex
	lines []string // of the view, as they stand there
	held  []byte   // a line that is not whole yet
	ended bool
}

// openScreen makes the screen of a terminal, nil when f is none or cannot move its cursor.
func openScreen(f *os.File) *screen {
	if t := os.Getenv("TERM"); t == "" || t == "dumb" || !IsTerminal(f) {
		return nil
	}
	return &screen{terminal: f, size: func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 1 || height < 1 {
			return 80, 24
		}
		return width, height
	}}
}

// IsTerminal reports whether what is written there is read at a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Write prints whole lines above the view.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return s.terminal.Write(p)
	}
	s.held = append(s.held, p...)
	end := bytes.LastIndexByte(s.held, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	err := s.redraw(s.held[:end], s.lines)
	s.held = slices.Clone(s.held[end:])
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// draw puts a view in the place of the last one.
func (s *screen) draw(view func(width, height int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	_ = s.redraw(nil, strings.Split(view(s.size()), "\n")) // a terminal that is gone is no matter of the job
}

// end takes the view away; what is written afterwards goes to the terminal as it is.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.redraw(s.held, nil)
	s.held, s.ended = nil, true
}

// redraw writes text in the place of the view, and a view below it, in one write, so that nothing flickers.
func (s *screen) redraw(text []byte, lines []string) error {
	var b bytes.Buffer
	if up := s.rows(); up > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", up)
	}
	b.WriteByte('\r')
	if len(text) > 0 {
		b.WriteString("\x1b[J")
		b.Write(text)
	}
	for _, line := range lines {
		b.WriteString(line)
		b.WriteString("\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.lines = lines
	_, err := s.terminal.Write(b.Bytes())
	return err
}

// rows is how many rows of the terminal the view takes: more than lines when the terminal has become
// narrower since.
func (s *screen) rows() int {
	if len(s.lines) == 0 {
		return 0
	}
	width, _ := s.size()
	n := 0
	for _, line := range s.lines {
		n += max(1, (lipgloss.Width(line)+width-1)/width)
	}
	return n
}

// pace reports the time left of a job whose URLs are all known. Owned by one goroutine.
type pace struct{ samples []paceSample }

type paceSample struct {
	at   time.Time
	done int64
}

// left is about how long the job will take at the pace of the last seconds; 0 = not known.
func (p *pace) left(now time.Time, s *crawler.Status) time.Duration {
	todo := s.Waiting + s.Leased
	p.samples = append(p.samples, paceSample{now, s.Seen - todo})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) > leftWindow {
		p.samples = slices.Delete(p.samples, 0, 1)
	}
	first := p.samples[0]
	took, done := now.Sub(first.at), s.Seen-todo-first.done
	if todo -= s.Parked; s.Kind != crawler.Download || took < leftAfter || done <= 0 || todo <= 0 {
		return 0
	}
	return time.Duration(float64(took) * float64(todo) / float64(done)).Round(time.Second)
}
