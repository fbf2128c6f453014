// Package control is how a running node is asked and steered from outside, over HTTP.
//
// [Server] serves status, stop, changes of the job, more seeds, exports, backups, the stories of single URLs and the intake of shipped
// files: on the crawl directory's socket, which only its user can open, and at an address, there on loopback or with TLS. [Client] asks
// it. What the server does is given to it as functions and small interfaces ([Options]); what is nil is not served. [BackupStore]
// keeps backups at somebody else's HTTP server.
//
// Browsers are turned away: no page may steer a crawl. Headers, changes and answers are bounded in bytes, and all calls in time: uploads
// and downloads may last for hours, and are cut when they stand still ([StallTimeout], [StreamTimeout], [BackupStall]).
//
// # Goroutines
//
// A Server has those of net/http. All have ended when [Server.Run] returns. A Client has those of its connections, until Close.
//
// # Crashes
//
// An answer says that what was asked is durable, where the function behind says so. An upload that is cut continues where it stopped
// ([Client.Size]); a download that is cut fails at the reader, and half of it is never taken for the whole. A socket that a killed
// process left is replaced.
//
// # What is not here
//
// What a change means (package crawler) and who carries it out (package scheduler); files (package storage).
package control
