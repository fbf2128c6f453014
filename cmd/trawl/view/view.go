package view

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"trawl/crawler"
)

// labelWidth is the width of the first column, in cells.
const labelWidth = 10

// view is what the live view shows.
type view struct {
	crawler.Status
	Left    time.Duration // about; 0 = not known
	Reading bool          // the seeds are not all read yet
}

// render draws the view for a terminal: at most height-1 lines of at most width-1 cells, so that neither the
// view nor the cursor below it makes the terminal scroll or wrap. With little room, what matters least is
// left out first.
func (v *view) render(width, height int, colour bool) string {
	p := newPainter(colour)
	sections := v.sections(p, max(width-1, 1))
	room := max(height-1, 1)
	byWeight := make([]int, len(sections))
	for i := range byWeight {
		byWeight[i] = i
	}
	slices.SortStableFunc(byWeight, func(a, b int) int { return sections[a].rank - sections[b].rank })
	for _, i := range byWeight {
		s := &sections[i]
		if len(s.lines) > room {
			s.lines = s.lines[:room]
		}
		room -= len(s.lines)
	}
	var lines []string
	for _, s := range sections {
		lines = append(lines, s.lines...)
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(line, max(width-1, 1), "…"), " ")
	}
	return strings.Join(lines, "\n")
}

// section is some lines of the view; those of the lowest rank are kept longest.
type section struct {
	rank  int
	lines []string
}

func (v *view) sections(p *painter, width int) []section {
	row := func(rank int, label string, items ...string) section {
		items = slices.DeleteFunc(items, func(s string) bool { return s == "" })
		if len(items) == 0 {
			return section{rank: rank}
		}
		return section{rank, []string{p.row(label, width, items)}}
	}
	return []section{
		{rank: 3, lines: []string{p.fit(width, v.title(p))}},
		row(1, "pages", p.bold(Count(v.Fetched)), fmt.Sprintf("%.1f/s", v.PagesPerSecond), Bytes(v.Bytes), Bytes(int64(v.BytesPerSecond))+"/s"),
		row(2, "to do", v.toDo(p, width)...),
		row(6, "outcomes", v.outcomes(p)...),
		row(5, "reasons", v.reasons(p)...),
		row(7, "hosts", v.hosts()...),
		row(4, "waits for", clean(v.WaitsFor)),
		row(9, "limits", counted(v.Bounds, func(s string) string { return s })...),
		{rank: 8, lines: v.fetchers(p, width)},
	}
}

func (v *view) title(p *painter) []string {
	name := clean(v.Job)
	if name != string(v.Kind) {
		name = string(v.Kind) + " " + name
	}
	state := p.paint(green, v.State)
	if v.State != "running" {
		state = p.paint(yellow, v.State)
	}
	return []string{p.bold(name), state, durationText(v.Elapsed)}
}

func (v *view) toDo(p *painter, width int) []string {
	items := []string{p.bold(Count(v.Waiting)) + " waiting"}
	if v.Reading {
		items = append(items, "seeds are being read")
	}
	if v.Leased > 0 {
		items = append(items, Count(v.Leased)+" in work")
	}
	if v.Kind == crawler.Download && v.Seen > 0 {
		items = append([]string{p.bar(float64(v.Seen-v.Waiting-v.Leased)/float64(v.Seen), min(20, width/4))}, items...)
	}
	if v.Left > 0 {
		items = append(items, "about "+durationText(v.Left)+" left")
	}
	if v.Parked > 0 {
		items = append(items, Count(v.Parked)+" beyond a limit")
	}
	return items
}

func (v *view) outcomes(p *painter) []string {
	var items []string
	for _, o := range []struct {
		n     int64
		word  string
		shade shade
	}{
		{v.Fetched, "fetched", green}, {v.Redirected, "redirected", plain}, {v.Unchanged, "unchanged", plain},
		{v.Failed, "failed", red}, {v.Excluded, "excluded", yellow},
	} {
		if o.n > 0 {
			items = append(items, p.paint(o.shade, Count(o.n)+" "+o.word))
		}
	}
	return items
}

func (v *view) reasons(p *painter) []string {
	return counted(v.Reasons, func(s string) string { return p.paint(red, s) })
}

func (v *view) hosts() []string {
	if v.Hosts == 0 {
		return nil
	}
	items := []string{Count(v.Hosts) + " known", Count(v.HostsHeld) + " being asked"}
	if v.HostsAway > 0 {
		items = append(items, Count(v.HostsAway)+" away")
	}
	if v.HostsOffered > 0 {
		items = append(items, Count(v.HostsOffered)+" offered")
	}
	if v.NextDue > 0 && v.HostsHeld+v.HostsOffered == 0 {
		items = append(items, "next in "+durationText(v.NextDue))
	}
	return items
}

// fetchers are lines with each fetcher's share of what was done since the start.
func (v *view) fetchers(p *painter, width int) []string {
	var all int64
	for _, f := range v.Fetchers {
		all += f.Pages
	}
	var lines []string
	for i, f := range v.Fetchers {
		label, share := "", 0.0
		if i == 0 {
			label = "fetchers"
		}
		if all > 0 {
			share = float64(f.Pages) / float64(all)
		}
		lines = append(lines, p.row(label, width, []string{
			clean(f.Name), p.bar(share, 10), fmt.Sprintf("%3.0f %%", 100*share),
			fmt.Sprintf("%s of %s slots", Count(int64(f.Turns)), Count(int64(f.Slots))),
		}))
	}
	return lines
}

// counted lists counts with their words, the largest first.
func counted[K ~string](m map[K]int64, paint func(string) string) []string {
	keys := slices.SortedFunc(maps.Keys(m), byCount(m))
	items := make([]string, len(keys))
	for i, k := range keys {
		items[i] = paint(Count(m[k]) + " " + clean(string(k)))
	}
	return items
}

// clean takes out what would steer the terminal: names and words come from other machines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, ansi.Strip(s))
}

// durationText writes a duration in its two largest units, as people say it.
func durationText(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return withRest(d, time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return withRest(d, time.Hour, "h", time.Minute, "min")
	}
	return withRest(d, 24*time.Hour, "days", time.Hour, "h")
}

func withRest(d, unit time.Duration, name string, small time.Duration, smallName string) string {
	if rest := d % unit / small; rest > 0 {
		return fmt.Sprintf("%d %s %d %s", d/unit, name, rest, smallName)
	}
	return fmt.Sprintf("%d %s", d/unit, name)
}

type shade int

const (
	plain shade = iota
	red
	green
	yellow
)

// painter writes in colours, or without.
type painter struct {
	strong, faint lipgloss.Style
	shades        map[shade]lipgloss.Style
}

func newPainter(colour bool) *painter {
	r := lipgloss.NewRenderer(io.Discard) // asks the terminal nothing
	r.SetColorProfile(termenv.Ascii)
	if colour {
		r.SetColorProfile(termenv.ANSI)
	}
	style := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	return &painter{
		strong: r.NewStyle().Bold(colour), faint: r.NewStyle().Faint(colour),
		shades: map[shade]lipgloss.Style{plain: r.NewStyle(), red: style("1"), green: style("2"), yellow: style("3")},
	}
}

func (p *painter) bold(s string) string           { return p.strong.Render(s) }
func (p *painter) paint(c shade, s string) string { return p.shades[c].Render(s) }

// row is a line of the view: its label, and as many items as fit.
func (p *painter) row(label string, width int, items []string) string {
	label = lipgloss.NewStyle().Width(labelWidth).Render(label)
	if width < 4*labelWidth { // every cell counts
		return p.fit(width, items)
	}
	return p.faint.Render(label) + p.fit(width-labelWidth, items)
}

// fit joins as many items as fit, at least one.
func (p *painter) fit(width int, items []string) string {
	b := ""
	for i, item := range items {
		if i > 0 {
			if lipgloss.Width(b)+2+lipgloss.Width(item) > width {
				break
			}
			b += "  "
		}
		b += item
	}
	return b
}

// bar shows a fraction in cells of plain characters, which every terminal has.
func (p *painter) bar(fraction float64, cells int) string {
	full := max(0, min(cells, int(fraction*float64(cells)+0.5)))
	return "[" + p.paint(green, strings.Repeat("#", full)) + p.faint.Render(strings.Repeat("-", cells-full)) + "]"
}
