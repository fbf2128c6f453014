// Package warc writes and reads WARC/1.1 files (ISO 28500:2017), the format of web archives. It knows
// records and nothing of crawls or directories.
//
// Writing: an [Encoder] turns a [Record] into bytes, one gzip member a record (of stored blocks where its
// writer says that it would hardly shrink), or plain. It holds pools of gzip encoders, since each takes
// several hundred kilobytes, and is shared by everybody who writes.
// [AppendHead] makes the head of an answer fit to stand before a body that was stored without its
// transfer coding.
//
// Reading: a [Reader] streams the records of a file, plain, gzip or mixed, and reports where each begins and
// how long it is, so that a record can be read again by itself. [Recover] cuts a torn end off a file.
//
// Digests are "sha256:" and lower-case hex. WARC-Payload-Digest is taken over the payload as the standard
// defines it for http: the body after transfer decoding, with the server's own content coding. It
// differs from the digest of a row, which is of the decoded body, exactly when there is a content coding.
//
// Goroutines: none. Crash story: a file that grows by whole records may end in a torn one after a crash;
// Recover mends that. What is not here: revisit records, segmented records, and gzip members that hold more
// than one record; the reader says so when it meets the last.
package warc
