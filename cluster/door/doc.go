// Package door is what stands in front of each port: addresses to listen on, and a bound on strangers.
//
// [Bind] is an address as users give it. A [Door] bounds connections that have not proved yet that they hold the secret: when one
// comes too many, the oldest is cut, of the address that has the most, so a crowd that says nothing costs a bounded amount and keeps
// nobody out who proves himself within moments. A [Tally] counts what is refused, and logs a line a minute at most.
//
// It knows no protocol and no secret: whoever owns the port says when a connection has proved itself ([Entrant.Pass]). It has no
// goroutines and keeps nothing; a process that ends loses counts alone.
//
// What is not here: handshakes (package trust), and what is served behind a port (gossip, control, queue).
package door
