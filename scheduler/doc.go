// Package scheduler decides: what belongs to the job, which host may be asked when and by whom, what is
// tried again, and when the job is done. It is the only writer of crawl state.
//
// # One loop
//
// [Scheduler.Run] is one loop that owns all state. It gathers what has come (asks of fetchers, parts of
// reports, seeds, control), lets each change a [step], and commits the step as one synced batch of the
// ledger. Only then do its effects leave: answers, tasks, purges. So every change is durable before anyone
// hears of it, and one sync covers many.
//
// The changes themselves are in files of their own, one a file, without I/O but for reads of the ledger:
// admit.go (what is new), offer.go (make turns), grant.go (give the right), settle.go (apply a part),
// lapse.go (take the right back), robots.go (rules), errand.go (rules that are another host's).
//
// # Crash story
//
// The loop may die between any two instructions. What was not committed never happened: asks go
// unanswered and are repeated, parts lie in the result log until the ledger says that they are settled, tasks
// that were committed and not published are published at the next start. Turns that were held get a new
// lease, so a fetcher that is still at work goes on undisturbed.
//
// A ledger that was restored from a backup is a copy as of an earlier moment: restore.go says what its first start does, so
// that nobody is asked while those who worked on from then may still have the right to.
//
// # Memory
//
// A window of the earliest hosts (front.go), a cache of host records, a cache of links seen of late, and
// one [turn] for each slot of the fetchers. Nothing grows with the crawl.
package scheduler
