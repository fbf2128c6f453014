package core

import (
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// DefaultRecentLinks is how many keys of URLs known of late are kept in memory, 16 bytes each. Most links
// of a page lead to pages that were just seen; they end here and never reach the ledger.
const DefaultRecentLinks = 1 << 20

// recent is a cache of keys that the ledger is known to hold: each key has one place, and a newer one takes
// it. It may forget, and never says yes wrongly. Keys are added only after their commit. Owned by the loop.
type recent struct {
	keys []weburl.URLKey
	mask uint64
}

func newRecent(size int) *recent {
	n := 1
	for n < size {
		n *= 2
	}
	return &recent{keys: make([]weburl.URLKey, n), mask: uint64(n - 1)}
}

func (r *recent) place(k weburl.URLKey) *weburl.URLKey {
	return &r.keys[(uint64(k.Host)*0x9e3779b97f4a7c15^k.URL)&r.mask]
}

func (r *recent) has(k weburl.URLKey) bool { return *r.place(k) == k && k != weburl.URLKey{} }
func (r *recent) add(k weburl.URLKey)      { *r.place(k) = k }

// note adds a row that the ledger holds already, unless a shorter way to it may still matter.
func (r *recent) note(st *Step, row *crawler.Row) {
	if row.Outcome == crawler.Waiting && st.tooDeep(row.Depth) {
		return
	}
	r.add(row.Key())
}
