// Package fetcher does what a turn asks for: lanes ask for one page after the other at the host's pace, under a lease, and
// what they find goes out in parts of a report. It keeps no state that matters: a fetcher can be killed at any moment, and what
// it held lapses.
//
// Its rooms: download fetches one page, engine has what pages go through, lease is the right to ask, trouble is what is wrong
// on this side, ship brings files to the scheduler's directory.
//
// # One turn
//
// [Fetcher.Run] reads the job's notice and takes tasks, each into a slot that was free before. A task gives
// no right. The fetcher draws a holder, notes the time and asks the scheduler; the task is acked as soon as
// there is an answer. A grant brings the lease, which counts from the asking, and what is known of the
// host. Then, at the host's pace: errands, robots.txt where the grant brought none, and the URLs. What is found goes out in
// numbered parts; each part is sent after the one before was stored, and after the bodies that it names are durable. A page's
// links go before its result or with it.
//
// The right is renewed by the same question until the last part is stored. Without an answer the fetcher
// falls silent towards the host when the lease ends, keeps its parts and asks on. When it is refused it
// drops the turn with everything found in it.
//
// # Our own trouble
//
// What is wrong on this side is no fate of a URL: a page has no result then, the turn ends early and its URLs go back untried,
// and fewer turns are taken, or none, until it is over (package trouble). A fault that may yet turn out to be the network's
// waits for that.
//
// # Goroutines
//
// Run owns all of them and returns after the last has ended: a few takers, and for each turn the sender
// (the turn's own), the renewer, two watchers (of the end, of the lease) and its lanes. A lane has a
// collector of its own; a collector is used by one goroutine at a time.
//
// # Crash story
//
// A turn whose fetcher died lapses and its URLs wait again; bodies that no part named are orphans in the archive. What is read
// back after a start saves time only: partial bodies (package spool), and files that were not shipped yet (package ship).
//
// # What is not here
//
// Whether a URL is admitted, tried again, or given up, and when a host is next asked, is decided by the
// scheduler. Files and their formats belong to the archive behind the [Archive] port.
package fetcher
