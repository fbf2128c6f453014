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
	later   frontHeap                  // by due time
	ready   frontHeap                  // those that pop found due, by window and depth
	passed  frontHeap                  // those that pop found due and that passed others, by when they were due before
	oldest  frontHeap                  // both of these, by due time
	at      map[weburl.Host]frontPlace // the truth; frontHeap entries that differ are stale
	horizon int64                 // unix nanoseconds; MaxInt64: all hosts are in memory
}

// place is a host's place in the order.
type frontPlace struct {
	due  int64
	rank crawler.Rank
}

// before is when the host was due for its newest turn, or a little later; only of one with a lag.
func (p frontPlace) before() int64 { return p.due - int64(p.rank.Lag)*int64(time.Millisecond) }

type frontEntry struct {
	frontPlace
	host weburl.Host
}

// NewWindow makes a window that knows nothing yet: the first refill reads the ledger. A size of 0 is [DefaultWindowHosts].
func NewWindow(size int) *Window {
	if size <= 0 {
		size = DefaultWindowHosts
	}
	// The horizon begins in the past: nothing is known.
	return &Window{
		size: size, at: make(map[weburl.Host]frontPlace), horizon: math.MinInt64,
		later: frontHeap{less: sooner}, oldest: frontHeap{less: sooner}, ready: frontHeap{less: shallower},
		passed: frontHeap{less: func(a, b frontEntry) bool { return a.before() < b.before() }},
	}
}

// sooner orders by due time.
func sooner(a, b frontEntry) bool { return a.due < b.due }

// shallower orders hosts that are due.
func shallower(a, b frontEntry) bool {
	return cmp.Or(cmp.Compare(window(a.due), window(b.due)), cmp.Compare(a.rank.Depth, b.rank.Depth), cmp.Compare(a.due, b.due)) < 0
}

// window is [crawler.DueWindowOf] of a a time here.
func window(due int64) int64 { return due / int64(crawler.DueWindow) }

// Set notes when a host is due, after that was committed.
func (f *Window) Set(h weburl.Host, due time.Time, rank crawler.Rank) {
	at := frontPlace{frontTime(due), rank}
	if at.due > f.horizon {
		delete(f.at, h)
		return
	}
	if now, known := f.at[h]; known && now == at {
		return
	}
	f.at[h] = at
	f.later.push(frontEntry{at, h})
	if len(f.at) > 2*f.size || f.later.Len()+f.ready.Len()+f.passed.Len()+f.oldest.Len() > 8*f.size {
		f.shrink()
	}
}

// Remove forgets a host that is not due at all.
func (f *Window) Remove(h weburl.Host) { delete(f.at, h) }

// Next tells when the earliest host is due. ok is false when the window is empty: nothing is due, unless
// [Window.Stale] says that the ledger must be read.
func (f *Window) Next() (due time.Time, ok bool) {
	f.dropStale()
	switch {
	case f.oldest.Len() > 0:
		return time.Unix(0, f.oldest.entries[0].due), true
	case f.later.Len() > 0:
		return time.Unix(0, f.later.entries[0].due), true
	}
	return time.Time{}, false
}

// First is the host that [Window.Next] is about.
func (f *Window) First() (weburl.Host, bool) {
	f.dropStale()
	switch {
	case f.oldest.Len() > 0:
		return f.oldest.entries[0].host, true
	case f.later.Len() > 0:
		return f.later.entries[0].host, true
	}
	return "", false
}

// Size is how many hosts a refill is to bring.
func (f *Window) Size() int { return f.size }

// Len counts the hosts in the window; whole says that the ledger has no others that are due at some time.
func (f *Window) Len() (n int, whole bool) { return len(f.at), f.horizon == math.MaxInt64 }

// Due counts the hosts that are due.
func (f *Window) Due(now time.Time) (n int64) {
	for _, at := range f.at {
		if at.due <= now.UnixNano() {
			n++
		}
	}
	return n
}

// Pop takes the first of the hosts that are due.
func (f *Window) Pop(now time.Time) (weburl.Host, bool) {
	f.dropStale()
	for f.later.Len() > 0 && f.later.entries[0].due <= now.UnixNano() &&
		(f.oldest.Len() == 0 || window(f.later.entries[0].due) <= window(f.oldest.entries[0].due)) { // later windows can wait
		e := f.later.pop()
		f.oldest.push(e)
		if e.rank.Lag == crawler.NoLag {
			f.ready.push(e)
		} else {
			f.passed.push(e)
		}
		f.later.dropStale(f.at)
	}
	if f.oldest.Len() == 0 {
		return "", false
	}
	// The oldest itself never waits for others: it was due before that only earlier.
	for f.passed.Len() > 0 && f.passed.entries[0].before() <= f.oldest.entries[0].due {
		f.ready.push(f.passed.pop())
		f.passed.dropStale(f.at)
	}
	f.ready.dropStale(f.at)
	e := f.ready.pop()
	delete(f.at, e.host)
	return e.host, true
}

// Stale reports whether the window is empty though the ledger may have more.
func (f *Window) Stale() bool {
	f.dropStale()
	return f.later.Len()+f.oldest.Len() == 0 && f.horizon != math.MaxInt64
}

// Fill takes what the ledger read as its earliest hosts; it asked for want of them.
func (f *Window) Fill(hosts []crawler.DueHost, want int) {
	f.ready.entries, f.passed.entries, f.oldest.entries, f.later.entries = nil, nil, nil, f.later.entries[:0]
	f.at = make(map[weburl.Host]frontPlace, len(hosts))
	f.horizon = math.MaxInt64
	for _, h := range hosts {
		at := frontPlace{frontTime(h.Due), h.Rank}
		f.at[h.Host] = at
		f.later.entries = append(f.later.entries, frontEntry{at, h.Host})
	}
	if len(hosts) >= want && len(hosts) > 0 {
		f.horizon = frontTime(hosts[len(hosts)-1].Due)
	}
	slices.SortFunc(f.later.entries, func(a, b frontEntry) int { return cmp.Compare(a.due, b.due) }) // so a frontHeap
}

// dropStale drops stale entries from the tops.
func (f *Window) dropStale() {
	for _, h := range []*frontHeap{&f.later, &f.ready, &f.passed, &f.oldest} {
		h.dropStale(f.at)
	}
}

// shrink keeps the earliest hosts and draws the horizon at the last of them.
func (f *Window) shrink() {
	all := make([]frontEntry, 0, len(f.at))
	for h, at := range f.at {
		all = append(all, frontEntry{at, h})
	}
	slices.SortFunc(all, func(a, b frontEntry) int { return cmp.Compare(a.due, b.due) })
	if len(all) > f.size {
		all = slices.Clone(all[:f.size])
		f.horizon = all[f.size-1].due
		f.at = make(map[weburl.Host]frontPlace, f.size)
		for _, e := range all {
			f.at[e.host] = e.frontPlace
		}
	}
	f.later.entries, f.ready.entries, f.passed.entries, f.oldest.entries = all, nil, nil, nil // in order, so a frontHeap already
}

// frontTime maps the zero time ("at once") below every other.
func frontTime(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixNano()
}

type frontHeap struct {
	entries []frontEntry
	less    func(a, b frontEntry) bool
}

// dropStale drops entries from the top that do not say where their host is.
func (h *frontHeap) dropStale(at map[weburl.Host]frontPlace) {
	for len(h.entries) > 0 {
		e := h.entries[0]
		if now, known := at[e.host]; known && now == e.frontPlace {
			return
		}
		h.pop()
	}
}

func (h *frontHeap) Len() int { return len(h.entries) }

func (h *frontHeap) push(e frontEntry) {
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

func (h *frontHeap) pop() frontEntry {
	top, last := h.entries[0], len(h.entries)-1
	h.entries[0] = h.entries[last]
	h.entries[last] = frontEntry{}
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
