// Package seeds reads what a user gives a crawl to begin with: URLs, lists of them as lines of text, and tables as CSV or Parquet, each of
// them also in gzip. [Lists] streams seeds one by one and reports a line that it cannot read as a [BadLine], after which it goes on. [Feed]
// hands them over in batches, while they are still being read.
//
// Goroutines: a Feed reads in one of its own, which ends with its source; [Lists.Add] reads in one until the job has taken all.
//
// Crash story: nothing is kept. A job whose seeds were not all read says so at its next start.
//
// Not here: whether a seed belongs to the crawl. That is the scheduler's to decide.
package seeds
