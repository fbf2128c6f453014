// Command model checks the protocol of a turn: one scheduler with a ledger, a task queue that may hand out any message again at
// any time, a log of results, two fetchers, one host, two URLs (u0 links to u1), and faults by budget. It visits every
// reachable state, breadth first, so that the trace of a breach is a shortest one. Time is counted in ticks. Nothing must act
// within one, except that a running fetcher closes its exchange when its own lease is over.
//
//	go run ./test/model R   the protocol under faults: seconds to minutes each, some with gigabytes
//	go run ./test/model A   each rule taken away in turn: a breach is printed
//
// The tests check what takes seconds. The protocol is not changed before the model (docs/decisions/protocol.md).
//
// What is not here: several hosts, several connections of a turn, and the archive.
package main

import (
	"fmt"
	"os"
	"strings"
)

// mostStates bounds a search: about 8 GB.
const mostStates = 9_000_000

func main() {
	failed := false
	for _, p := range protocols() {
		number, _, _ := strings.Cut(p.name, " ")
		if len(os.Args) > 1 && number != os.Args[1] && number[:1] != os.Args[1] {
			continue
		}
		found := p.search(mostStates)
		fmt.Print(found.text(&p))
		failed = failed || found.breach != none != p.breaks()
	}
	if failed {
		os.Exit(1)
	}
}
