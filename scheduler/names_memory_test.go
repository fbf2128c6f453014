package scheduler

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

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
	names  *schedulertest.Names
	bodies *memBodies
	rule   crawler.NameRule
}

func newNameDesk(t *testing.T, rule crawler.NameRule) *nameDesk {
	t.Helper()
	d := &nameDesk{names: schedulertest.NewNames(), bodies: newMemBodies(), rule: rule}
	led := schedulertest.NewLedger()
	led.Watch = d.names.Apply
	d.start(t, led)
	return d
}

// start begins a life of the scheduler.
func (d *nameDesk) start(t *testing.T, led *schedulertest.Ledger) {
	t.Helper()
	job, q := crawler.NewJob(crawler.Download), schedulertest.NewQueues(1)
	job.Delay = 0
	s, err := New(t.Context(), Options{Job: job, Ledger: led, Tasks: q, Results: q, LocalFetcher: "local", Stay: true, Names: d.names, Bodies: d.bodies, Shipped: d.names, NameRule: d.rule})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	d.desk = &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
}

// lines gives lines of a list, each "URL" or "URL NAME" or "URL NAME BODY"; "-" = no name.
func (d *nameDesk) lines(lines ...string) {
	d.t.Helper()
	var seeds []Seed
	for _, line := range lines {
		f := append(strings.Fields(line), "", "")
		s := Seed{URL: mustURL(f[0]), Text: f[0], Name: strings.TrimPrefix(f[1], "-")}
		if f[2] != "" {
			s.Want = schedulertest.DigestOf(f[2])
		}
		seeds = append(seeds, s)
	}
	d.step(seeding(true, seeds...))
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
		d.part(task, 1, 1, schedulertest.AllOf(&task, leads))
	}
}

// arrive lets the bodies of URLs be there.
func (d *nameDesk) arrive(urls ...string) {
	for _, u := range urls {
		name := crawler.BodyName(mustURL(u), schedulertest.DigestOf(u))
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

func TestNamesAndBodiesGoTogether(t *testing.T) {
	led := schedulertest.NewLedger()
	o := Options{Job: crawler.NewJob(crawler.Download), Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1), Names: schedulertest.NewNames()}
	if _, err := New(t.Context(), o); err == nil {
		t.Error("names without bodies are taken")
	}
	o.Names, o.Bodies = nil, newMemBodies()
	if _, err := New(t.Context(), o); err == nil {
		t.Error("bodies without names are taken")
	}
}
