// Package head reads the heads of answers before net/http does: it keeps the bytes for the archive as they came (tap.go), and
// mends what net/http would refuse and browsers read (mend.go). It belongs to HTTP/1; HTTP/2 has no such heads.
//
// # Goroutines
//
// None. A tap is read and written by net/http, one read and one write at a time.
//
// # What is not here
//
// What a head means: see package download.
package head
