package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"time"
)

// Sizes of the plot, in its own units.
const (
	plotWidth   = 900
	plotMargin  = 20
	axisLeft    = 60 // room for the labels of an axis
	panelHeight = 150
	panelGap    = 50
	barHeight   = 16
	barLabel    = 420 // where bars begin
	barScale    = 300 // width of a bar that reaches just what is asked for
)

// colors are those of the tools of a scenario, in their order.
var colors = []string{"#888888", "#0060c0", "#d06000", "#309030", "#a03080", "#706000"}

// picture is an SVG that grows downwards.
type picture struct {
	body bytes.Buffer
	y    float64 // where the next part begins
}

// plot draws the ratios as bars, and pages a second and busy time of each scenario's last round over time.
func plot(studies []*study) []byte {
	p := &picture{y: plotMargin}
	p.bars(studies)
	for _, s := range studies {
		p.scenario(s)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" font-family="sans-serif" font-size="12">`+"\n", plotWidth, p.y+plotMargin)
	out.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	out.Write(p.body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

func (p *picture) text(x, y float64, color, format string, args ...any) {
	fmt.Fprintf(&p.body, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", x, y, color, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (p *picture) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(&p.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

// bars draws what is asked for as a line, and each ratio as a bar in proportion to it.
func (p *picture) bars(studies []*study) {
	p.text(plotMargin, p.y+barHeight, "black", "Ratios as a part of what is asked for (the line); medians")
	p.y += 2 * barHeight
	top := p.y
	for _, s := range studies {
		for _, r := range s.figures(studies) {
			if r.want == 0 {
				continue
			}
			part, color := r.value.median/r.want, "#309030"
			if part < 1 {
				color = "#c03030"
			}
			width := min(part, 1.4) * barScale
			p.text(plotMargin, p.y+barHeight-4, "black", "%s: %s", s.name, r.name)
			fmt.Fprintf(&p.body, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", barLabel, p.y, width, barHeight-3, color)
			p.text(barLabel+width+4, p.y+barHeight-4, "black", "%.2f", r.value.median)
			p.y += barHeight
		}
	}
	p.line(barLabel+barScale, top, barLabel+barScale, p.y, "black")
	p.y += panelGap
}

// point is a place of a curve: seconds and a value.
type point struct{ x, y float64 }

// scenario draws two panels of a scenario's last rounds.
func (p *picture) scenario(s *study) {
	p.text(plotMargin, p.y, "black", "%s: %s", s.name, s.title)
	x := float64(plotMargin + axisLeft)
	for i, t := range s.tools {
		if len(t.done) == 0 {
			continue
		}
		color := colors[i%len(colors)]
		p.text(x, p.y+barHeight, color, "■ %s", t.name)
		x += float64(40 + 8*len(t.name))
	}
	p.y += 2 * barHeight
	p.panel(s, "pages/s", func(a, b sample) float64 { return float64(b.pages-a.pages) / (b.at - a.at).Seconds() })
	p.panel(s, "machine busy, %", func(a, b sample) float64 {
		return 100 * (1 - (b.idle-a.idle).Seconds()/max((b.machine-a.machine).Seconds(), tick.Seconds()))
	})
	p.y += panelGap / 2
}

// panel draws a curve for each tool from what happened between samples.
func (p *picture) panel(s *study, label string, value func(a, b sample) float64) {
	curves := make([][]point, len(s.tools))
	var right, top float64
	for i, t := range s.tools {
		if len(t.done) == 0 {
			continue
		}
		line := t.done[len(t.done)-1].line
		for j := 1; j < len(line); j++ {
			if line[j].at-line[j-1].at < interval/2 {
				continue // the last sample comes soon after the one before it, and would show chance
			}
			c := point{line[j].at.Seconds(), value(line[j-1], line[j])}
			curves[i] = append(curves[i], c)
			right, top = max(right, c.x), max(top, c.y)
		}
	}
	right, top = roundUp(right), roundUp(top)
	left, bottom, width := float64(plotMargin+axisLeft), p.y+panelHeight, float64(plotWidth-2*plotMargin-axisLeft)
	p.line(left, bottom, left+width, bottom, "black")
	p.line(left, p.y, left, bottom, "black")
	p.text(plotMargin, p.y+barHeight/2, "black", "%.0f", top)
	p.text(left+4, p.y+barHeight/2, "black", "%s", label)
	p.text(left+width-50, bottom+barHeight, "black", "%v", time.Duration(right*float64(time.Second)))
	for i, c := range curves {
		if len(c) == 0 {
			continue
		}
		fmt.Fprintf(&p.body, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, colors[i%len(colors)])
		for _, at := range c {
			fmt.Fprintf(&p.body, "%.1f,%.1f ", left+width*at.x/right, bottom-panelHeight*max(at.y, 0)/top)
		}
		p.body.WriteString(`"/>` + "\n")
	}
	p.y = bottom + panelGap/2
}

// roundUp is the next number with one digit, or half of it, that is not 0.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	return math.Ceil(v/unit*2) / 2 * unit
}
