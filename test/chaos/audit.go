//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"trawl/internal/webfarm"
)

const (
	// gapSlack is what a gap may be short of at the server, for what a busy machine notes late.
	gapSlack = 5 * time.Millisecond
	// rightSlack is how long after the end of a lease a request may begin that was written before it: the way to
	// the server, and a busy server's time to read it. It is far below the grace, which exists for it.
	rightSlack = 100 * time.Millisecond
)

// verdict is what the audits found.
type verdict struct {
	breaches []string
	notes    []string // allowed, and worth telling
	figures  figures
	stall    time.Duration // how long the machine stood still at worst
}

func (v *verdict) breach(format string, args ...any) {
	v.breaches = append(v.breaches, fmt.Sprintf(format, args...))
}

func (v *verdict) note(format string, args ...any) {
	v.notes = append(v.notes, fmt.Sprintf(format, args...))
}

// judge holds the server's log against the scheduler's: I3, I4 and the bound of what is fetched again.
func (e *evidence) judge(v *verdict) {
	e.rights = rightsOf(e.turns)
	e.sender = make([]*right, len(e.requests))
	excused := e.judgeRights(v)
	hosts := make(map[string][]int)
	for i := range e.requests {
		hosts[e.requests[i].Host] = append(hosts[e.requests[i].Host], i)
	}
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		e.judgePace(v, host, hosts[host], excused)
		e.judgeRobots(v, host, hosts[host])
	}
	e.judgeRepeats(v)
	e.measure(v, hosts)
}

// judgeRights looks for requests without a right. One for each stop of a fetcher is allowed; it is excused from
// the pace as well.
func (e *evidence) judgeRights(v *verdict) (excused map[int]bool) {
	excused = make(map[int]bool)
	used := make(map[int]bool)
	for i := range e.requests {
		q := &e.requests[i]
		slack := rightSlack
		if e.during(q.Begin, e.names[q.Source], e.grace, slowLink, unplug) {
			slack = e.grace // packets on their way, and said again by the kernel; always shorter than the grace
		}
		slack = min(e.grace, slack+stalled(e.stalls, q.Begin))
		in, before := e.at(q, slack)
		if e.sender[i] = in; in != nil {
			continue
		}
		if e.sender[i] = before; e.allowedStop(q, used) {
			excused[i] = true
			v.note("%s asked %s once without a right after it had been stopped", e.names[q.Source], q.Host)
			continue
		}
		switch other := e.other(q); {
		case other != nil:
			v.breach("rights: %s asked %s%s at %s while %s held it", e.names[q.Source], q.Host, q.Target, clockTime(q.Begin), other.fetcher)
		case before != nil:
			v.breach("rights: %s asked %s%s at %s, %v after its right ended", e.names[q.Source], q.Host, q.Target, clockTime(q.Begin), q.Begin.Sub(before.known(q.Begin)).Round(time.Millisecond))
		default:
			v.breach("rights: %s asked %s%s at %s and never had a right", e.names[q.Source], q.Host, q.Target, clockTime(q.Begin))
		}
	}
	return excused
}

// other is another fetcher's right that a request falls into.
func (e *evidence) other(q *webfarm.Request) *right {
	for _, r := range e.rights[q.Host] {
		if r.fetcher != e.names[q.Source] && !q.Begin.Before(r.from) && q.Begin.Before(r.until) && (r.over.IsZero() || q.Begin.Before(r.over)) {
			return r
		}
	}
	return nil
}

// stopAfter is how long after SIGCONT the one request may come.
const stopAfter = 2 * time.Second

func (e *evidence) allowedStop(q *webfarm.Request, used map[int]bool) bool {
	for i, h := range e.faults {
		if h.kind == stopFetcher && h.node == e.names[q.Source] && !used[i] && !q.Begin.Before(h.begin) && q.Begin.Before(h.end.Add(stopAfter)) {
			used[i] = true
			return true
		}
	}
	return false
}

// ended is when a request's exchange counts as ended: one whose fetcher lost its lease ended with the lease.
func (e *evidence) ended(i int) time.Time {
	q := &e.requests[i]
	if r := e.sender[i]; r != nil && r.lost && r.until.Before(q.End) && r.until.After(q.Begin) {
		return r.until
	}
	return q.End
}

// judgePace looks at a host's requests, which are in order.
func (e *evidence) judgePace(v *verdict, host string, requests []int, excused map[int]bool) {
	var end, notBefore time.Time
	for _, i := range requests {
		q := &e.requests[i]
		if q.Disallowed && (q.What == "page" || q.What == "unknown") {
			v.breach("robots: %s asked %s%s, which robots.txt forbids", e.names[q.Source], host, q.Target)
		}
		gap := q.Begin.Sub(end)
		switch {
		case end.IsZero() || excused[i]:
		case gap < 0:
			v.breach("pace: %s was asked for %s at %s by %s, %v before the end of the answer before", host, q.Target, clockTime(q.Begin), e.names[q.Source], -gap.Round(time.Millisecond))
		case gap < e.delay-gapSlack:
			v.breach("pace: %s was asked for %s at %s by %s %v after the answer before", host, q.Target, clockTime(q.Begin), e.names[q.Source], gap.Round(100*time.Microsecond))
		case q.Begin.Before(notBefore.Add(-gapSlack)):
			v.breach("pace: %s was asked for %s at %s by %s, %v before the end of a Retry-After", host, q.Target, clockTime(q.Begin), e.names[q.Source], notBefore.Sub(q.Begin).Round(time.Millisecond))
		}
		if !end.IsZero() && !excused[i] && (v.figures.gap == 0 || gap < v.figures.gap) {
			v.figures.gap = gap
		}
		if to := e.ended(i); to.After(end) {
			end = to
		}
		if r := e.sender[i]; q.RetryAfter > 0 && q.Whole && r != nil && !r.lost { // else it may be lost with its fetcher
			notBefore = end.Add(q.RetryAfter)
		}
	}
}

// judgeRobots bounds the requests for robots.txt: one, one more for each turn that was lost, one for each
// answer that was none or was cut by the end of its right.
func (e *evidence) judgeRobots(v *verdict, host string, requests []int) {
	asked, allowed := 0, 1
	for _, i := range requests {
		if q := &e.requests[i]; q.What == "robots" {
			asked++
			r := e.sender[i]
			cut := r != nil && !r.lost && !e.read(q).Before(r.known(q.End).Add(-rightSlack))
			if !q.Whole || !q.Final || cut || e.during(q.End, e.names[q.Source], 0, slowLink, unplug) {
				allowed++
			}
		}
	}
	for _, r := range e.rights[host] {
		if r.lost {
			allowed++
		}
	}
	v.figures.robots += asked
	if asked > allowed {
		v.breach("robots: %s was asked %d times for robots.txt, %d allowed", host, asked, allowed)
	}
}

// read is when a fetcher may have read an answer's end at the latest: a process that was stopped when it came reads it when
// it goes on. Its right may have ended meanwhile by its own clock, which cuts the exchange; and a start of the scheduler,
// which gives each held turn a lease anew, may have kept the turn from being lost.
func (e *evidence) read(q *webfarm.Request) time.Time {
	at := q.End
	for _, h := range e.faults {
		slack := rightSlack + stalled(e.stalls, q.End)
		if h.kind == stopFetcher && h.node == e.names[q.Source] && !q.End.Before(h.begin.Add(-slack)) && q.End.Before(h.end) && h.end.After(at) {
			at = h.end
		}
	}
	return at
}

// judgeRepeats looks for URLs that were asked for again without a cause: the turn of the request before was lost, or
// its right ended while it was open and came back, or its answer was none, could not be stored, or did not arrive over a bad link. Those of lost turns are bounded by what was leased.
func (e *evidence) judgeRepeats(v *verdict) {
	last := make(map[string]int)
	for i := range e.requests {
		q := &e.requests[i]
		if q.What != "page" && q.What != "unknown" {
			continue
		}
		url := q.Host + q.Target
		before, again := last[url]
		last[url] = i
		if !again {
			continue
		}
		p := &e.requests[before]
		switch r := e.sender[before]; {
		case !p.Final || !p.Whole:
		case r == nil || r.lost || !e.read(p).Before(r.known(p.End).Add(-rightSlack)): // with the right ended, the exchange was cut
			v.figures.repeats++
		case e.during(p.End, e.names[p.Source], 0, fullFetcher): // it could not store the answer
			v.figures.repeats++
		case e.during(p.End, e.names[p.Source], e.lease, slowLink, unplug):
		default:
			v.breach("repeats: %s was asked for again by %s at %s, %v after its answer, and its turn was not lost", url, e.names[q.Source], clockTime(q.Begin), q.Begin.Sub(p.End).Round(time.Millisecond))
		}
	}
	for _, h := range e.faults {
		v.figures.leased += h.leased
	}
	if v.figures.repeats > v.figures.leased {
		v.breach("repeats: %d URLs of lost turns were asked for again, and %d were leased at the faults", v.figures.repeats, v.figures.leased)
	}
}

func clockTime(t time.Time) string { return t.Format("15:04:05.000") }
