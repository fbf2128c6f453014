// Package spool holds bodies on their way to the archive: small ones in memory, large ones in files (spool.go), and partial
// bodies, which outlive an interruption so that they can be resumed (partial.go).
//
// # Goroutines
//
// None. A spool and a partial are owned by one goroutine each; their directories are shared.
//
// # Crash story
//
// Spool files of an earlier process are removed: a body that was not archived has no record, and its URL is fetched again.
// Partial bodies stay. A sidecar says how many of their bytes are durable, and is replaced after these were synced; bytes
// beyond are cut off. They save time only: any of them may be lost.
//
// # What is not here
//
// Whether a body may be resumed is decided by the answer (package download); what is stored for good, by the archive.
package spool
