package memory

import (
	"cmp"
	"math"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// DefaultWindowHosts is how many hosts a window has; about 120 bytes each.
const DefaultWindowHosts = 1 << 16

// Window is the order of hosts by when they became due, as far as it is kept in memory: all hosts that are
// due up to the horizon, while later ones are in the ledger only. It holds at most twice its size, then
// the later half is given up and the horizon comes nearer; when it runs empty it is filled again.
// Of the hosts that are due now the one of the earliest window and, within that, of the least depth comes first, but none that
// waits for those that it passed before (see [crawler.Rank]). Hosts beyond the horizon became due later than all of these and wait
// until it is moved.
type Window struct {
	size    int
	later   heap                  // by due time
	ready   heap                  // those that pop found due, by window and depth
	passed  heap                  // those that pop found due and that passed others, by when they were due before
	oldest  heap                  // both of these, by due time
	at      map[weburl.Host]place // the truth; heap entries that differ are stale
	horizon int64                 // unix nanoseconds; MaxInt64: all hosts are in memory
}

// place is a host's place in the order.
type place struct {
	due  int64
	rank crawler.Rank
}

// before is when the host was due for its newest turn, or a little later; only of one with a lag.
func (p place) before() int64 { return p.due - int64(p.rank.Lag)*int64(time.Millisecond) }

type entry struct {
	place
	host weburl.Host
}

// NewWindow makes a window that knows nothing yet: the first refill reads the ledger. A size of 0 is [DefaultWindowHosts].
func NewWindow(size int) *Window {
	if size <= 0 {
		size = DefaultWindowHosts
	}
	// The horizon begins in the past: nothing is known.
	return &Window{
		size: size, at: make(map[weburl.Host]place), horizon: math.MinInt64,
		later: heap{less: sooner}, oldest: heap{less: sooner}, ready: heap{less: shallower},
		passed: heap{less: func(a, b entry) bool { return a.before() < b.before() }},
	}
}

// sooner orders by due time.
func sooner(a, b entry) bool { return a.due < b.due }

// shallower orders hosts that are due.
func shallower(a, b entry) bool {
	return cmp.Or(cmp.Compare(window(a.due), window(b.due)), cmp.Compare(a.rank.Depth, b.rank.Depth), cmp.Compare(a.due, b.due)) < 0
}

// window is [crawler.DueWindowOf] of a a time here.
func window(due int64) int64 { return due / int64(crawler.DueWindow) }

// Set notes when a host is due, after that was committed.
func (w *Window) Set(h weburl.Host, due time.Time, rank crawler.Rank) {
	at := place{unixTime(due), rank}
	if at.due > w.horizon {
		delete(w.at, h)
		return
	}
	if now, known := w.at[h]; known && now == at {
		return
	}
	w.at[h] = at
	w.later.push(entry{at, h})
	if len(w.at) > 2*w.size || w.later.Len()+w.ready.Len()+w.passed.Len()+w.oldest.Len() > 8*w.size {
		w.shrink()
	}
}

// Remove forgets a host that is not due at all.
func (w *Window) Remove(h weburl.Host) { delete(w.at, h) }

// Next reports when the earliest host is due. ok is false when the window is empty: nothing is due, unless
// [Window.Stale] says that the ledger must be read.
func (w *Window) Next() (due time.Time, ok bool) {
	w.dropStale()
	switch {
	case w.oldest.Len() > 0:
		return time.Unix(0, w.oldest.entries[0].due), true
	case w.later.Len() > 0:
		return time.Unix(0, w.later.entries[0].due), true
	}
	return time.Time{}, false
}

// First is the host that [Window.Next] is about.
func (w *Window) First() (weburl.Host, bool) {
	w.dropStale()
	switch {
	case w.oldest.Len() > 0:
		return w.oldest.entries[0].host, true
	case w.later.Len() > 0:
		return w.later.entries[0].host, true
	}
	return "", false
}

// Size is how many hosts a refill is to bring.
func (w *Window) Size() int { return w.size }

// Len counts the hosts in the window; whole says that the ledger has no others that are due at some time.
func (w *Window) Len() (n int, whole bool) { return len(w.at), w.horizon == math.MaxInt64 }

// Due counts the hosts that are due.
func (w *Window) Due(now time.Time) (n int64) {
	for _, at := range w.at {
		if at.due <= now.UnixNano() {
			n++
		}
	}
	return n
}

// Pop takes the first of the hosts that are due.
func (w *Window) Pop(now time.Time) (weburl.Host, bool) {
	w.dropStale()
	for w.later.Len() > 0 && w.later.entries[0].due <= now.UnixNano() &&
		(w.oldest.Len() == 0 || window(w.later.entries[0].due) <= window(w.oldest.entries[0].due)) { // later windows can wait
		e := w.later.pop()
		w.oldest.push(e)
		if e.rank.Lag == crawler.NoLag {
			w.ready.push(e)
		} else {
			w.passed.push(e)
		}
		w.later.dropStale(w.at)
	}
	if w.oldest.Len() == 0 {
		return "", false
	}
	// The oldest itself never waits for others: it was due before that only earlier.
	for w.passed.Len() > 0 && w.passed.entries[0].before() <= w.oldest.entries[0].due {
		w.ready.push(w.passed.pop())
		w.passed.dropStale(w.at)
	}
	w.ready.dropStale(w.at)
	e := w.ready.pop()
	delete(w.at, e.host)
	return e.host, true
}

// Stale reports whether the window is empty though the ledger may have more.
func (w *Window) Stale() bool {
	w.dropStale()
	return w.later.Len()+w.oldest.Len() == 0 && w.horizon != math.MaxInt64
}

// Fill takes what the ledger read as its earliest hosts; it asked for want of them.
func (w *Window) Fill(hosts []crawler.DueHost, want int) {
	w.ready.entries, w.passed.entries, w.oldest.entries, w.later.entries = nil, nil, nil, w.later.entries[:0]
	w.at = make(map[weburl.Host]place, len(hosts))
	w.horizon = math.MaxInt64
	for _, h := range hosts {
		at := place{unixTime(h.Due), h.Rank}
		w.at[h.Host] = at
		w.later.entries = append(w.later.entries, entry{at, h.Host})
	}
	if len(hosts) >= want && len(hosts) > 0 {
		w.horizon = unixTime(hosts[len(hosts)-1].Due)
	}
	slices.SortFunc(w.later.entries, func(a, b entry) int { return cmp.Compare(a.due, b.due) }) // so a heap
}

// dropStale drops stale entries from the tops.
func (w *Window) dropStale() {
	for _, h := range []*heap{&w.later, &w.ready, &w.passed, &w.oldest} {
		h.dropStale(w.at)
	}
}

// shrink keeps the earliest hosts and draws the horizon at the last of them.
func (w *Window) shrink() {
	all := make([]entry, 0, len(w.at))
	for h, at := range w.at {
		all = append(all, entry{at, h})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.due, b.due) })
	if len(all) > w.size {
		all = slices.Clone(all[:w.size])
		w.horizon = all[w.size-1].due
		w.at = make(map[weburl.Host]place, w.size)
		for _, e := range all {
			w.at[e.host] = e.place
		}
	}
	w.later.entries, w.ready.entries, w.passed.entries, w.oldest.entries = all, nil, nil, nil // in order, so a heap already
}

// unixTime maps the zero time ("at once") below every other.
func unixTime(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixNano()
}

type heap struct {
	entries []entry
	less    func(a, b entry) bool
}

// dropStale drops entries from the top that do not say where their host is.
func (h *heap) dropStale(at map[weburl.Host]place) {
	for len(h.entries) > 0 {
		e := h.entries[0]
		if now, known := at[e.host]; known && now == e.place {
			return
		}
		h.pop()
	}
}

func (h *heap) Len() int { return len(h.entries) }

func (h *heap) push(e entry) {
	h.entries = append(h.entries, e)
	at := len(h.entries) - 1
	for at > 0 {
		parent := (at - 1) / 2
		if !h.less(h.entries[at], h.entries[parent]) {
			return
		}
		h.entries[at], h.entries[parent] = h.entries[parent], h.entries[at]
		at = parent
	}
}

func (h *heap) pop() entry {
	top, last := h.entries[0], len(h.entries)-1
	h.entries[0] = h.entries[last]
	h.entries[last] = entry{}
	h.entries = h.entries[:last]
	for at := 0; ; {
		least := 2*at + 1
		if least >= last {
			return top
		}
		if other := least + 1; other < last && h.less(h.entries[other], h.entries[least]) {
			least = other
		}
		if !h.less(h.entries[least], h.entries[at]) {
			return top
		}
		h.entries[at], h.entries[least] = h.entries[least], h.entries[at]
		at = least
	}
}
