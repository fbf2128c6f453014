// Package archive keeps bodies: as WARC files ([WARC]) or as plain files ([Files]), and gives them back ([OpenRecord]).
//
// An archive takes exchanges from any number of goroutines; what was put is durable after Sync, and only then may its locator be
// reported. Plain files lie by URL and content until the scheduler gives them the names that people see ([Bodies]). Bodies of fetchers on
// other machines leave through an [Outbox] and arrive at a [Depot], which continues where it was stopped and compares what is whole.
// Package warc below has the format of records.
//
// # Goroutines
//
// None of its own; Sync of plain files syncs several at a time and waits for them.
//
// # Crash story
//
// A WARC file grows under its name and is writable until it is final; the torn end of one that was left is cut off by the next start with
// the same prefix. A plain file is written aside and gets its place by a rename. After a failed sync an archive takes no more. The depot
// learns from the files themselves what has arrived, and syncs what it finds before it says so.
//
// # What is not here
//
// Which bodies are kept, under which names, and when they are shipped: scheduler and fetcher say that. Comparing with rows is package
// check's.
package archive
