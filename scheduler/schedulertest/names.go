package schedulertest

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Names is what a ledger keeps of names, in memory.
type Names struct {
	Holders map[string]weburl.URL
	Further []crawler.Alias
	Awaits  map[crawler.Await]bool
	ToPlace map[weburl.URLKey]uint64
	Files   map[string]crawler.ShippedFile
	Read    []string // names of files that were read
	Broken  error    // returned by every reading
}

func NewNames() *Names {
	return &Names{
		Holders: map[string]weburl.URL{}, Awaits: map[crawler.Await]bool{}, ToPlace: map[weburl.URLKey]uint64{}, Files: map[string]crawler.ShippedFile{},
	}
}

func (m *Names) Apply(c *crawler.Changes) {
	n := &c.Names
	for _, a := range n.EndAwaits {
		delete(m.Awaits, a)
	}
	for _, k := range n.Placed {
		delete(m.ToPlace, k)
	}
	for _, g := range n.Given {
		m.Holders[g.Key] = g.URL
	}
	m.Further = append(m.Further, n.Aliases...)
	for _, a := range n.Awaits {
		m.Awaits[a] = true
	}
	for _, u := range n.Unplaced {
		m.ToPlace[u.Key] = u.Version
	}
	for _, f := range n.Shipped {
		m.Files[f.Name] = f
	}
}

func (m *Names) NameHolder(key string) (weburl.URL, error) { return m.Holders[key], m.Broken }

func (m *Names) NameBelow(key string) (bool, error) {
	for k := range m.Holders {
		if strings.HasPrefix(k, key+"/") {
			return true, m.Broken
		}
	}
	return false, m.Broken
}

func (m *Names) Aliases(of weburl.URLKey, after uint64, n int) (list []crawler.Alias, err error) {
	for _, a := range m.Further {
		if a.Of == of && a.Sequence > after && len(list) < n {
			list = append(list, a)
		}
	}
	return list, m.Broken
}

func (m *Names) Awaiting(at weburl.URLKey, n int) (lines []weburl.URLKey, err error) {
	for a := range m.Awaits {
		if a.At == at {
			lines = append(lines, a.Line)
		}
	}
	slices.SortFunc(lines, weburl.URLKey.Compare)
	return lines[:min(n, len(lines))], m.Broken
}

func (m *Names) Unplaced() iter.Seq2[crawler.Unplaced, error] {
	all := maps.Clone(m.ToPlace)
	return func(yield func(crawler.Unplaced, error) bool) {
		for _, k := range slices.SortedFunc(maps.Keys(all), weburl.URLKey.Compare) {
			if !yield(crawler.Unplaced{Key: k, Version: all[k]}, m.Broken) {
				return
			}
		}
	}
}

func (m *Names) UnplacedVersion(k weburl.URLKey) (uint64, bool, error) {
	version, found := m.ToPlace[k]
	return version, found, m.Broken
}

func (m *Names) ShippedFile(name string) (crawler.ShippedFile, bool, error) {
	m.Read = append(m.Read, name)
	f, found := m.Files[name]
	return f, found, m.Broken
}
