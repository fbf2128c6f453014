// Package links finds the links of a page while it arrives: HTML, XHTML, SVG, CSS, srcset, and the headers Link and Refresh.
//
// A [Scanner] is written to as bytes come in, in pieces of any size, and hands each link over once for each of its kinds, resolved
// and canonical. It holds no page: only what a tag, a value or a rule that is not closed yet needs. The bytes of a reference are kept
// until they are a URL, so that its query has the encoding of its document. charset.go finds that encoding as browsers do.
//
// It is pure: no I/O, no goroutines, no clock. What is too long to be looked at whole is passed over and counted ([Counts]); no input
// makes it fail. Cases of five test suites and fuzz targets hold it.
//
// What is not here: which links belong to the job (package crawler), and titles beyond their text.
package links
