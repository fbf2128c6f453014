// Package dial opens the connections to one host while a lease lasts. It resolves the host's name once, races its addresses,
// lets the guard judge each address when it is connected to, so that no name leads to a private one, and ties every
// connection to the lease: the clock is compared right before each write, and at the end all are closed at once. After a turn that
// ended in order a dialer may rest until the next turn of its host: what is idle stays open, and nothing is written.
//
// # Goroutines
//
// A race of addresses has one for each attempt, and has ended them all when it returns. Close ends dials that nobody waits
// for.
//
// # Crash story
//
// Nothing is kept. Bytes that a dead process left unacknowledged are repeated by the kernel for less than the grace after a
// lease (unackedLimit).
//
// # What is not here
//
// HTTP. The address of a proxy is the operator's and is reached whatever it is; what lies behind it is resolved there.
package dial
