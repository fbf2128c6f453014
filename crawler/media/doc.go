// Package media says what a body is: the type that its server gives, as browsers read the header, or what its first bytes look like
// (the Fetch and MIME Sniffing standards), and whether a text is in UTF-16.
//
// It is pure: no I/O, no goroutines, no clock, no errors: every input has an answer.
package media
