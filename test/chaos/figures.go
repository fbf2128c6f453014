//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

// figures are what a plan measured.
type figures struct {
	requests, robots int
	gap              time.Duration // the smallest
	repeats, leased  int

	kills    int
	lost     []time.Duration // by kills of fetchers: of each host that was held by what was killed, beyond its delay, sorted
	waited   []time.Duration // by kills of the scheduler: of each host, from its return
	idle     time.Duration   // longest that a host was idle around a kill
	idleOver time.Duration   // most that one was idle beyond what is allowed
	idleHost string
}

func (f *figures) String() string {
	text := fmt.Sprintf("%d requests, smallest gap %v, %d repeats of %d leased", f.requests, f.gap.Round(time.Millisecond), f.repeats, f.leased)
	if len(f.lost) > 0 {
		text += fmt.Sprintf(", time lost by hosts of killed fetchers: median %v max %v", median(f.lost), f.lost[len(f.lost)-1].Round(time.Millisecond))
	}
	if len(f.waited) > 0 {
		text += fmt.Sprintf(", by all after the scheduler's return: median %v max %v", median(f.waited), f.waited[len(f.waited)-1].Round(time.Millisecond))
	}
	if f.kills > 0 {
		text += fmt.Sprintf(", %d kills, longest idle %v", f.kills, f.idle.Round(time.Millisecond))
	}
	return text
}

// median of what is sorted.
func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2].Round(time.Millisecond)
}

// ackWait is that of the task queue: a turn whose message was with a fetcher that died waits for it.
const ackWait = 30 * time.Second

// kills are the faults in which a process was killed with -9.
func kills(h happened) bool {
	switch h.kind {
	case killFetcher, killScheduler, restartAll, tornLedger, tornQueue, tornWARC, queueLost:
		return true
	}
	return false
}

// measure finds how long hosts were idle for each kill: those that what was killed held, with a request
// before and one after. Of a scheduler it counts from its return, and all hosts count.
func (e *evidence) measure(v *verdict, hosts map[string][]int) {
	f := &v.figures
	f.requests = len(e.requests)
	limit := max(e.lease+e.grace, ackWait)
	for _, h := range e.faults {
		if !kills(h) {
			continue
		}
		f.kills++
		scheduler := h.kind.onScheduler()
		for host, requests := range hosts {
			held := e.heldBy(host, h.node, h.begin)
			next, found := slices.BinarySearchFunc(requests, h.begin, func(i int, t time.Time) int { return e.requests[i].Begin.Compare(t) })
			if found || next == 0 || next == len(requests) || !held && !scheduler {
				continue
			}
			from, to := e.ended(requests[next-1]), e.requests[requests[next]].Begin
			if scheduler && h.end.After(from) && to.After(h.end) {
				from = h.end
			}
			idle := to.Sub(from)
			if lost := max(0, idle-e.delay); held {
				f.lost = append(f.lost, lost)
			} else {
				f.waited = append(f.waited, lost)
			}
			f.idle = max(f.idle, idle)
			if over := idle - e.delay - limit*time.Duration(e.killsIn(from, to)); over > f.idleOver {
				f.idleOver, f.idleHost = over, host
			}
		}
	}
	slices.Sort(f.lost)
	slices.Sort(f.waited)
	if f.idleOver > 0 {
		v.breach("idle: %s was idle %v longer than its delay and %v for each kill", f.idleHost, f.idleOver.Round(time.Millisecond), limit)
	}
}

// heldBy reports whether a node had a right to a host at a time.
func (e *evidence) heldBy(host, node string, t time.Time) bool {
	return slices.ContainsFunc(e.rights[host], func(r *right) bool {
		return r.fetcher == node && !t.Before(r.from) && t.Before(r.until) && (r.over.IsZero() || t.Before(r.over))
	})
}

// killsIn counts the faults within a gap, each of which may have cost time, at least one.
func (e *evidence) killsIn(from, to time.Time) int {
	n := 0
	for _, h := range e.faults {
		if h.end.After(from) && h.begin.Before(to) {
			n++
		}
	}
	return max(1, n)
}
