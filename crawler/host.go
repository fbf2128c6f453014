package crawler

import "github.com/cespare/xxhash/v2"

// Partitions is the number of shares the hosts are divided into. It is part of the ledger's format.
const Partitions = 256

// Host is the politeness unit: a name in lower case (A-labels, or an IP literal, IPv6 in brackets),
// with ":port" unless the port is 80 or 443. One server name on both default ports is one host.
type Host string

// HostKey is the hash of a host. Its first byte is the host's partition, so keys that begin with it are
// ordered by partition.
type HostKey uint64

// Partition is a fixed share of the hosts: the unit by which the ledger can be spread.
type Partition uint8

// Key hashes the host (xxhash64, part of the ledger's format).
func (h Host) Key() HostKey { return HostKey(xxhash.Sum64String(string(h))) }

// Partition tells which share of the hosts h belongs to.
func (h Host) Partition() Partition { return h.Key().Partition() }

// Partition tells which share of the hosts the key belongs to.
func (k HostKey) Partition() Partition { return Partition(k >> 56) }

// URLKey names a URL's row: the hash of its host, then the hash of its canonical text. Rows hold the
// text, which is compared wherever a key is found, so that a collision is noticed and never loses a URL
// silently.
type URLKey struct {
	Host HostKey
	URL  uint64
}

// Compare orders keys as the ledger stores them.
func (k URLKey) Compare(o URLKey) int {
	switch {
	case k.Host < o.Host:
		return -1
	case k.Host > o.Host:
		return 1
	case k.URL < o.URL:
		return -1
	case k.URL > o.URL:
		return 1
	}
	return 0
}
