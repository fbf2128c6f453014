// Package check proves an archive against the ledger: each row that names a record has it, whole and with the digest that the row names;
// what no row points to is counted by kind and explained.
//
// [Archive] reads every WARC file once from end to end, beside the locators sorted by place. Memory is bounded: where there are many,
// they are sorted in a temporary file without a name. What is wrong is in the [Balance], never an error.
//
// No goroutines. It only reads, so a crash leaves nothing; nobody may write to ledger or archive meanwhile.
//
// What is not here: the proof of the ledger by itself (package ledger), and what becomes of rows without a record (the scheduler's repair).
package check
