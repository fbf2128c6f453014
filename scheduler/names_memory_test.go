package scheduler

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// memNames is what a ledger keeps of names, in memory.
type memNames struct {
	holders  map[string]weburl.URL
	aliases  []crawler.Alias
	awaits   map[crawler.Await]bool
	unplaced map[weburl.URLKey]uint64
	files    map[string]crawler.ShippedFile
	read     []string // names of files that were read
	broken   error    // returned by every reading
}

func newMemNames() *memNames {
	return &memNames{
		holders: map[string]weburl.URL{}, awaits: map[crawler.Await]bool{}, unplaced: map[weburl.URLKey]uint64{}, files: map[string]crawler.ShippedFile{},
	}
}

func (m *memNames) apply(c *crawler.Changes) {
	n := &c.Names
	for _, a := range n.EndAwaits {
		delete(m.awaits, a)
	}
	for _, k := range n.Placed {
		delete(m.unplaced, k)
	}
	for _, g := range n.Given {
		m.holders[g.Key] = g.URL
	}
	m.aliases = append(m.aliases, n.Aliases...)
	for _, a := range n.Awaits {
		m.awaits[a] = true
	}
	for _, u := range n.Unplaced {
		m.unplaced[u.Key] = u.Version
	}
	for _, f := range n.Shipped {
		m.files[f.Name] = f
	}
}

func (m *memNames) NameHolder(key string) (weburl.URL, error) { return m.holders[key], m.broken }

func (m *memNames) NameBelow(key string) (bool, error) {
	for k := range m.holders {
		if strings.HasPrefix(k, key+"/") {
			return true, m.broken
		}
	}
	return false, m.broken
}

func (m *memNames) Aliases(of weburl.URLKey, after uint64, n int) (list []crawler.Alias, err error) {
	for _, a := range m.aliases {
		if a.Of == of && a.Sequence > after && len(list) < n {
			list = append(list, a)
		}
	}
	return list, m.broken
}

func (m *memNames) Awaiting(at weburl.URLKey, n int) (lines []weburl.URLKey, err error) {
	for a := range m.awaits {
		if a.At == at {
			lines = append(lines, a.Line)
		}
	}
	slices.SortFunc(lines, weburl.URLKey.Compare)
	return lines[:min(n, len(lines))], m.broken
}

func (m *memNames) Unplaced() iter.Seq2[crawler.Unplaced, error] {
	all := maps.Clone(m.unplaced)
	return func(yield func(crawler.Unplaced, error) bool) {
		for _, k := range slices.SortedFunc(maps.Keys(all), weburl.URLKey.Compare) {
			if !yield(crawler.Unplaced{Key: k, Version: all[k]}, m.broken) {
				return
			}
		}
	}
}

func (m *memNames) UnplacedVersion(k weburl.URLKey) (uint64, bool, error) {
	version, found := m.unplaced[k]
	return version, found, m.broken
}

func (m *memNames) ShippedFile(name string) (crawler.ShippedFile, bool, error) {
	m.read = append(m.read, name)
	f, found := m.files[name]
	return f, found, m.broken
}

// memBodies are bodies that arrived, and the names that they have.
type memBodies struct {
	sync.Mutex
	there  map[string]bool           // by crawler.BodyName
	files  map[string]crawler.Digest // by name
	refuse map[string]bool           // names that the file system does not take
	broken error                     // of the disk
	synced int
}

func newMemBodies() *memBodies {
	return &memBodies{there: map[string]bool{}, files: map[string]crawler.Digest{}, refuse: map[string]bool{}}
}

func (m *memBodies) Place(_ context.Context, u weburl.URL, digest crawler.Digest, _ int64, to string) error {
	m.Lock()
	defer m.Unlock()
	body := crawler.BodyName(u, digest)
	switch has, is := m.files[to]; {
	case !m.there[body] && is && has == digest:
		return m.broken
	case !m.there[body]:
		return crawler.ErrNoBody
	case m.refuse[to]:
		return &crawler.NameRefused{Name: to, Err: context.Canceled}
	}
	m.files[to] = digest
	if m.broken == nil {
		delete(m.there, body)
	}
	return m.broken
}

func (m *memBodies) Link(_ context.Context, from, to string) error {
	m.Lock()
	defer m.Unlock()
	if m.refuse[to] {
		return &crawler.NameRefused{Name: to, Err: context.Canceled}
	}
	m.files[to] = m.files[from]
	return m.broken
}

func (m *memBodies) Sync() error {
	m.Lock()
	defer m.Unlock()
	m.synced++
	return m.broken
}

// nameDesk is a desk whose bodies get names.
type nameDesk struct {
	*desk
	names  *memNames
	bodies *memBodies
	rule   crawler.NameRule
}

func newNameDesk(t *testing.T, rule crawler.NameRule) *nameDesk {
	t.Helper()
	d := &nameDesk{names: newMemNames(), bodies: newMemBodies(), rule: rule}
	led := newMemLedger()
	led.watch = d.names.apply
	d.start(t, led)
	return d
}

// start begins a life of the scheduler.
func (d *nameDesk) start(t *testing.T, led *memLedger) {
	t.Helper()
	job, q := crawler.NewJob(crawler.Download), newQueues(1)
	job.Delay = 0
	s, err := New(t.Context(), Options{Job: job, Ledger: led, Index: led, Tasks: q, Results: q, LocalFetcher: "local", Names: d.names, Bodies: d.bodies, Shipped: d.names, NameRule: d.rule})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	d.desk = &desk{t: t, s: s, led: led, q: q, pos: led.state.Position}
}

// lines gives lines of a list, each "URL" or "URL NAME" or "URL NAME BODY"; "-" = no name.
func (d *nameDesk) lines(lines ...string) {
	d.t.Helper()
	var seeds []Seed
	for _, line := range lines {
		f := append(strings.Fields(line), "", "")
		s := Seed{URL: mustURL(f[0]), Text: f[0], Name: strings.TrimPrefix(f[1], "-")}
		if f[2] != "" {
			s.Want = digestOf(f[2])
		}
		seeds = append(seeds, s)
	}
	d.s.core.state.decided = false
	d.step(seeding(true, seeds...))
}

// digestOf stands for a body.
func digestOf(body string) (d crawler.Digest) {
	copy(d[:], body)
	return d
}

// fetch answers whatever is asked for: by where a URL leads, "" = a body of its own text, of ten bytes.
func (d *nameDesk) fetch(leads map[string]string) {
	d.t.Helper()
	for {
		d.step(gathered{})
		if len(d.out) == 0 {
			return
		}
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.End = true
			for _, u := range task.URLs {
				r := fetched(u.URL.String())
				if to := leads[u.URL.String()]; to != "" {
					r.Outcome, r.Status, r.RedirectTo = crawler.Redirected, 302, mustURL(to)
					p.Links = append(p.Links, crawler.PageLinks{Page: u.URL, Links: []crawler.Link{{URL: r.RedirectTo, Kind: crawler.LinkRedirect}}})
				} else {
					r.Digest, r.Bytes = digestOf(u.URL.String()), 10
					r.Archive = crawler.Locator{File: crawler.BodyName(u.URL, r.Digest), Length: 10}
				}
				p.Results = append(p.Results, r)
			}
		})
	}
}

// arrive lets the bodies of URLs be there.
func (d *nameDesk) arrive(urls ...string) {
	for _, u := range urls {
		name := crawler.BodyName(mustURL(u), digestOf(u))
		d.bodies.there[name] = true
		d.s.Arrived(name)
	}
}

// place lets what can be placed get its names, as [Scheduler.place] does.
func (d *nameDesk) place() error {
	d.t.Helper()
	for {
		keys, scan := d.s.placing.take()
		if len(keys) == 0 && !scan {
			return nil
		}
		done := make(chan error, 1)
		go func() { done <- d.s.placeAll(d.t.Context(), keys, scan) }()
		for placing := true; placing; {
			select {
			case p := <-d.s.placed:
				d.step(gathered{placed: []placedEvent{p}})
			case err := <-done:
				if placing = false; err != nil {
					return err
				}
			}
		}
	}
}

// files lists the files that there are, each with whose body it is.
func (d *nameDesk) files() (list []string) {
	for name, digest := range d.bodies.files {
		list = append(list, strings.TrimPrefix(name, crawler.FilesDir+"/")+" "+cmp.Or(strings.TrimRight(string(digest[:]), "\x00"), "?"))
	}
	slices.Sort(list)
	return list
}
