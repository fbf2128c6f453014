// Package ledger is the only truth about a crawl, on disk: every URL with its fate, hosts, turns, robots files, errands and names of
// files, in an ordered store (Pebble).
//
// The scheduler changes it by [Ledger.Commit] alone; everybody else reads. Package format has the table of keys and says how values
// are written: fields are only added, and unknown ones passed over. People read rows through [Ledger.All] and [Ledger.Row], which tell the
// outcome as it stands (leased, and why a URL waits). [Ledger.Verify] recounts everything and finds what does not fit.
//
// Every change, also a ledger's first and that of a restore, becomes a [format.Record]: the bytes to be stored and the keys to be deleted.
// apply.go alone writes keys, by applying one. A replica applies the records of another ledger ([Options.Records], [Ledger.Apply]) and
// is equal to it, key by key.
//
// # Goroutines
//
// Each commit has one, so that a disk that hangs does not hang its caller for ever (broken.go). Pebble runs flushes and compactions in
// the background between [Open] and [Ledger.Close]. Reads may run at the same time as commits and as each other; commits are taken one
// after the other.
//
// # Crash story
//
// A record is one batch, synced before Commit returns: after a crash it is there whole or not at all, and one that had returned is
// there. When a write fails (a full disk, a broken one), the ledger refuses everything from then on, since only a new start can tell
// what the disk has. A copy that goes on in place of the original gets a life of its own ([Ledger.Restored]).
//
// # What is not here
//
// Decisions. Indexes are kept in step with the rows and hosts that come; which row changes, and how, is the scheduler's. Nothing here
// knows of files of bodies (package check compares them with the rows).
package ledger
