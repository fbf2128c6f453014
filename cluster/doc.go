// Package cluster connects nodes: who is there, how work and results travel, and how a running job is asked
// and steered from outside.
//
// # Members
//
// [Members] is the gossip (memberlist). It tells roles, addresses and slots, and decides nothing: which
// fetcher may ask which host is the scheduler's word alone.
//
// # Queues
//
// [Broker] is a NATS server with JetStream inside the scheduler's process; [Conn] is a connection to it, or
// to somebody else's NATS cluster. Two streams, and questions beside them:
//
//	tasks    scheduler → fetchers   a work queue with one consumer that all fetchers share
//	results  fetchers → scheduler   a log with one reader, in order, without acks
//	ask      fetcher ⇄ scheduler    request and reply: the grant of a turn, its renewal, the job
//
// A task gives no right. It may come late, twice or never; a fetcher acks it as soon as its ask is answered,
// whatever the answer, and one that is not acked comes again after AckWait. Redelivery plays no part in
// leases. A part of a report is durable when Send returns; the ledger knows up to where the log was
// settled, the log is purged up to there, and its positions never go back ([Conn.PrepareStreams]).
//
// [Memory] keeps the same promises without a network, and can show each thing that may go wrong ([Faults]).
// One suite of tests holds both to them. Package wire has the messages.
//
// # Secret
//
// From one [Secret] come the gossip's key, a certificate authority for TLS on queue and control, and the key
// with which fetchers log in to the queue; the scheduler's own connection has one that is drawn for its
// process. A fetcher may take tasks and ack them, send parts, ask, and hear the answers to its own role;
// nothing else. A [Keyring] holds the current secret, further ones that are accepted, and the certificates of
// an own PKI in place of those from the secret. It changes while nodes run, and every part follows it.
//
// What strangers can make a node hold is bounded by a [door] at each port. Behind the queue's stands TLS, and only
// then the server; what a fetcher says to it goes past a [guard], as the answer to it goes out with the server's
// rights and not the fetcher's. docs/security.md has the model.
//
// # Control
//
// [Control] serves status, stop, changes of the job, more seeds, exports, backups, the stories of single URLs and the intake of
// shipped files over HTTP, on the crawl directory's socket or with TLS; [ControlClient] asks it.
//
// # Goroutines
//
// Members, Broker, Control and Keyring run in their Run, which returns when everything they started has
// ended. The client inside a Conn has goroutines of its own, which end with Close. [Conn.ServeAsks] answers each ask in
// a goroutine and waits for all of them. Memory has none but those of ServeAsks.
//
// # Crashes
//
// The queues are never the truth. The broker may be killed at any moment: what was confirmed is there again,
// but for about a second's worth after a power failure. Tasks that are lost are published again from the
// ledger; parts that are lost cost repeated fetches; a store that is missing or damaged is begun anew, with a
// line in the log. Clients find back by themselves, for as long as it takes; one that is refused then says so
// and stops ([ErrRefused]).
//
// # What is not here
//
// Leases, order and politeness (package scheduler); what a turn does (package fetcher); files (package
// storage). Of trawl's packages this one imports crawler, and wire below it.
package cluster
