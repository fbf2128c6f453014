// Package crawldir knows the crawl directory: which files are in it, under which names, and whose they are.
//
// [Open] locks a directory, so that one trawl at a time works in it, and refuses what holds no crawl or was made by a newer trawl.
// [Dir] has the paths; nobody else puts them together. [Dir.Clear] empties it for a fresh start, [OpenVacant] and its followers are
// the steps of a restore, [ControlSocket] is where a running crawl is spoken to, also where the path is too long for a socket.
//
// No goroutines. Methods are safe for concurrent use.
//
// Crash story: the lock is the system's and ends with the process. The version is written last, so a directory with a version is whole;
// one that was being made, cleared or restored is taken for that by the next start. What is made here is durable before a function returns.
//
// What is not here: what the files hold. Ledger, archive, exports and backups have rooms of their own.
package crawldir
