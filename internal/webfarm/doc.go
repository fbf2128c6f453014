// Package webfarm is a synthetic web on the loopback interface, with faults and an audit of politeness, for
// tests, the demo and benchmarks.
//
// Everything about it is a pure function of its Options and, for the addresses, of the port it listens on:
// which pages there are, what links they have, how each is answered. [Farm.Expect] reports what a crawler must
// find, and [Farm.Audit] what the crawler really asked for, measured at the server.
//
// The pages of a host form a tree: page p is linked from page (p-1)/16 of its host, and page 0 of host h from
// page 0 of host (h-1)/16, so that a crawl of all hosts from the first seed, or of one host from its own, finds
// everything. Pages with children, the trunk, are always good; faults, assets and pages that robots.txt
// forbids are among the leaves. Further links go to pages taken at random, in all the ways that links are
// written.
//
// Goroutines: Run owns one for each host's listener and one for each connection, and waits for all of them.
// Nothing survives a crash, as nothing is stored. The only states are the audit's counts, on which pages that
// fail at first depend; ResetAudit forgets them.
//
// Not here: names (hosts are addresses), HTTP/2, request bodies, and rules of crawling. The package imports
// nothing of the crawler that it tests, so that it is a witness of its own.
package webfarm
