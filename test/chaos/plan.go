//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// kind is a sort of fault.
type kind string

// The kinds. A node is named s (the scheduler) or f1, f2, … (fetchers).
const (
	killFetcher    kind = "kill-fetcher"    // kill -9, started again
	killScheduler  kind = "kill-scheduler"  // kill -9, started again; its ledger is checked in between
	stopFetcher    kind = "stop-fetcher"    // SIGSTOP for longer than a lease
	stopScheduler  kind = "stop-scheduler"  // the same
	cutBoth        kind = "cut"             // no packet between a fetcher and the scheduler
	cutOut         kind = "cut-out"         // none from a fetcher to the scheduler
	cutIn          kind = "cut-in"          // none from the scheduler to a fetcher
	unplug         kind = "unplug"          // no packet from or to a fetcher, the web included
	slowLink       kind = "slow"            // a fetcher's packets are late and some go missing
	slowScheduler  kind = "slow-scheduler"  // the scheduler's
	clockFetcher   kind = "clock-fetcher"   // a fetcher's wall clock jumps, and back
	clockScheduler kind = "clock-scheduler" // the scheduler's
	fullFetcher    kind = "full-fetcher"    // a fetcher's disk is full for a while
	fullScheduler  kind = "full-scheduler"  // the scheduler's
	lockedFetcher  kind = "read-only-fetcher"
	lockedOne      kind = "read-only-scheduler"
	tornLedger     kind = "torn-ledger"       // kill -9, and half a record after the last synced one
	tornQueue      kind = "torn-queue"        // kill -9, and what the queue wrote in the last second is gone
	tornWARC       kind = "torn-warc"         // kill -9 of a fetcher, and half a record after its last one
	queueLost      kind = "queue-lost"        // kill -9, and the queue's store is deleted
	restartAll     kind = "restart-all"       // kill -9 of every node
	churn          kind = "churn"             // fetchers join, leave and are killed every few seconds
	previous       kind = "previous"          // a fetcher of the last merged version takes the place of one
	previousOne    kind = "previous-sched"    // a scheduler of the last merged version, then the new one again
	drainFetcher   kind = "drain-fetcher"     // SIGTERM, started again
	drainScheduler kind = "restart-scheduler" // SIGTERM, started again
)

// kinds are all of them, in the order in which the plans of successive seeds begin with them.
var kinds = []kind{
	killFetcher, killScheduler, stopFetcher, cutBoth, churn, tornQueue, slowLink, tornLedger, cutOut, fullScheduler, clockFetcher,
	queueLost, restartAll, previous, tornWARC, cutIn, stopScheduler, fullFetcher, unplug, lockedFetcher, clockScheduler, lockedOne,
	drainFetcher, slowScheduler, previousOne, drainScheduler,
}

// companions are the kinds that may come beside any other; they are those that need no disk of their own.
var companions = []kind{killFetcher, killScheduler, stopFetcher, cutBoth, cutOut, cutIn, slowLink, clockFetcher, tornWARC, unplug}

// fault is one thing that is done to the cluster.
type fault struct {
	kind kind
	node string
	at   time.Duration // from the begin of the crawl
	last time.Duration // until it is undone: a stop, a cut, the time that a killed node is away
	jump time.Duration // of a clock
	link link          // of a slow link
}

func (f fault) String() string {
	text := fmt.Sprintf("%s %s at %v for %v", f.kind, f.node, f.at.Round(100*time.Millisecond), f.last.Round(100*time.Millisecond))
	if f.jump != 0 {
		text += fmt.Sprintf(" by %v", f.jump.Round(time.Second))
	}
	if f.link != (link{}) {
		text += fmt.Sprintf(" (loss %.0f %%, delay %v)", 100*f.link.loss, f.link.delay.Round(time.Millisecond))
	}
	return text
}

// onScheduler reports whether the node of a kind is the scheduler; restart-all begins and ends with it.
func (k kind) onScheduler() bool {
	switch k {
	case killScheduler, stopScheduler, clockScheduler, fullScheduler, lockedOne, tornLedger, tornQueue, queueLost, restartAll, previousOne, drainScheduler, slowScheduler:
		return true
	}
	return false
}

// ends reports whether the kind ends a process.
func (k kind) ends() bool {
	switch k {
	case stopFetcher, stopScheduler, cutBoth, cutOut, cutIn, unplug, slowLink, slowScheduler, clockFetcher, clockScheduler:
		return false
	}
	return true
}

// needsNamespace reports whether the kind cannot be done on loopback addresses.
func (k kind) needsNamespace() bool {
	switch k {
	case cutBoth, cutOut, cutIn, unplug, slowLink, slowScheduler:
		return true
	}
	return k.disk()
}

// disk reports whether the kind needs a disk of the node's own.
func (k kind) disk() bool {
	return k == fullFetcher || k == fullScheduler || k == lockedFetcher || k == lockedOne
}

// plan is what a seed stands for.
type plan struct {
	seed     uint64
	fetchers int
	faults   []fault // in the order of their times
}

func (p plan) String() string {
	all := make([]string, len(p.faults))
	for i, f := range p.faults {
		all[i] = f.String()
	}
	return strings.Join(all, "; ")
}

const (
	// firstFault and lastFault bound when faults begin, so that they fall into the crawl and all is whole
	// again before its end.
	firstFault = 1500 * time.Millisecond
	lastFault  = 11 * time.Second
	// restUntil is how long a node is left alone after its fault was undone.
	rest = 1500 * time.Millisecond
)

// newPlan draws a plan. The same seed gives the same plan; len(kinds) seeds in a row begin with every kind once.
func newPlan(seed uint64, fetchers int, lease time.Duration) plan {
	r := rand.New(rand.NewPCG(seed, 0x7261776c)) // the second word is any constant
	p := plan{seed: seed, fetchers: fetchers}
	add := func(k kind) {
		f := draw(r, k, fetchers, lease)
		if !slices.ContainsFunc(p.faults, func(g fault) bool { return clash(f, g) }) {
			p.faults = append(p.faults, f)
		}
	}
	add(kinds[seed%uint64(len(kinds))])
	for range 1 + r.IntN(3) {
		add(companions[r.IntN(len(companions))])
	}
	slices.SortStableFunc(p.faults, func(a, b fault) int { return int(a.at - b.at) })
	return p
}

// draw draws one fault of a kind.
func draw(r *rand.Rand, k kind, fetchers int, lease time.Duration) fault {
	between := func(low, high time.Duration) time.Duration { return low + time.Duration(r.Int64N(int64(high-low))) }
	f := fault{kind: k, node: "f" + fmt.Sprint(1+r.IntN(fetchers)), at: between(firstFault, lastFault)}
	if k.onScheduler() {
		f.node = "s"
	}
	switch k {
	case stopFetcher, stopScheduler:
		f.last = lease + between(500*time.Millisecond, 2*lease)
	case cutBoth, cutOut, cutIn, unplug:
		f.last = between(time.Second, 3*lease)
	case slowLink, slowScheduler:
		f.last = between(3*time.Second, 8*time.Second)
		f.link = link{loss: 0.01 + 0.07*r.Float64(), delay: between(20*time.Millisecond, 200*time.Millisecond)}
		f.link.jitter = f.link.delay / 2
	case clockFetcher, clockScheduler:
		f.last, f.jump = between(2*time.Second, 6*time.Second), between(time.Second, time.Hour)
		if r.IntN(2) == 0 {
			f.jump = -f.jump
		}
	case fullFetcher: // longer than all tries of a URL take
		f.last = between(38*time.Second, 42*time.Second)
	case fullScheduler:
		f.last = between(3*time.Second, 6*time.Second)
	case churn:
		f.at, f.last = firstFault, between(8*time.Second, 12*time.Second)
	case previous, previousOne:
		f.at, f.last = between(firstFault, 4*time.Second), between(5*time.Second, 8*time.Second)
	default:
		f.last = between(200*time.Millisecond, 4*time.Second)
	}
	return f
}

// clash reports whether two faults cannot be in one plan: their times overlap on a node, one of them is for
// every node, or one ends a scheduler whose clock the other has moved forward (which DESIGN 2a does not promise).
func clash(f, g fault) bool {
	overlap := f.at < g.at+g.last+rest && g.at < f.at+f.last+rest
	if f.kind == clockScheduler && g.node == "s" && g.kind.ends() || g.kind == clockScheduler && f.node == "s" && f.kind.ends() {
		return true
	}
	if f.kind.disk() && g.kind.disk() && f.node == g.node {
		return true
	}
	if f.kind == restartAll || g.kind == restartAll {
		return overlap
	}
	return overlap && f.node == g.node
}
