// Package records has the table of each record that crosses a border: the bytes of the ledger, the messages between machines and
// the columns of exports follow from it. A new field is a field of the type in package crawler, a line here, and whoever sets it.
//
// Numbers are never used again. Numbers of enumerations are those of package crawler. Messages carry durations, never times: rights
// count from the asking, waits from the receiving. The one time, Result.FetchedAt, is a fact for people.
//
// What must hold between fields of a message, such as that all its URLs are at the host of its turn, is the check of its table.
// Records of the ledger have none: what was stored is read again, whatever it lacks.
package records
