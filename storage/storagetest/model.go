package storagetest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/ledgertest"
	"trawl/crawler/weburl"
)

// Ledger is what the model asks: what a scheduler asks, and what people read.
type Ledger interface {
	ledgertest.Ledger
	All() iter.Seq2[*crawler.Row, error]
	Hosts() iter.Seq2[crawler.HostState, error]
}

// Model is a ledger as plain maps, and a simple scheduler that makes changes as the real one does. What a
// ledger answers is compared with what a walk over these maps says.
type Model struct {
	Now      time.Time // of the newest change
	Position uint64    // the number of changes

	rng   *rand.Rand
	job   crawler.JobState
	rows  map[weburl.URLKey]*crawler.Row
	hosts map[weburl.Host]*crawler.HostState
	turns map[weburl.Host]*crawler.TurnState

	errands  map[string]crawler.RobotsHop
	robots   map[string]crawler.HostRobots
	scope    map[crawler.ScopeSeed]bool
	tallies  crawler.Tallies
	sequence uint64
}

// NewModel makes the model of an empty ledger. One seed makes the same changes each time.
func NewModel(seed uint64) *Model {
	m := &Model{
		rng: rand.New(rand.NewPCG(seed, 77)), Now: time.Unix(1_700_000_000, 0).UTC(),
		rows:  map[weburl.URLKey]*crawler.Row{},
		hosts: map[weburl.Host]*crawler.HostState{}, turns: map[weburl.Host]*crawler.TurnState{},
		errands: map[string]crawler.RobotsHop{}, robots: map[string]crawler.HostRobots{}, scope: map[crawler.ScopeSeed]bool{},
	}
	m.tallies.Reasons = map[crawler.Reason]int64{}
	m.job.Job = crawler.NewJob(crawler.Crawl)
	m.job.Job.Depth = 3
	m.job.Job.MaxPerHost = 40
	return m
}

// edit is a change being made: the newest values, and those before it.
type edit struct {
	m     *Model
	rows  map[weburl.URLKey]crawler.RowChange
	hosts map[weburl.Host]crawler.HostChange
	c     crawler.Changes
}

func (m *Model) edit() *edit {
	m.Now = m.Now.Add(time.Duration(m.rng.IntN(4)) * time.Second) // whole seconds, so that times meet
	return &edit{m: m, rows: map[weburl.URLKey]crawler.RowChange{}, hosts: map[weburl.Host]crawler.HostChange{}}
}

func (e *edit) host(h weburl.Host) *crawler.HostState {
	c, ok := e.hosts[h]
	if !ok {
		c = crawler.HostChange{Old: e.m.hosts[h], New: &crawler.HostState{Host: h}}
		if c.Old != nil {
			*c.New = *c.Old
		} else {
			e.m.tallies.Hosts++
		}
		e.hosts[h] = c
	}
	return c.New
}

func (e *edit) put(old, new *crawler.Row, leased bool) {
	h := e.host(new.URL.Host())
	e.count(h, old, leased, -1)
	e.count(h, new, false, 1)
	c, ok := e.rows[new.Key()]
	if !ok {
		c.Old = old
	}
	c.New = new
	e.rows[new.Key()] = c
}

func (e *edit) count(h *crawler.HostState, r *crawler.Row, leased bool, n int64) {
	if r == nil {
		return
	}
	o := r.Outcome
	if leased {
		o = crawler.Leased
	}
	h.Counts[o] += n
	e.m.tallies.Counts[o] += n
	if r.Outcome == crawler.Failed || r.Outcome == crawler.Excluded {
		e.m.tallies.Reasons[r.Reason] += n
	}
	if r.Outcome.Final() {
		e.m.tallies.Bytes += n * r.Bytes
	}
	if r.Retrying() {
		h.Retry += n
	}
	if r.Outcome == crawler.Waiting && r.Depth > e.m.job.Job.Depth {
		h.Deep += n
	}
}

// seal completes the change and takes it over into the model.
func (e *edit) seal() *crawler.Changes {
	m := e.m
	for k, c := range e.rows {
		e.c.Rows = append(e.c.Rows, c)
		m.rows[k] = c.New
	}
	for h, c := range e.hosts {
		c.New.Park(&m.job.Job)
		m.tallies.Parked += c.New.Parked
		if c.Old != nil {
			m.tallies.Parked -= c.Old.Parked
		}
		e.c.Hosts = append(e.c.Hosts, c)
		m.hosts[h] = c.New
	}
	m.Position++
	tallies := m.tallies.Clone()
	e.c.Now, e.c.Tallies, e.c.Sequence, e.c.Position = m.Now, &tallies, m.sequence, m.Position
	if m.Position == 1 {
		state := m.job
		e.c.State = &state
	}
	return &e.c
}

func (m *Model) randomHost() weburl.Host {
	return weburl.Host(fmt.Sprintf("host%d.example", m.rng.IntN(40)))
}

// Step makes one random change. It is in the model at once, so the ledger must take it.
func (m *Model) Step() *crawler.Changes {
	e := m.edit()
	for range 1 + m.rng.IntN(3) {
		switch m.rng.IntN(8) {
		case 0, 1:
			m.admit(e)
		case 2, 3:
			m.offer(e)
		case 4, 5:
			m.settle(e)
		case 6:
			m.lapse(e)
		case 7:
			m.aside(e)
		}
	}
	return e.seal()
}

func (m *Model) admit(e *edit) {
	h := m.randomHost()
	for range m.rng.IntN(30) {
		u := weburl.MustParse(fmt.Sprintf("https://%s/%d", h, m.rng.IntN(300)))
		if m.rows[u.Key()] != nil || e.rows[u.Key()].New != nil {
			continue
		}
		m.sequence++
		r := &crawler.Row{Result: crawler.Result{URL: u}, Depth: m.rng.IntN(6), Seed: "https://" + string(h), FirstSeen: m.Now, Sequence: m.sequence}
		e.put(nil, r, false)
	}
}

// offer leases some waiting rows of an idle host.
func (m *Model) offer(e *edit) {
	h := e.host(m.randomHost())
	if !h.Turn.IsZero() {
		return
	}
	var urls []uint64
	for k, r := range m.rows {
		if k.Host == h.Host.Key() && r.Outcome == crawler.Waiting && r.Depth <= m.job.Job.Depth && e.rows[k].New == nil && len(urls) < 10 {
			urls = append(urls, k.URL)
		}
	}
	if len(urls) == 0 {
		return
	}
	slices.Sort(urls) // maps have no order, the test has one
	m.rng.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	t := &crawler.TurnState{Host: h.Host, URLs: urls, Held: m.rng.IntN(2) == 0, Fetcher: "f"}
	for i := range t.ID {
		t.ID[i] = byte(m.rng.IntN(256))
	}
	h.Turn, h.Asked = t.ID, true
	m.lease(h, int64(len(urls)))
	m.putTurn(e, t)
}

func (m *Model) lease(h *crawler.HostState, n int64) {
	h.Counts[crawler.Waiting] -= n
	h.Counts[crawler.Leased] += n
	m.tallies.Counts[crawler.Waiting] -= n
	m.tallies.Counts[crawler.Leased] += n
}

func (m *Model) putTurn(e *edit, t *crawler.TurnState) {
	m.turns[t.Host] = t
	e.c.Turns = slices.DeleteFunc(e.c.Turns, func(o crawler.TurnState) bool { return o.Host == t.Host })
	put := *t
	put.URLs = slices.Clone(t.URLs)
	e.c.Turns = append(e.c.Turns, put)
}

func (m *Model) anyTurn() *crawler.TurnState {
	hosts := slices.Sorted(maps.Keys(m.turns))
	if len(hosts) == 0 {
		return nil
	}
	return m.turns[hosts[m.rng.IntN(len(hosts))]]
}

// settle ends some of a turn's URLs, and sometimes the turn.
func (m *Model) settle(e *edit) {
	old := m.anyTurn()
	if old == nil {
		return
	}
	t := *old
	t.URLs = slices.Clone(old.URLs)
	t.Part++
	h := e.host(t.Host)
	for range m.rng.IntN(len(t.URLs) + 1) {
		k := weburl.URLKey{Host: t.Host.Key(), URL: t.URLs[0]}
		was := m.rows[k]
		if c, edited := e.rows[k]; edited {
			was = c.New
		}
		t.URLs = t.URLs[1:]
		r := *was
		r.Attempts++
		r.RetryAt, r.FetchedAt, r.Bytes = time.Time{}, m.Now, int64(m.rng.IntN(1000))
		switch m.rng.IntN(4) {
		case 0:
			r.Outcome, r.RetryAt = crawler.Waiting, m.Now.Add(time.Duration(m.rng.IntN(60))*time.Second)
			if h.RetryAt.IsZero() || r.RetryAt.Before(h.RetryAt) {
				h.RetryAt = r.RetryAt
			}
		case 1:
			r.Outcome, r.Reason = crawler.Failed, crawler.ReasonHTTPStatus
		case 2:
			r.Outcome, r.Reason = crawler.Excluded, crawler.ReasonRobots
		case 3:
			r.Outcome = crawler.Fetched
		}
		e.put(was, &r, true)
	}
	h.Next = m.Now.Add(time.Duration(m.rng.IntN(5)) * time.Second)
	if m.rng.IntN(3) == 0 {
		m.end(e, &t)
	} else {
		m.putTurn(e, &t)
	}
}

func (m *Model) end(e *edit, t *crawler.TurnState) {
	h := e.host(t.Host)
	m.lease(h, -int64(len(t.URLs)))
	h.Turn = crawler.TurnID{}
	h.RetryAt = time.Time{}
	delete(m.turns, t.Host)
	e.c.Turns = slices.DeleteFunc(e.c.Turns, func(o crawler.TurnState) bool { return o.Host == t.Host })
	if !slices.Contains(e.c.EndTurns, t.Host) {
		e.c.EndTurns = append(e.c.EndTurns, t.Host)
	}
}

func (m *Model) lapse(e *edit) {
	if t := m.anyTurn(); t != nil {
		m.end(e, t)
	}
}

// aside changes what lies beside the rows.
func (m *Model) aside(e *edit) {
	h := m.randomHost()
	switch m.rng.IntN(4) {
	case 0:
		f := crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsRules, Body: fmt.Append(nil, m.rng.IntN(99))}, Fetched: m.Now, Expires: m.Now.Add(time.Hour)}
		m.robots[string(h)] = f
		e.c.Robots = append(e.c.Robots, crawler.RobotsChange{Host: h, File: f})
	case 1:
		hop := crawler.RobotsHop{For: m.randomHost(), Scheme: "https", URL: weburl.MustParse(fmt.Sprintf("https://%s/robots.txt?%d", h, m.rng.IntN(3))), Count: 1}
		name := hop.URL.String() + " " + hop.Scheme + " " + string(hop.For)
		if _, there := m.errands[name]; !there {
			m.errands[name] = hop
			e.c.Errands = append(e.c.Errands, hop)
			e.host(h).Errands++
		}
	case 2:
		for _, name := range slices.Sorted(maps.Keys(m.errands)) {
			hop := m.errands[name]
			if slices.Contains(e.c.Errands, hop) {
				continue // what ends comes before what is put
			}
			delete(m.errands, name)
			e.c.EndErrands = append(e.c.EndErrands, hop)
			e.host(hop.URL.Host()).Errands--
			break
		}
	case 3:
		s := crawler.ScopeSeed("host " + h)
		m.scope[s] = true
		e.c.Scope = append(e.c.Scope, s)
	}
}

// Commit commits a change, which a ledger must take.
func Commit(tb testing.TB, l interface{ Commit(*crawler.Changes) error }, c *crawler.Changes) {
	tb.Helper()
	if err := l.Commit(c); err != nil {
		tb.Fatal(err)
	}
}

// Load loads what a ledger says of itself.
func Load(tb testing.TB, l interface {
	Load(context.Context) (crawler.LedgerState, error)
}) crawler.LedgerState {
	tb.Helper()
	s, err := l.Load(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
