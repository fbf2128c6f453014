// Package scheduler runs the one that decides: it is the shell around package core, with the loop, the clock, the queues and the commit.
//
// # One loop
//
// [Scheduler.Run] is one loop that owns the core. It gathers what has come (asks of fetchers, parts of reports, seeds, changes by the
// user, bodies that got their names), lets the core make one step of it, and commits the step as one synced batch of the ledger. Only
// then do its effects leave: answers, tasks, purges, rows for the reader of the stream. So every change is durable before anyone hears of
// it, and one sync covers many. The commit has one place for all who write: a start, the loop, a change, a repair.
//
// Beside the loop one goroutine reads the result log, one publishes turns and purges parts, so that a slow queue does not hold up
// answers, and one puts bodies under their names (placing.go). All end with Run.
//
// # Crash story
//
// The loop may die between any two instructions. What was not committed never happened: asks go
// unanswered and are repeated, parts lie in the result log until the ledger says that they are settled, tasks
// that were committed and not published are published at the next start. Turns that were held get a new
// lease, so a fetcher that is still at work goes on undisturbed.
//
// A ledger that was restored from a backup is a copy as of an earlier moment: core/restore.go says what its first start does, so
// that nobody is asked while those who worked on from then may still have the right to.
//
// # What is not here
//
// Decisions: package core makes them.
package scheduler
