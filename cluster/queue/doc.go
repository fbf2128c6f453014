// Package queue is how work and results travel between a scheduler and its fetchers.
//
// [Broker] is a NATS server with JetStream inside the scheduler's process; [Conn] is a connection to it, or to somebody else's NATS
// servers. Two streams, and questions:
//
//	tasks    scheduler → fetchers   a work queue with one consumer that all fetchers share
//	results  fetchers → scheduler   a log with one reader, in order, without acks
//	ask      fetcher ⇄ scheduler    request and reply: the grant of a turn, its renewal, the job
//
// A task gives no right. It may come late, twice or never; a fetcher acks it as soon as its ask is answered, whatever the answer, and
// one that is not acked comes again after AckWait. Redelivery plays no part in leases. A part of a report is durable when Send returns;
// the ledger knows up to where the log was settled, the log is purged up to there, and its positions never go back
// ([Conn.PrepareStreams]).
//
// One suite of tests (contract_test.go) holds the queues to these promises, and a double in memory (double_test.go), which can show
// each thing that may go wrong.
//
// A fetcher may take tasks and ack them, send parts, ask, and hear the answers to its own role; nothing else. A client without the
// secret meets TLS and a limit of connections, never the server. What a fetcher says to the server is read before
// (broker_filter.go), as the answer to it goes out with the server's rights and not the fetcher's. The broker accepts all secrets
// that its node holds now. A fetcher logs in with the secret that was current when it connected (dial.go).
//
// # Goroutines
//
// A Broker's run in its Run, which returns when all have ended. The client inside a Conn has some of its own, which end with Close.
// [Conn.ServeAsks] answers each ask in a goroutine and waits for all of them.
//
// # Crashes
//
// The queues are never the truth. The broker may be killed at any moment: what was confirmed is there again, but for about a second's
// worth after a power failure. Tasks that are lost are published again from the ledger; parts that are lost cost repeated fetches; a
// store that is missing or damaged is begun again, with a line in the log (broker_store.go). Clients find back by themselves, for as long
// as it takes; one that is refused then says so and stops (cluster.ErrRefused).
//
// # What is not here
//
// The form of messages (package wire); leases, order and politeness (package scheduler); what a turn does (package
// fetcher).
package queue
