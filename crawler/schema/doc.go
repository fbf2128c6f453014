// Package schema describes a record once: a table has a line for each field, with its number, its name, how a record's field is
// reached, and what a reader may believe. From the table follow the record's bytes, in the encoding of Protocol Buffers, and the
// columns in which people see it.
//
// The encoding is that of proto3: zero values are absent, unknown fields are passed over, so fields are only ever added and numbers
// never used again. There is one form for what we store ourselves and for what comes from elsewhere; only reading differs.
// [Table.Read] believes nothing: URLs and hosts must be canonical, and each text has memory of its own, so that a short one does not
// keep a whole message alive. [Table.ReadStored] keeps URLs as they were when they were stored, and all texts of a record share one
// copy of it: a ledger reads millions. In both, numbers and lengths are in their range, and errors name the field. Nothing panics,
// whatever the bytes.
//
// Tables are made once, when the program starts, and never change. Functions are pure and safe for concurrent use.
//
// Not here: the tables themselves (package records), limits of whole messages, and formats of exports.
package schema
