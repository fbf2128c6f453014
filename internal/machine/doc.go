// Package machine is what a node shares with whatever else runs on its machine: open files ([FitWorkers], [LedgerFiles]), the room on a
// disk ([WatchDisk]), and the hosts that other jobs of the same user ask too ([Neighbours]).
//
// No goroutines: WatchDisk runs in its caller's. Nothing here is needed after a crash: a note of a process that died is removed by the next
// one that sees it.
//
// Not here: memory, which Go's runtime bounds as the command asks it to.
package machine
