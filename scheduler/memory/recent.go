package memory

import "trawl/crawler/weburl"

// DefaultRecentLinks is how many keys of URLs known of late are kept in memory, 16 bytes each. Most links
// of a page lead to pages that were just seen; they end here and never reach the ledger.
const DefaultRecentLinks = 1 << 20

// Recent is a cache of keys that the ledger is known to hold: each key has one place, and a newer one takes
// it. It may forget, and never says yes wrongly. Keys are added only after their commit.
type Recent struct {
	keys []weburl.URLKey
	mask uint64
}

// NewRecent makes an empty cache. A size of 0 is [DefaultRecentLinks].
func NewRecent(size int) *Recent {
	if size <= 0 {
		size = DefaultRecentLinks
	}
	n := 1
	for n < size {
		n *= 2
	}
	return &Recent{keys: make([]weburl.URLKey, n), mask: uint64(n - 1)}
}

func (r *Recent) place(k weburl.URLKey) *weburl.URLKey {
	return &r.keys[(uint64(k.Host)*0x9e3779b97f4a7c15^k.URL)&r.mask]
}

// Has reports whether the ledger is known to hold the key.
func (r *Recent) Has(k weburl.URLKey) bool { return *r.place(k) == k && k != weburl.URLKey{} }

// Add notes that the ledger holds the key.
func (r *Recent) Add(k weburl.URLKey) { *r.place(k) = k }
