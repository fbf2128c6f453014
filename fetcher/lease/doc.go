// Package lease is the right to ask a host, as its holder sees it: granted for a time that counts from the asking, extended by
// renewals, and over by whichever clock says so first. What must be silent afterwards asks it.
//
// # Goroutines
//
// None of its own. Watch runs in its caller's.
//
// # Crash story
//
// Nothing is kept: a process that ends loses its rights, and the scheduler lets them lapse.
//
// # What is not here
//
// Who grants a right belongs to the scheduler; who asks for it, to the turn. That nothing is written after its end is kept by
// the connections (package dial).
package lease
