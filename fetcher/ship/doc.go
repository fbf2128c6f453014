// Package ship brings the files of a fetcher's outbox to the scheduler's directory.
//
// # Goroutines
//
// Run ships until its context ends, a few files at a time, and waits for all of them before it returns.
//
// # Crash story
//
// A file is removed here only after the whole of it was compared there, so a crash at any point repeats work and loses
// nothing. What had arrived is found by asking the depot.
//
// # What is not here
//
// Which files there are and when they are final is decided by the outbox; what becomes of them, by the depot.
package ship
