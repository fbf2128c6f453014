// Package schedulertest has what tests of the scheduler and of its core share: a ledger in memory that recounts itself at each commit, and
// both queues in memory.
package schedulertest
