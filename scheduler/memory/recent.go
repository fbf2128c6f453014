package memory

import "trawl/crawler/weburl"

// DefaultRecentLinks is how many keys of URLs known of late are kept in memory, 16 bytes each. Most links
// of a page lead to pages that were just seen; they end here and never reach the ledger.
const DefaultRecentLinks = 1 << 20

// leastRecentLinks is how many there is room for at first: a small crawl does not pay for the memory of a large one.
const leastRecentLinks = 1 << 16

// Recent is a cache of keys that the ledger is known to hold: each key has one place, and a newer one takes
// it. It may forget, and never says yes wrongly. Keys are added only after their commit.
type Recent struct {
	keys  []weburl.URLKey
	mask  uint64
	most  int // places that there may be
	taken int // places that have a key
}

// NewRecent makes an empty cache that grows to a size. 0 is [DefaultRecentLinks].
func NewRecent(size int) *Recent {
	if size <= 0 {
		size = DefaultRecentLinks
	}
	r := &Recent{most: size}
	n := 1
	for n < min(size, leastRecentLinks) {
		n *= 2
	}
	r.resize(n)
	return r
}

func (r *Recent) resize(n int) {
	before := r.keys
	r.keys, r.mask, r.taken = make([]weburl.URLKey, n), uint64(n-1), 0
	for _, k := range before {
		if k != (weburl.URLKey{}) {
			r.put(k)
		}
	}
}

func (r *Recent) place(k weburl.URLKey) *weburl.URLKey {
	return &r.keys[(uint64(k.Host)*0x9e3779b97f4a7c15^k.URL)&r.mask]
}

// Has reports whether the ledger is known to hold the key.
func (r *Recent) Has(k weburl.URLKey) bool { return *r.place(k) == k && k != weburl.URLKey{} }

// Add notes that the ledger holds the key.
func (r *Recent) Add(k weburl.URLKey) {
	if r.put(k); r.taken > len(r.keys)/2 && len(r.keys) < r.most {
		r.resize(2 * len(r.keys))
	}
}

func (r *Recent) put(k weburl.URLKey) {
	p := r.place(k)
	if *p == (weburl.URLKey{}) {
		r.taken++
	}
	*p = k
}
