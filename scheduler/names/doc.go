// Package names gives files their names. They are given at admission, in the batch that admits the row, and are unique over the job: who
// comes later to a name gets a mark in braces. A name is never that of a directory of another one, nor the reverse, under the rule by
// which the file system tells names apart.
//
// A [Book] knows what was committed. What one step gives is a [Page] of it, which sees itself and is taken over when the step is
// committed.
//
// # What is not here
//
// Which name a row wishes for, and when a body is put under its name: see [trawl/scheduler/core] and [trawl/scheduler].
package names
