// Package format says how a ledger's changes become bytes: the table of its keys (keys.go), what is stored under them (stored.go and package
// records), the edits that a change amounts to (changes.go), and the [Record] that carries them (record.go).
//
// It is pure: no store, no goroutines. So whoever has a record can apply it, and the recount of [trawl/storage/ledger] works out by the same
// functions which keys there should be.
//
// # What is not here
//
// Applying a record, reading, and the crash story: package ledger has them.
package format
