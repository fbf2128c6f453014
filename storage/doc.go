// Package storage keeps what a crawl leaves on disk. It is a wing of rooms, and has itself only what they share: the errors that tell
// what is wrong with a directory or a ledger, and a reader that ends with its context. The words are those of package crawler.
//
//	crawldir      the crawl directory: its lock, and the names of all that is in it
//	ledger        the only truth about a crawl (Pebble)
//	archive       bodies: WARC and plain files, their way home from other machines
//	archive/warc  the format of WARC records
//	export        rows as JSONL, CSV, Parquet
//	check         the proof that each row has its record
//	backup        one file to go on from, and the restore
//	storagetest   what their tests share
//
// Rooms import what stands above them in this list where they must (a backup needs the ledger and the directory, the check ledger and
// archive), and package durable for whatever must outlive a power cut. None starts goroutines that outlive a call, but for the ledger's
// store.
//
// # Crash story
//
// Whoever dies between two commits of the ledger loses nothing. Bodies are durable before a row points to them. Whatever people find under
// a name is whole.
//
// # What is not here
//
// Decisions. Nothing here asks a server or knows of queues and members.
package storage
