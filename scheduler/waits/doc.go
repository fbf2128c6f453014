// Package waits says in one line what a running job waits for, and what is wrong, if something is: of all that keeps it from asking
// more, or faster, the one thing that matters most.
//
// It decides nothing: a [View] is how the job stands at one moment, and the words are worked out of it alone.
package waits
