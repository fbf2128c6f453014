package scheduler

import (
	"container/heap"
	"math"
	"time"

	"trawl/crawler"
)

// DefaultFrontHosts is how many hosts the front keeps in memory; about 100 bytes each.
const DefaultFrontHosts = 1 << 16

// front is the order of hosts by when they may next be asked, as far as it is kept in memory: all hosts that are
// due up to the horizon, while later ones are in the ledger only. It holds at most twice its size, then
// the later half is given up and the horizon comes nearer; when it runs empty it is filled again.
// Owned by the loop.
type front struct {
	size    int
	entries frontHeap
	due     map[crawler.Host]int64 // the truth; heap entries that differ are stale
	horizon int64                  // unix nanoseconds; MaxInt64: all hosts are in memory
}

type frontEntry struct {
	due  int64
	host crawler.Host
}

func newFront(size int) *front {
	if size <= 0 {
		size = DefaultFrontHosts
	}
	// The horizon begins in the past: nothing is known, the first refill reads the ledger.
	return &front{size: size, due: make(map[crawler.Host]int64), horizon: math.MinInt64}
}

// set notes when a host is due, after that was committed.
func (f *front) set(h crawler.Host, due time.Time) {
	at := frontTime(due)
	if at > f.horizon {
		delete(f.due, h)
		return
	}
	if now, known := f.due[h]; known && now == at {
		return
	}
	f.due[h] = at
	heap.Push(&f.entries, frontEntry{at, h})
	if len(f.due) > 2*f.size || len(f.entries) > 8*f.size {
		f.shrink()
	}
}

// remove forgets a host that is not due at all.
func (f *front) remove(h crawler.Host) { delete(f.due, h) }

// next tells when the earliest host is due. ok is false when the window is empty: nothing is due, unless
// stale() says that the ledger must be read.
func (f *front) next() (due time.Time, ok bool) {
	f.settle()
	if len(f.entries) == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, f.entries[0].due), true
}

// pop takes the earliest host that is due.
func (f *front) pop(now time.Time) (crawler.Host, bool) {
	f.settle()
	if len(f.entries) == 0 || f.entries[0].due > now.UnixNano() {
		return "", false
	}
	e := heap.Pop(&f.entries).(frontEntry)
	delete(f.due, e.host)
	return e.host, true
}

// stale reports whether the window is empty though the ledger may have more.
func (f *front) stale() bool {
	f.settle()
	return len(f.entries) == 0 && f.horizon != math.MaxInt64
}

// fill takes what the ledger read as its earliest hosts; it asked for want of them.
func (f *front) fill(hosts []crawler.DueHost, want int) {
	f.entries, f.due = f.entries[:0], make(map[crawler.Host]int64, len(hosts))
	f.horizon = math.MaxInt64
	for _, h := range hosts {
		at := frontTime(h.Due)
		f.due[h.Host] = at
		f.entries = append(f.entries, frontEntry{at, h.Host})
	}
	if len(hosts) >= want && len(hosts) > 0 {
		f.horizon = frontTime(hosts[len(hosts)-1].Due)
	}
	heap.Init(&f.entries)
}

// settle drops stale entries from the top.
func (f *front) settle() {
	for len(f.entries) > 0 {
		e := f.entries[0]
		if due, known := f.due[e.host]; known && due == e.due {
			return
		}
		heap.Pop(&f.entries)
	}
}

// shrink keeps the earliest hosts and draws the horizon at the last of them.
func (f *front) shrink() {
	kept := make(frontHeap, 0, f.size)
	due := make(map[crawler.Host]int64, f.size)
	for len(kept) < f.size {
		f.settle()
		if len(f.entries) == 0 {
			break
		}
		e := heap.Pop(&f.entries).(frontEntry)
		if _, twice := due[e.host]; twice {
			continue
		}
		kept, due[e.host] = append(kept, e), e.due
	}
	f.settle()
	if len(f.entries) > 0 {
		f.horizon = kept[len(kept)-1].due
	}
	f.entries, f.due = kept, due // in order, so a heap already
}

// frontTime maps the zero time ("at once") below every other.
func frontTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

type frontHeap []frontEntry

func (h frontHeap) Len() int           { return len(h) }
func (h frontHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h frontHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *frontHeap) Push(x any)        { *h = append(*h, x.(frontEntry)) }
func (h *frontHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
