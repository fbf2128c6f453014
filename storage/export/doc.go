// Package export writes rows for people and other programs, as JSONL, CSV or Parquet, and reads columns of Parquet files.
//
// [File] makes a file of rows, [Rows] writes them to anything, [Writer] takes them one by one; [Filter] chooses. The columns are the same
// in every format, and are only added to.
//
// No goroutines. Memory is bounded however many rows there are: JSONL and CSV keep one, Parquet a group whose size has a limit.
//
// Crash story: a file appears whole or not at all, and an older one of its name is replaced at that moment (package durable).
//
// What is not here: where rows come from. A sequence is enough, of the ledger or of another process.
package export
