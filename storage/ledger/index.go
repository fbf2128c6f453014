package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// dueEntry is an entry of the order of due hosts, without the name.
type dueEntry struct {
	due  uint64 // order, see OrderOf
	host weburl.HostKey
}

func (e dueEntry) compare(o dueEntry) int {
	return cmp.Or(cmp.Compare(e.due, o.due), cmp.Compare(e.host, o.host))
}

// noneDue is the floor of a partition without due hosts.
const noneDue = math.MaxUint64

// dueFloors knows for each partition a time before which no host of it is due, so that Due looks only where
// the earliest are, and not at all the entries that were removed before them. A floor may be too
// low, never too high.
type dueFloors struct {
	mu      sync.Mutex
	at      [weburl.Partitions]uint64
	version [weburl.Partitions]uint64 // counts the lowerings
}

// lower takes an entry into account that was committed. The caller holds mu.
func (f *dueFloors) lower(due uint64, h weburl.HostKey) {
	p := h.Partition()
	f.at[p] = min(f.at[p], due)
	f.version[p]++
}

func (f *dueFloors) read() (at, version [weburl.Partitions]uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.version
}

// raise notes that a reader found no entry of a partition before due, unless something was put since the
// reader began.
func (f *dueFloors) raise(p int, version, due uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version[p] == version {
		f.at[p] = due
	}
}

// Due reads up to n entries of the order of due hosts, earliest first. It merges the partitions, looking
// into those alone that may have one of the n.
func (l *Ledger) Due(n int) ([]crawler.DueHost, error) {
	if n <= 0 {
		return nil, nil
	}
	floors, versions := l.due.read()
	var order [weburl.Partitions]int
	for p := range order {
		order[p] = p
	}
	slices.SortFunc(order[:], func(a, b int) int { return cmp.Compare(floors[a], floors[b]) })
	it, err := l.db.NewIter(nil)
	if err != nil {
		return nil, l.readError("order of hosts", err)
	}
	defer it.Close()
	best := dueSelection{n: n}
	for _, p := range order {
		if floors[p] == noneDue || best.full() && floors[p] >= best.last() {
			break
		}
		first, err := l.dueOf(it, p, floors[p], &best)
		if err != nil {
			return nil, err
		}
		l.due.raise(p, versions[p], first)
	}
	return best.sorted(), l.failure()
}

// dueOf offers the entries of a partition to the selection, and tells when the first is due.
func (l *Ledger) dueOf(it *pebble.Iterator, p int, floor uint64, best *dueSelection) (first uint64, err error) {
	first = noneDue
	var seek [format.DueBytes]byte
	prefix := format.AppendPartition(seek[:0], uint16(p), format.KindDue)
	from := format.AppendDue(make([]byte, 0, format.DueBytes), weburl.HostKey(p)<<56, format.TimeOf(floor))
	for ok := it.SeekGE(from); ok; ok = it.Next() {
		key := it.Key()
		if len(key) < format.PrefixBytes || string(key[:format.PrefixBytes]) != string(prefix) {
			break
		}
		due, host, valid := format.DueEntryOf(key)
		if !valid {
			return 0, l.damage(fmt.Sprintf("due entry %x", key), format.ErrLength)
		}
		first = min(first, due)
		if best.full() && due >= best.last() { // of equal ones any will do
			break
		}
		best.add(dueEntry{due, host}, it.Value())
	}
	if err := it.Error(); err != nil {
		return 0, l.readError("order of hosts", err)
	}
	return first, nil
}

// dueSelection keeps the n earliest entries it was offered, sorted.
type dueSelection struct {
	n       int
	entries []dueEntry
	values  map[weburl.HostKey]crawler.DueHost // what their values say
}

func (s *dueSelection) full() bool   { return len(s.entries) >= s.n }
func (s *dueSelection) last() uint64 { return s.entries[s.n-1].due }

func (s *dueSelection) add(e dueEntry, value []byte) {
	if s.values == nil {
		s.values = make(map[weburl.HostKey]crawler.DueHost)
	}
	s.entries = append(s.entries, e)
	name, rank := format.DueValueOf(value)
	s.values[e.host] = crawler.DueHost{Due: format.TimeOf(e.due), Rank: rank, Host: name}
	if len(s.entries) == s.n || len(s.entries) >= 2*s.n {
		s.cut()
	}
}

// cut sorts, and gives up what is beyond n.
func (s *dueSelection) cut() {
	slices.SortFunc(s.entries, dueEntry.compare)
	if len(s.entries) > s.n {
		for _, e := range s.entries[s.n:] {
			delete(s.values, e.host)
		}
		s.entries = s.entries[:s.n]
	}
}

func (s *dueSelection) sorted() []crawler.DueHost {
	s.cut()
	out := make([]crawler.DueHost, len(s.entries))
	for i, e := range s.entries {
		out[i] = s.values[e.host]
	}
	return out
}

// Hosts reads every host, in key order, as of the moment the reading begins. It ends after an error.
func (l *Ledger) Hosts() iter.Seq2[crawler.HostState, error] { return l.HostsFrom(0) }

// HostsFrom reads the hosts from a key on, as Hosts does.
func (l *Ledger) HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error] {
	return l.hostsOf(l.db, from)
}

// RowsFrom reads the rows from a key on, as they are stored, in key order, as of the moment the reading begins. It ends
// after an error.
func (l *Ledger) RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		c, err := l.cursor(l.db, format.KindRow)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.close()
		for ok := c.from(format.AppendRow(nil, from)); ok; ok = c.next() {
			row, err := format.StoredRow(c.it.Value())
			if err != nil {
				yield(nil, l.damage(fmt.Sprintf("row %x", c.it.Key()), err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := c.err(); err != nil {
			yield(nil, err)
		}
	}
}

func (l *Ledger) hostsOf(r pebble.Reader, from weburl.HostKey) iter.Seq2[crawler.HostState, error] {
	return func(yield func(crawler.HostState, error) bool) {
		c, err := l.cursor(r, format.KindHost)
		if err != nil {
			yield(crawler.HostState{}, err)
			return
		}
		defer c.close()
		for ok := c.from(format.AppendHost(nil, format.KindHost, from)); ok; ok = c.next() {
			h, err := format.Stored(records.Host, c.it.Value())
			if err != nil {
				yield(h, l.damage(fmt.Sprintf("host %016x", uint64(format.HostOf(c.it.Key()))), err))
				return
			}
			if !yield(h, nil) {
				return
			}
		}
		if err := c.err(); err != nil {
			yield(crawler.HostState{}, err)
		}
	}
}

// Beyond counts a host's waiting rows deeper than depth, leased ones and retries included. A depth below 0
// is no limit: nothing is beyond it. Depths over 65,535 count as 65,535.
func (l *Ledger) Beyond(h weburl.Host, depth int) (int64, error) {
	if depth < 0 {
		return 0, nil
	}
	var n int64
	it, err := l.iter(l.db, format.AppendHost(nil, format.KindQueue, h.Key()))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	limit := format.DepthKey(depth)
	q := queueReader{it: it, host: h.Key()}
	for ok := it.First(); ok && q.bad == nil; {
		e, _ := q.entry()
		if e.Depth > limit {
			n++
			ok = it.Next()
		} else if e.Class == format.ClassReady && limit < format.MaxDepthKey {
			ok = it.SeekGE(q.readyFrom(limit + 1)) // all deeper ones follow each other
		} else {
			ok = it.Next()
		}
	}
	if err := it.Error(); err != nil {
		return 0, l.readError("queue of "+string(h), err)
	}
	if q.bad != nil {
		return 0, l.damage(fmt.Sprintf("queue entry %x", q.bad), errors.New("is no queue entry"))
	}
	return n, l.failure()
}

// EachRobots calls visit for the robots file of each host and scheme, in the order of hosts, until it returns an error.
func (l *Ledger) EachRobots(visit func(weburl.HostKey, crawler.HostRobots) error) error {
	c, err := l.cursor(l.db, format.KindRobots)
	if err != nil {
		return err
	}
	defer c.close()
	for c.next() {
		f, err := format.Stored(records.HostRobots, c.it.Value())
		if err != nil {
			return l.damage(fmt.Sprintf("robots file of host %016x", uint64(c.host())), err)
		}
		if err := visit(c.host(), f); err != nil {
			return err
		}
	}
	return c.err()
}
