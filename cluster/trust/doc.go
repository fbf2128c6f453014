// Package trust is what proves that a node is a member, and recognizes other members: the cluster's secret, what follows from
// it, and certificates.
//
// From one [Secret] come the gossip's key, a certificate authority for TLS, and the keys with which roles log in to the queue.
// [Keyring] holds the current secret, further ones that are accepted, and the certificates of an own PKI in place of those from the
// secret. It changes while nodes run, and every part of a node follows it: take [Keyring.Changed], look, wait. TLS made from it
// ([Keyring.ServerTLS], [Keyring.ClientTLS]) uses, at each handshake, what is current then.
//
// # Goroutines
//
// None but that of [Keyring.Run], which looks at the files until its context ends. Everything here may be called from any number of
// goroutines.
//
// # Crashes
//
// Nothing is kept: files belong to the user and are only read. What cannot be used is logged once, and changes nothing.
//
// # What is not here
//
// Who may do what at a port: the gossip asks for a key, the queue for a role's key ([Keyring.QueueUsers]), control for a certificate
// or a token ([Keyring.Proves]). docs/security.md has the model.
package trust
