package crawler

import "trawl/crawler/weburl"

const (
	// MaxScopeSeeds is how many of a job's scope seeds are kept in memory, about 40 bytes each. Those beyond it are looked up in the
	// ledger. The mark is BoundScope.
	MaxScopeSeeds = 1 << 19
	// maxPrefixLooks is how many directories of a path are looked up among seeds that are not in memory, the widest first.
	maxPrefixLooks = 64
)

// restOfSeeds are a scope's seeds that are not in memory.
type restOfSeeds struct {
	most   int                           // in memory
	stored func(ScopeSeed) (bool, error) // looks one up
	some   bool                          // there are any
	fresh  map[ScopeSeed]struct{}        // not stored yet
	err    error
}

// Bound keeps at most so many seeds in memory. Others are looked up by stored, which knows what [Scope.Stored] was said of; more
// tells that there are some already. Without it all are in memory.
func (s *Scope) Bound(most int, more bool, stored func(ScopeSeed) (bool, error)) {
	s.rest = restOfSeeds{most: most, stored: stored, some: more, fresh: make(map[ScopeSeed]struct{})}
}

// Beyond reports whether there are seeds that are not in memory.
func (s *Scope) Beyond() bool { return s.rest.some }

// Stored says that the seeds which were added are stored now.
func (s *Scope) Stored() { clear(s.rest.fresh) }

// Err is the first error of a look-up. What the scope decided since may be wrong.
func (s *Scope) Err() error { return s.rest.err }

func (r *restOfSeeds) add(seed ScopeSeed) {
	r.some = true
	r.fresh[seed] = struct{}{}
}

func (r *restOfSeeds) has(seed ScopeSeed) bool {
	if !r.some || r.err != nil {
		return false
	}
	if _, fresh := r.fresh[seed]; fresh {
		return true
	}
	stored, err := r.stored(seed)
	r.err = err
	return stored
}

func (s *Scope) restCovers(u weburl.URL) bool {
	if !s.rest.some {
		return false
	}
	n := 0
	for seed := range s.Openers(u) {
		if n++; n > maxPrefixLooks {
			break
		}
		if s.rest.has(seed) {
			return true
		}
	}
	return false
}
