// Package explain says why a URL is as it is: the rule that decided, where the rule stands, what comes next, and what the user could
// change.
//
// [Explain] makes an [Explanation] of [Facts]: what the ledger knows of the URL and its host at one moment. It is pure, so a running
// job and one at rest give the same story. It decides nothing: the rules are those of package crawler, and are asked there.
package explain
