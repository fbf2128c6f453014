// Package backup writes what is needed to continue a crawl into one file, and makes a crawl directory of one.
//
// [Write] copies the ledger, as of one moment and while it is in use, with the files that belong to it; backup.go says what the file looks
// like, [ReadInfo] what it says of itself. [Restore] refuses what is cut, changed, newer, or would be put over a crawl, and gives the
// ledger a new life.
//
// No goroutines.
//
// Crash story: a backup under its name is whole, by its last entry and by [WriteFile]. A copy that a killed process left is removed by the
// next start. A restore puts everything together aside and moves it into place once it is durable: there is a whole crawl or none.
//
// What is not here: bodies, which are copied by other means, and when backups are made.
package backup
