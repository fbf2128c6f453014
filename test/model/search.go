package main

import (
	"fmt"
	"slices"
	"strings"
)

// finding is what a search found.
type finding struct {
	breach breach
	trace  []string // the steps to it
	states int
	whole  bool // all states were visited
	stuck  int  // states from which the job cannot end; counted where all were visited without a breach
}

func (f *finding) text(p *protocol) string {
	switch {
	case f.breach != none:
		return fmt.Sprintf("## %s\nBROKEN: %v (%d steps, %d states)\n  %s\n\n", p.name, f.breach, len(f.trace), f.states, strings.Join(f.trace, "\n  "))
	case !f.whole:
		return fmt.Sprintf("## %s\nno breach in the first %d states\n\n", p.name, f.states)
	}
	return fmt.Sprintf("## %s\nHOLDS in all %d states; the job cannot end from %d of them\n\n", p.name, f.states, f.stuck)
}

// node is a state that was reached, and how.
type node struct {
	s      state
	parent int32
}

// search visits the reachable states breadth first, until a breach is found or there are more than most.
func (p *protocol) search(most int) finding {
	s := state{now: began, next: began, robots: p.warm, url: [2]uint8{waiting, unknown}}
	for i := range s.f {
		s.f[i].up = true
	}
	s = p.norm(s)
	nodes, seen := []node{{s, -1}}, map[state]int32{s: 0}
	var from, to []int32 // edges
	var out []step
	for i := 0; i < len(nodes); i++ {
		s := nodes[i].s
		if s.bad != none {
			if p.only == none || s.bad == p.only {
				return finding{breach: s.bad, trace: p.trace(nodes, i), states: len(nodes)}
			}
			continue
		}
		out = p.next(s, false, out)
		for _, n := range out {
			k, ok := seen[n.s]
			if !ok {
				k = int32(len(nodes))
				seen[n.s] = k
				nodes = append(nodes, node{n.s, int32(i)})
			}
			if !p.breaks() {
				from, to = append(from, int32(i)), append(to, k)
			}
		}
		if len(nodes) > most {
			return finding{states: len(nodes)}
		}
	}
	return finding{states: len(nodes), whole: true, stuck: stuck(nodes, from, to)}
}

// trace is how a state was reached, in words.
func (p *protocol) trace(nodes []node, at int) []string {
	var steps []string
	for ; at > 0; at = int(nodes[at].parent) {
		out := p.next(nodes[nodes[at].parent].s, true, nil)
		i := slices.IndexFunc(out, func(n step) bool { return n.s == nodes[at].s })
		steps = append(steps, out[i].text)
	}
	slices.Reverse(steps)
	return steps
}

// stuck counts the states from which no path leads to the end of the job.
func stuck(nodes []node, from, to []int32) (n int) {
	ends := make([]bool, len(nodes))
	for i := range nodes {
		ends[i] = nodes[i].s.url == [2]uint8{final, final}
	}
	for again := true; again; {
		again = false
		for e := len(from) - 1; e >= 0; e-- {
			if ends[to[e]] && !ends[from[e]] {
				ends[from[e]], again = true, true
			}
		}
	}
	for _, end := range ends {
		if !end {
			n++
		}
	}
	return n
}
