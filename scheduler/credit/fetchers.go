package credit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"trawl/crawler"
)

const (
	// MuteAfter: a fetcher that was there for so long, while turns were offered that nobody asked for, and never asked itself, is
	// mute: its slots are no credit until it asks.
	MuteAfter = 60 * time.Second
	// maxNames is how many fetchers' fetches are counted one by one; those of later ones are otherFetchers'.
	maxNames = 1024
	// otherFetchers stands in status for the fetchers beyond maxNames.
	otherFetchers = "(others)"
)

// Fetchers are those that the gossip names, and what each has done.
type Fetchers struct {
	all     []crawler.FetcherStatus
	members map[string]*member
	pages   map[string]int64 // fetches settled since the start; maxNames of them
}

// member is what is known of a fetcher that the gossip names.
type member struct {
	since time.Time
	asked bool // since it was named
	mute  bool
}

// NewFetchers makes it for a start: nobody is there yet.
func NewFetchers() *Fetchers { return &Fetchers{pages: make(map[string]int64)} }

// See notes who is there.
func (f *Fetchers) See(all []crawler.FetcherStatus) { f.all = all }

// Away reports whether no fetcher is there whose network is: then nobody is asked, and no host is to be blamed for the time.
func (f *Fetchers) Away() bool {
	return !slices.ContainsFunc(f.all, func(one crawler.FetcherStatus) bool { return one.Slots > 0 && one.Silent <= 0 })
}

// Slots are those of the fetchers but for the mute; most is what one may have, 0 = as many as it says.
func (f *Fetchers) Slots(most int) int {
	n := 0
	for i := range f.all {
		one := &f.all[i]
		if m := f.members[one.Name]; m != nil && m.mute {
			continue
		}
		slots := one.Slots
		if most > 0 {
			slots = min(slots, most)
		}
		n += slots
	}
	return n
}

// Overloaded reports whether a fetcher holds more turns than its share, by an eighth and one, while others could have them.
func (f *Fetchers) Overloaded(name string, turns *Turns) bool {
	n := len(f.all)
	return n > 1 && n*turns.by[name] > turns.held+turns.held/8+n
}

// Heard notes that a fetcher asked. One that the gossip does not name may be any of them.
func (f *Fetchers) Heard(name string, at time.Time) {
	if m := f.members[name]; m != nil {
		m.asked, m.mute = true, false
		return
	}
	for _, m := range f.members {
		m.mute, m.since = false, at
	}
}

// Listen finds the fetchers that are mute from now on. One that other fetchers leave nothing to ask for is not: turns that wait are.
func (f *Fetchers) Listen(now time.Time, turns *Turns) (mute []string) {
	members := make(map[string]*member, len(f.all))
	for i := range f.all {
		name := f.all[i].Name
		m := f.members[name]
		if m == nil {
			m = &member{since: now}
		}
		members[name] = m
		if !m.asked && !m.mute && now.Sub(m.since) >= MuteAfter {
			mute = append(mute, name)
		}
	}
	f.members = members
	if len(mute) == 0 || !turns.PassedBy(now) {
		return nil
	}
	for _, name := range mute {
		members[name].mute = true
	}
	return mute
}

// MuteText says for people which fetchers are mute, "" when none is.
func (f *Fetchers) MuteText() string {
	var names []string
	for name, m := range f.members {
		if m.mute {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf("%s never asked for one: the queue may not be reachable from there", strings.Join(names[:min(len(names), 3)], ", "))
}

// Settled counts a fetch of a fetcher's.
func (f *Fetchers) Settled(name string) {
	if _, known := f.pages[name]; !known && len(f.pages) >= maxNames {
		name = otherFetchers
	}
	f.pages[name]++
}

// Status is each fetcher with what it has done and holds, by name; those that left are among them.
func (f *Fetchers) Status(turns *Turns) []crawler.FetcherStatus {
	all := make([]crawler.FetcherStatus, 0, len(f.all))
	left := maps.Clone(f.pages)
	for _, one := range f.all {
		one.Turns, one.Pages = turns.by[one.Name], f.pages[one.Name]
		all = append(all, one)
		delete(left, one.Name)
	}
	for name, pages := range left {
		all = append(all, crawler.FetcherStatus{Name: name, Pages: pages, Turns: turns.by[name]})
	}
	slices.SortFunc(all, func(a, b crawler.FetcherStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}
