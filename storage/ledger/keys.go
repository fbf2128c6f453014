package ledger

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

// Every key begins with two bytes of partition, then a byte of kind. Partitions 0 to 255 hold hosts (the
// first byte of the host's hash), so that a partition is one range of keys and can be moved as a whole, and
// within it each kind is one range, ordered by host. Partition 0xFFFF holds what belongs to the ledger as a
// whole. Numbers are big-endian, so that keys are in the order of their numbers.
//
//	kind        after partition and kind                            value
//	due         due time (8), host hash (8)                         the host's name, 0, depth (2), lag (2)
//	host        host hash (8)                                       HostState
//	turn        host hash (8)                                       TurnState
//	queue       host hash (8), 0, retry at (8), depth (2),          empty
//	            sequence (8), URL hash (8)
//	queue       host hash (8), 1, depth (2), sequence (8),          empty
//	            URL hash (8)
//	row         host hash (8), URL hash (8)                         Row
//	robots      host hash (8), scheme                               HostRobots
//	errand      host hash (8), URL hash (8), scheme, 0, asking host RobotsHop
//	answer      host hash (8), 0 or 1, URL hash (8)                 HopAnswer, 0 while it is being handed on
//	domain      hash of the domain's name (8)                       DomainState
//	alias       host hash (8), URL hash (8), sequence (8)           digest asked for (32, or none), name
//	await       host hash (8), URL hash (8), then both of the line  empty
//	unplaced    host hash (8), URL hash (8)                         version (8)
//
//	meta        name                                                see the names below
//	scope       the seed's text                                     empty
//	owed        number (8)                                          key of a row (16)
//	name        key of a name below files/                          the URL that has it
//	shipped     name of a file                                      rows, last byte (uvarints), fetcher
//
// A row has one queue entry exactly while its outcome is Waiting: of class 0 while it waits for another
// try, else of class 1. A host has one due entry exactly while [crawler.HostState.Due] says so. Depths are
// saturated at 65,535. Due comes first within a partition so that a reader that looks for due hosts can
// tell from whatever key it lands on whether the partition has any.
type kind byte

const (
	kindDue kind = 1 + iota
	kindHost
	kindTurn
	kindQueue
	kindRow
	kindRobots
	kindErrand
	kindAnswer
	kindDomain
	kindAlias
	kindAwait
	kindUnplaced
	hostKinds = iota
)

const (
	ownPartition      = 0xFFFF
	kindMeta     kind = 1
	kindScope    kind = 2
	kindOwed     kind = 3
	kindName     kind = 4
	kindShipped  kind = 5
	ownKinds          = kindShipped // the last of them
)

// Names of the ledger's own records.
const (
	metaSchema   = "schema"   // uvarint: version of keys and values
	metaLife     = "life"     // 16 bytes
	metaClock    = "clock"    // time of the newest commit; missing: nothing was ever committed
	metaPosition = "position" // uvarint: of the result queue
	metaSequence = "sequence" // uvarint: of rows
	metaTallies  = "tallies"  // JSON
	metaState    = "state"    // JSON
	metaWork     = "work"     // JSON
	metaRan      = "ran"      // uvarint: running time of the job, in nanoseconds

	// Of restored ledgers only; see [crawler.LedgerState].
	metaOrigin   = "origin"   // 16 bytes
	metaRestored = "restored" // time
	metaRecall   = "recall"   // empty; until the first start
	metaQuiet    = "quiet"    // time
)

const (
	classRetry = 0
	classReady = 1

	prefixBytes = 3                             // partition and kind
	hostBytes   = prefixBytes + 8               // with the host's hash
	rowBytes    = hostBytes + 8                 // of a row's key
	dueBytes    = prefixBytes + 8 + 8           // of a due entry's key
	readyBytes  = hostBytes + 1 + 2 + 8 + 8     // of a queue entry's key
	retryBytes  = hostBytes + 1 + 8 + 2 + 8 + 8 // of a retry entry's key
	maxDepthKey = math.MaxUint16
)

func appendPartition(b []byte, partition uint16, k kind) []byte {
	return append(binary.BigEndian.AppendUint16(b, partition), byte(k))
}

func appendHost(b []byte, k kind, h weburl.HostKey) []byte {
	b = appendPartition(b, uint16(h.Partition()), k)
	return binary.BigEndian.AppendUint64(b, uint64(h))
}

func appendRow(b []byte, k weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(appendHost(b, kindRow, k.Host), k.URL)
}

func appendDue(b []byte, h weburl.HostKey, due time.Time) []byte {
	b = appendPartition(b, uint16(h.Partition()), kindDue)
	b = binary.BigEndian.AppendUint64(b, orderOf(due))
	return binary.BigEndian.AppendUint64(b, uint64(h))
}

// appendDueValue is the value of a host's due entry.
func appendDueValue(b []byte, h *crawler.HostState, due time.Time) []byte {
	rank := h.Rank(due)
	b = append(append(b, h.Host...), 0)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, rank.Depth), rank.Lag)
}

// dueValueOf reads the value of a due entry. One without a rank has the least.
func dueValueOf(value []byte) (h weburl.Host, rank crawler.Rank) {
	name, rest, _ := bytes.Cut(value, []byte{0})
	rank.Lag = crawler.NoLag
	if len(rest) == 4 {
		rank.Depth, rank.Lag = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	}
	return weburl.Host(name), rank
}

// appendQueue is the key of a waiting row's queue entry.
func appendQueue(b []byte, k weburl.URLKey, r *crawler.Row) []byte {
	b = appendHost(b, kindQueue, k.Host)
	if r.Retrying() {
		b = append(b, classRetry)
		b = binary.BigEndian.AppendUint64(b, orderOf(r.RetryAt))
	} else {
		b = append(b, classReady)
	}
	b = binary.BigEndian.AppendUint16(b, depthKey(r.Depth))
	b = binary.BigEndian.AppendUint64(b, r.Sequence)
	return binary.BigEndian.AppendUint64(b, k.URL)
}

func appendRobots(b []byte, h weburl.HostKey, scheme string) []byte {
	return append(appendHost(b, kindRobots, h), scheme...)
}

func appendErrand(b []byte, hop *crawler.RobotsHop) []byte {
	b = appendErrands(b, hop.URL.Key())
	b = append(append(b, hop.Scheme...), 0)
	return append(b, hop.For...)
}

// appendErrands is what the keys of all errands begin with that wait for a URL.
func appendErrands(b []byte, k weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(appendHost(b, kindErrand, k.Host), k.URL)
}

func appendAnswer(b []byte, k weburl.URLKey, handing bool) []byte {
	class := byte(1)
	if handing {
		class = 0
	}
	return binary.BigEndian.AppendUint64(append(appendHost(b, kindAnswer, k.Host), class), k.URL)
}

func appendMeta(b []byte, name string) []byte {
	return append(appendPartition(b, ownPartition, kindMeta), name...)
}

func appendScope(b []byte, seed crawler.ScopeSeed) []byte {
	return append(appendPartition(b, ownPartition, kindScope), seed...)
}

func appendOwed(b []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPartition(b, ownPartition, kindOwed), number)
}

func depthKey(depth int) uint16 { return uint16(min(max(depth, 0), maxDepthKey)) }

// hostOf reads the host hash of a key of any kind but due.
func hostOf(key []byte) weburl.HostKey {
	if len(key) < hostBytes {
		return 0
	}
	return weburl.HostKey(binary.BigEndian.Uint64(key[prefixBytes:]))
}

// rowKeyOf reads the key of a row.
func rowKeyOf(key []byte) (weburl.URLKey, bool) {
	if len(key) != rowBytes {
		return weburl.URLKey{}, false
	}
	return weburl.URLKey{Host: hostOf(key), URL: binary.BigEndian.Uint64(key[hostBytes:])}, true
}

// queueEntry is what the key of a queue entry says.
type queueEntry struct {
	class   byte
	retryAt uint64 // order, see orderOf
	depth   uint16
	url     weburl.URLKey
}

func queueEntryOf(key []byte) (e queueEntry, ok bool) {
	if len(key) != readyBytes && len(key) != retryBytes {
		return e, false
	}
	e.class = key[hostBytes]
	rest := key[hostBytes+1:]
	if e.class == classRetry && len(key) == retryBytes {
		e.retryAt, rest = binary.BigEndian.Uint64(rest), rest[8:]
	} else if e.class != classReady || len(key) != readyBytes {
		return e, false
	}
	e.depth = binary.BigEndian.Uint16(rest)
	e.url = weburl.URLKey{Host: hostOf(key), URL: binary.BigEndian.Uint64(rest[2+8:])}
	return e, true
}

// dueEntryOf reads the key of a due entry.
func dueEntryOf(key []byte) (due uint64, h weburl.HostKey, ok bool) {
	if len(key) != dueBytes {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(key[prefixBytes:]), weburl.HostKey(binary.BigEndian.Uint64(key[prefixBytes+8:])), true
}

// prefixEnd is the first key after all that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// orderOf maps times to numbers in the same order; the zero time, which means "at once", comes first.
func orderOf(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(schema.Nanos(t)) ^ 1<<63
}

// timeOf is the time that orderOf was given, in UTC.
func timeOf(order uint64) time.Time {
	if order == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(order^1<<63)).UTC()
}

// owedNumber reads the key of an owed row.
func owedNumber(key []byte) uint64 {
	if len(key) != prefixBytes+8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[prefixBytes:])
}

func appendURLKey(b []byte, k kind, u weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(appendHost(b, k, u.Host), u.URL)
}

func appendAlias(b []byte, of weburl.URLKey, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(appendURLKey(b, kindAlias, of), sequence)
}

func appendAwait(b []byte, a crawler.Await) []byte {
	b = binary.BigEndian.AppendUint64(appendURLKey(b, kindAwait, a.At), uint64(a.Line.Host))
	return binary.BigEndian.AppendUint64(b, a.Line.URL)
}

func appendName(b []byte, key string) []byte {
	return append(appendPartition(b, ownPartition, kindName), key...)
}

func appendShipped(b []byte, name string) []byte {
	return append(appendPartition(b, ownPartition, kindShipped), name...)
}
