// Package storage keeps what a crawl leaves on disk: the ledger (Pebble), the archive of bodies, plain
// files, and the exports that are made from them. The words are those of package crawler.
//
// # The crawl directory
//
// [Dir] is a crawl directory: one job, with everything that belongs to it. [OpenDir] locks it, so that one
// trawl at a time works in it, and refuses what is not a crawl directory or was made by a newer trawl.
//
// # The ledger
//
// [Ledger] is the only truth about a crawl. The scheduler changes it by [Ledger.Commit] alone; everything
// else reads. keys.go has the table of its keys, codec.go says how values are written. People read it
// through [Ledger.All], [Ledger.Row] and [Ledger.Verify].
//
// # Backups
//
// [Backup] writes a copy of the ledger, as of one moment and while it is in use, into one file; [Restore] makes a crawl
// directory from it, whose ledger begins a new life. backup.go says what the file looks like.
//
// # Goroutines
//
// The ledger starts one for each commit, so that a disk that hangs does not hang its caller for ever (ledger_broken.go); the
// exports start none. Pebble runs its flushes and compactions in the background between [OpenLedger] and [Ledger.Close]. Reads may run at the same time as commits and as each
// other. Commits are taken one after the other.
//
// # Crash story
//
// A commit is one Pebble batch, synced before Commit returns: after a crash it is there whole or not at
// all, and a commit that had returned is there. Whoever dies between two commits loses nothing. When a
// write fails (a full disk, a broken one), the commit reports it and the ledger refuses everything from then on,
// since only a new start can tell what the disk has: what had been committed is still there then.
// An export is written to a temporary file, synced, renamed and made known by a sync of its directory: under
// its name lies a whole file or none.
//
// # What is not here
//
// Decisions. The ledger keeps indexes in step with the rows and hosts it is given; which row changes, and
// how, is the scheduler's. Nothing here asks a server or knows of queues and members.
package storage
