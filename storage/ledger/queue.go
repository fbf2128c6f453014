package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

const (
	// maxQueueFloors is how many hosts' queues have a floor, about 250 bytes each.
	maxQueueFloors = 1 << 14
	// maxRemoved is how many removed entries a reader may step over before the queue gets a floor: most hosts never need one.
	maxRemoved = 64
)

// queueFloor is for each class of a host's queue entries a key before which there is none, nil where nothing is known. It may be too low,
// never too high.
type queueFloor [2][]byte

// queueFloors are the floors of large queues, so that a turn of a host does not step over all that the turns before took: the database
// keeps what was removed until it merges its tables, and a reader walks over it.
type queueFloors struct {
	mu  sync.Mutex
	at  map[weburl.HostKey]queueFloor
	put uint64 // counts the entries that were put, of any host
}

// of is a host's floor at the begin of a reading, and what raise wants to know of that moment.
func (f *queueFloors) of(h weburl.HostKey) (floor queueFloor, known bool, put uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	floor, known = f.at[h]
	return floor, known, f.put
}

// lower takes an entry into account that was committed. The caller holds mu.
func (f *queueFloors) lower(key []byte) {
	f.put++
	floor, known := f.at[format.HostOf(key)]
	if !known || len(key) <= format.HostBytes || int(key[format.HostBytes]) >= len(floor) {
		return
	}
	if from := &floor[key[format.HostBytes]]; *from != nil && bytes.Compare(key, *from) < 0 {
		*from = slices.Clone(key)
		f.at[format.HostOf(key)] = floor
	}
}

// raise notes what a reader found, unless something was put since it began.
func (f *queueFloors) raise(h weburl.HostKey, put uint64, floor queueFloor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.put != put {
		return
	}
	if _, known := f.at[h]; !known && len(f.at) >= maxQueueFloors {
		for victim := range f.at { // any: its next reader walks once more
			delete(f.at, victim)
			break
		}
	}
	if f.at == nil {
		f.at = make(map[weburl.HostKey]queueFloor)
	}
	f.at[h] = floor
}

// Queue reads up to n waiting rows of a host in the order in which they are to be asked for: retries that
// are due, oldest first, then by depth (not beyond maxDepth, -1 = all) and order of admission. nextRetry
// is when the earliest retry that is not due yet is due, zero when there is none. Rows that a turn has leased
// are among them.
func (l *Ledger) Queue(h weburl.Host, now time.Time, maxDepth, n int) (rows []*crawler.Row, nextRetry time.Time, err error) {
	floor, known, put := l.queues.of(h.Key())
	snap := l.db.NewSnapshot()
	defer snap.Close()
	it, err := l.iter(snap, format.AppendHost(nil, format.KindQueue, h.Key()))
	if err != nil {
		return nil, nextRetry, err
	}
	q := queueReader{it: it, host: h.Key(), floor: floor, now: format.OrderOf(now), maxDepth: format.MaxDepthKey, n: n}
	if maxDepth >= 0 && maxDepth < format.MaxDepthKey {
		q.maxDepth = uint16(maxDepth)
	}
	q.retries()
	q.ready()
	steps := it.Stats().ForwardStepCount[pebble.InternalIterCall]
	if err = errors.Join(it.Error(), it.Close()); err != nil {
		return nil, nextRetry, l.readError("queue of "+string(h), err)
	}
	if q.bad != nil {
		return nil, nextRetry, l.damage(fmt.Sprintf("queue entry %x", q.bad), format.ErrLength)
	}
	if known || steps > len(q.urls)+maxRemoved {
		l.queues.raise(h.Key(), put, q.floor)
	}
	rows, err = l.rowsOf(snap, q.urls)
	return rows, format.TimeOf(q.next), err
}

// queueReader walks the queue of one host.
type queueReader struct {
	it       *pebble.Iterator
	host     weburl.HostKey
	floor    queueFloor // as it was, and as it is found to be
	now      uint64
	maxDepth uint16
	n        int

	urls []weburl.URLKey
	next uint64 // earliest retry that is not due
	bad  []byte // key that is none
}

// first stands on the first entry of a class, and notes that it is.
func (q *queueReader) first(class byte) bool {
	prefix := append(format.AppendHost(nil, format.KindQueue, q.host), class)
	end := format.PrefixEnd(prefix)
	from := q.floor[class]
	if from == nil {
		from = prefix
	}
	if bytes.Equal(from, end) || q.it.Error() != nil {
		return false
	}
	q.it.SetBounds(from, end)
	ok := q.it.First()
	if q.floor[class] = end; ok {
		q.floor[class] = slices.Clone(q.it.Key())
	}
	return ok
}

// retries takes the retries that are due, and finds the first that is not.
func (q *queueReader) retries() {
	for ok := q.first(format.ClassRetry); ok; {
		e, valid := q.entry()
		switch {
		case !valid:
			return
		case e.Depth > q.maxDepth:
			ok = q.it.Next()
		case e.RetryAt > q.now:
			q.next = e.RetryAt
			return
		case len(q.urls) < q.n:
			q.urls = append(q.urls, e.URL)
			ok = q.it.Next()
		default:
			ok = q.it.SeekGE(binary.BigEndian.AppendUint64(append(format.AppendHost(nil, format.KindQueue, q.host), format.ClassRetry), q.now+1))
		}
	}
}

// ready takes what waits for its first try.
func (q *queueReader) ready() {
	for ok := len(q.urls) < q.n && q.first(format.ClassReady); ok && len(q.urls) < q.n; ok = q.it.Next() {
		e, valid := q.entry()
		if !valid || e.Depth > q.maxDepth {
			return
		}
		q.urls = append(q.urls, e.URL)
	}
}

// readyFrom is where the ready entries of a depth begin.
func (q *queueReader) readyFrom(depth uint16) []byte {
	return binary.BigEndian.AppendUint16(append(format.AppendHost(nil, format.KindQueue, q.host), format.ClassReady), depth)
}

func (q *queueReader) entry() (format.QueueEntry, bool) {
	e, ok := format.QueueEntryOf(q.it.Key())
	if !ok {
		q.bad = slices.Clone(q.it.Key())
	}
	return e, ok
}
