// Package listen has what every port of a node needs: addresses to listen on, and limits on who connects.
//
// [Bind] is an address as users give it. A [Limiter] bounds connections that have not proved yet that they hold the
// secret. A [Tally] counts what is refused, and logs at most a line a minute.
//
// The package knows no protocol and no secret: the owner of a port says when a connection has proved itself
// ([Conn.Authenticated]). It starts no goroutines and stores nothing; a process that ends loses only counts.
//
// What is not here: handshakes (package trust), and what is served at a port (gossip, control, queue).
package listen
