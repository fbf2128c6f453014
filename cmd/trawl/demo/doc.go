// Package demo shows a cluster on one machine: [Run] starts this program again as a scheduler and three fetchers, prints each command so that
// it can be repeated, and tells what came of it; [Serve] is the synthetic web that they crawl.
//
// Goroutines: two for each process, one that copies what it prints and one that waits for its end. Run ends all processes before it returns.
// Serve has one for its web.
//
// Crash story: processes that outlive the demo end by themselves, but for the web, which waits for an interrupt. The directory has a mark of
// the demo's, and the next demo makes it again.
//
// Not here: flags, which are the command's, and anything of the crawl itself: the demo knows it from outside, as its user does.
package demo
