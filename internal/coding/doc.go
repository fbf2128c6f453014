// Package coding has the content codings of HTTP (RFC 9110 section 8.4): which there are, whether bytes are in one, and a reader of
// gzip that takes what browsers take.
//
// Servers label bodies with codings that they do not have. [Holds] looks at the first bytes, so that a label which the bytes do not
// bear out can be dropped with a note. No package-level state, no goroutines.
package coding
