// Package robots reads robots.txt and says what it allows (RFC 9309).
//
// [Parse] reads the rules for one product token out of a file of any bytes; [Rules.Match] decides about a URL, and names the line
// that decided. What a file has that is odd is kept in words for people.
//
// It is pure: no I/O, no goroutines, no clock. A file is read up to the limit that its caller sets, and never fails to be read.
//
// What is not here: when a file is asked for and how long it counts (package scheduler), how it is fetched and what an answer without
// a file means (package fetcher).
package robots
