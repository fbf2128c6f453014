// Package node wires the wings into nodes. A [Scheduler] is one run of a job: the queues, the scheduler proper, its control API, timed
// backups, and either a fetcher in the same process or, in a cluster, the gossip with fetchers on other machines and the intake of their
// files. A [Fetcher] is one of these: gossip, control API, and for each scheduler it works for a stint, with a connection to its queue, a
// worker and the way home for bodies. The worker is built alike on both ([openWorker]). Each part is given what it needs; none knows the
// whole node.
//
// Goroutines: all belong to a Run, which waits for them, but for the writing of rows to standard output, which nothing can interrupt.
// The order of ends in Scheduler.Run: fetching, rows on standard output, the services, and last the queue, which its clients need to end in
// order. Whatever Run opened is closed when it returns, also after an error in the middle of the start: each part's close takes what is
// there.
//
// Crash story: that of the parts. A start continues where the ledger is.
//
// Not here: what a Go program sees (package trawl), the directory and the ledger, which the caller opens and closes, and exports at the end.
package node
