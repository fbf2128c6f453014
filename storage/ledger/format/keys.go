package format

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
type Kind byte

const (
	KindDue Kind = 1 + iota
	KindHost
	KindTurn
	KindQueue
	KindRow
	KindRobots
	KindErrand
	KindAnswer
	KindDomain
	KindAlias
	KindAwait
	KindUnplaced
	HostKinds = iota
)

const (
	OwnPartition      = 0xFFFF
	kindMeta     Kind = 1
	kindScope    Kind = 2
	KindOwed     Kind = 3
	kindName     Kind = 4
	kindShipped  Kind = 5
	OwnKinds          = kindShipped // the last of them
)

// Names of the ledger's own records.
const (
	MetaSchema   = "schema"   // uvarint: version of keys and values
	MetaLife     = "life"     // 16 bytes
	MetaClock    = "clock"    // time of the newest commit; missing: nothing was ever committed
	MetaPosition = "position" // uvarint: of the result queue
	MetaSequence = "sequence" // uvarint: of rows
	MetaTallies  = "tallies"  // JSON
	MetaState    = "state"    // JSON
	MetaWork     = "work"     // JSON
	MetaRan      = "ran"      // uvarint: running time of the job, in nanoseconds

	// Of restored ledgers only; see [crawler.LedgerState].
	MetaOrigin   = "origin"   // 16 bytes
	MetaRestored = "restored" // time
	MetaRecall   = "recall"   // empty; until the first start
	MetaQuiet    = "quiet"    // time
)

const (
	ClassRetry = 0
	ClassReady = 1

	PrefixBytes = 3                             // partition and kind
	HostBytes   = PrefixBytes + 8               // with the host's hash
	RowBytes    = HostBytes + 8                 // of a row's key
	DueBytes    = PrefixBytes + 8 + 8           // of a due entry's key
	readyBytes  = HostBytes + 1 + 2 + 8 + 8     // of a queue entry's key
	retryBytes  = HostBytes + 1 + 8 + 2 + 8 + 8 // of a retry entry's key
	MaxDepthKey = math.MaxUint16
)

func AppendPartition(b []byte, partition uint16, k Kind) []byte {
	return append(binary.BigEndian.AppendUint16(b, partition), byte(k))
}

func AppendHost(b []byte, k Kind, h weburl.HostKey) []byte {
	b = AppendPartition(b, uint16(h.Partition()), k)
	return binary.BigEndian.AppendUint64(b, uint64(h))
}

func AppendRow(b []byte, k weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(AppendHost(b, KindRow, k.Host), k.URL)
}

func AppendDue(b []byte, h weburl.HostKey, due time.Time) []byte {
	b = AppendPartition(b, uint16(h.Partition()), KindDue)
	b = binary.BigEndian.AppendUint64(b, OrderOf(due))
	return binary.BigEndian.AppendUint64(b, uint64(h))
}

// AppendDueValue is the value of a host's due entry.
func AppendDueValue(b []byte, h *crawler.HostState, due time.Time) []byte {
	rank := h.Rank(due)
	b = append(append(b, h.Host...), 0)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, rank.Depth), rank.Lag)
}

// DueValueOf reads the value of a due entry. One without a rank has the least.
func DueValueOf(value []byte) (h weburl.Host, rank crawler.Rank) {
	name, rest, _ := bytes.Cut(value, []byte{0})
	rank.Lag = crawler.NoLag
	if len(rest) == 4 {
		rank.Depth, rank.Lag = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	}
	return weburl.Host(name), rank
}

// AppendQueue is the key of a waiting row's queue entry.
func AppendQueue(b []byte, k weburl.URLKey, r *crawler.Row) []byte {
	b = AppendHost(b, KindQueue, k.Host)
	if r.Retrying() {
		b = append(b, ClassRetry)
		b = binary.BigEndian.AppendUint64(b, OrderOf(r.RetryAt))
	} else {
		b = append(b, ClassReady)
	}
	b = binary.BigEndian.AppendUint16(b, DepthKey(r.Depth))
	b = binary.BigEndian.AppendUint64(b, r.Sequence)
	return binary.BigEndian.AppendUint64(b, k.URL)
}

func appendRobots(b []byte, h weburl.HostKey, scheme string) []byte {
	return append(AppendHost(b, KindRobots, h), scheme...)
}

func AppendErrand(b []byte, hop *crawler.RobotsHop) []byte {
	b = AppendErrands(b, hop.URL.Key())
	b = append(append(b, hop.Scheme...), 0)
	return append(b, hop.For...)
}

// AppendErrands is what the keys of all errands begin with that wait for a URL.
func AppendErrands(b []byte, k weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(AppendHost(b, KindErrand, k.Host), k.URL)
}

func AppendAnswer(b []byte, k weburl.URLKey, handing bool) []byte {
	class := byte(1)
	if handing {
		class = 0
	}
	return binary.BigEndian.AppendUint64(append(AppendHost(b, KindAnswer, k.Host), class), k.URL)
}

func AppendMeta(b []byte, name string) []byte {
	return append(AppendPartition(b, OwnPartition, kindMeta), name...)
}

func AppendScope(b []byte, seed crawler.ScopeSeed) []byte {
	return append(AppendPartition(b, OwnPartition, kindScope), seed...)
}

func AppendOwed(b []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendPartition(b, OwnPartition, KindOwed), number)
}

func DepthKey(depth int) uint16 { return uint16(min(max(depth, 0), MaxDepthKey)) }

// HostOf reads the host hash of a key of any kind but due.
func HostOf(key []byte) weburl.HostKey {
	if len(key) < HostBytes {
		return 0
	}
	return weburl.HostKey(binary.BigEndian.Uint64(key[PrefixBytes:]))
}

// RowKeyOf reads the key of a row.
func RowKeyOf(key []byte) (weburl.URLKey, bool) {
	if len(key) != RowBytes {
		return weburl.URLKey{}, false
	}
	return weburl.URLKey{Host: HostOf(key), URL: binary.BigEndian.Uint64(key[HostBytes:])}, true
}

// QueueEntry is what the key of a queue entry says.
type QueueEntry struct {
	Class   byte
	RetryAt uint64 // order, see OrderOf
	Depth   uint16
	URL     weburl.URLKey
}

func QueueEntryOf(key []byte) (e QueueEntry, ok bool) {
	if len(key) != readyBytes && len(key) != retryBytes {
		return e, false
	}
	e.Class = key[HostBytes]
	rest := key[HostBytes+1:]
	if e.Class == ClassRetry && len(key) == retryBytes {
		e.RetryAt, rest = binary.BigEndian.Uint64(rest), rest[8:]
	} else if e.Class != ClassReady || len(key) != readyBytes {
		return e, false
	}
	e.Depth = binary.BigEndian.Uint16(rest)
	e.URL = weburl.URLKey{Host: HostOf(key), URL: binary.BigEndian.Uint64(rest[2+8:])}
	return e, true
}

// DueEntryOf reads the key of a due entry.
func DueEntryOf(key []byte) (due uint64, h weburl.HostKey, ok bool) {
	if len(key) != DueBytes {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(key[PrefixBytes:]), weburl.HostKey(binary.BigEndian.Uint64(key[PrefixBytes+8:])), true
}

// PrefixEnd is the first key after all that begin with prefix.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// OrderOf maps times to numbers in the same order; the zero time, which means "at once", comes first.
func OrderOf(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(schema.Nanos(t)) ^ 1<<63
}

// TimeOf is the time that OrderOf was given, in UTC.
func TimeOf(order uint64) time.Time {
	if order == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(order^1<<63)).UTC()
}

// OwedNumber reads the key of an owed row.
func OwedNumber(key []byte) uint64 {
	if len(key) != PrefixBytes+8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[PrefixBytes:])
}

func AppendURLKey(b []byte, k Kind, u weburl.URLKey) []byte {
	return binary.BigEndian.AppendUint64(AppendHost(b, k, u.Host), u.URL)
}

func AppendAlias(b []byte, of weburl.URLKey, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendURLKey(b, KindAlias, of), sequence)
}

func appendAwait(b []byte, a crawler.Await) []byte {
	b = binary.BigEndian.AppendUint64(AppendURLKey(b, KindAwait, a.At), uint64(a.Line.Host))
	return binary.BigEndian.AppendUint64(b, a.Line.URL)
}

func AppendName(b []byte, key string) []byte {
	return append(AppendPartition(b, OwnPartition, kindName), key...)
}

func AppendShipped(b []byte, name string) []byte {
	return append(AppendPartition(b, OwnPartition, kindShipped), name...)
}
