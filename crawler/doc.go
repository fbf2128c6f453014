// Package crawler says what a crawl is: its words and its rules. It is pure: no I/O, no goroutines,
// no clock. Functions take values (and now, where time matters) and return decisions; everything else
// in trawl carries them out. To run a crawl from a Go program see the root package, trawl.go.
//
// # Words
//
// Each word has one meaning, in code, in messages and in documents.
//
//   - seed: a URL that the user gave.
//   - job ([Job]): seeds, scope, limits and politeness: what one crawl is to do.
//   - scope ([Scope]): the pure rule that says which URLs belong to the job, and why not.
//   - host ([weburl.Host]): the politeness unit: name and port, where 80 and 443 count as one.
//   - frontier: the URLs known and not done, by host, in order; the hosts ordered by when they may
//     next be asked.
//   - ledger: the store of all rows ([Row], [HostState], [TurnState]); the only truth. It changes by
//     [Changes] alone, each applied whole or not at all.
//   - life, origin ([Life]): one life of a ledger, which fetchers and schedulers tell each other; the first
//     life of a crawl. A restored ledger begins a new life and keeps its origin.
//   - backup, restore: a copy of the ledger as of one moment; going on from one.
//   - turn ([Task]): up to N URLs of one host, for one fetcher; the unit on the task queue.
//   - lease: the right to work on a turn, until a time; it begins with the grant and lapses by itself.
//   - fetch, outcome ([Outcome]): one exchange with a server; the word for how it ended.
//   - result ([Result]): the facts of one fetch. Never the body.
//   - report, part ([Part]): what a fetcher sends for a turn, in parts; a part is the unit on the
//     result queue.
//   - settle: apply a part to the ledger in one atomic batch.
//   - archive, record, locator ([Locator]): the store of bodies; one stored exchange; where it lies.
//   - partition ([weburl.Partition]): a fixed share of the hosts, by hash of the host.
//   - member, role: a live node in the gossip; scheduler, fetcher or both.
//   - slot, lane, credit: room for one turn on a fetcher; one of the connections inside a turn; the
//     slots announced less the turns offered and held.
//   - parked: waiting, but beyond a limit of the user's; a parked URL does not hold the end of the job.
//   - errand ([RobotsHop]): a redirect of one host's robots.txt that must be asked of another host.
//
// # Time
//
// Values in the ledger hold times of the scheduler's clock. Messages hold durations, never times:
// rights count from the asking, waits from the receiving. [Result.FetchedAt] is a fact for people, taken
// from the fetcher's wall clock; nothing is decided by it.
package crawler
