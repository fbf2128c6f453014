// Package cluster connects nodes: who is there, how work and results travel, and how a running job is asked and steered from outside.
// Its rooms:
//
//	trust    the secret, what follows from it, certificates: who belongs
//	listen   addresses to listen on, and limits on who connects
//	gossip   who is there (memberlist)
//	queue    tasks, results and asks (NATS with JetStream), and their double in memory; below it wire, the form of its messages
//	control  status, steering and shipped files of a running node (HTTP)
//
// Gossip, queue and control each use trust and listen, and know nothing of each other. Here are the words that all share: [Role] and
// [ErrRefused]. Each room's own page has its goroutines and what becomes of it in a crash.
//
// # What is not here
//
// Leases, order and politeness (package scheduler); what a turn does (package fetcher); files (package storage). Of trawl's packages
// the rooms import crawler and this one; gossip, queue and control import trust and listen as well, and queue imports wire.
package cluster
