// Package memory is the part of the ledger that a scheduler keeps at hand: the window of the earliest hosts, records of hosts and of
// registrable domains, keys of URLs seen of late, some hosts that are away. Each kind has a bound of its own, so that a scheduler's
// memory does not grow with the crawl, and each may forget: what is not here is read from the ledger.
//
// Whoever owns the memory brings what was committed, and nothing else; so it never says what the ledger does not. Values are never
// changed in place.
//
// # What is not here
//
// Reads of the ledger, and edits that are not committed yet: those are [trawl/scheduler/core]'s. Nothing here is safe for several
// goroutines.
package memory
