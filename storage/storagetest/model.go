package storagetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trawl/crawler"
	"trawl/crawler/ledgertest"
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
	rows  map[crawler.URLKey]*crawler.Row
	hosts map[crawler.Host]*crawler.HostState
	turns map[crawler.Host]*crawler.TurnState

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
		rows:  map[crawler.URLKey]*crawler.Row{},
		hosts: map[crawler.Host]*crawler.HostState{}, turns: map[crawler.Host]*crawler.TurnState{},
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
	rows  map[crawler.URLKey]crawler.RowChange
	hosts map[crawler.Host]crawler.HostChange
	c     crawler.Changes
}

func (m *Model) edit() *edit {
	m.Now = m.Now.Add(time.Duration(m.rng.IntN(4)) * time.Second) // whole seconds, so that times meet
	return &edit{m: m, rows: map[crawler.URLKey]crawler.RowChange{}, hosts: map[crawler.Host]crawler.HostChange{}}
}

func (e *edit) host(h crawler.Host) *crawler.HostState {
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

func (m *Model) randomHost() crawler.Host {
	return crawler.Host(fmt.Sprintf("host%d.example", m.rng.IntN(40)))
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
		u := crawler.MustParse(fmt.Sprintf("https://%s/%d", h, m.rng.IntN(300)))
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
		k := crawler.URLKey{Host: t.Host.Key(), URL: t.URLs[0]}
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
		hop := crawler.RobotsHop{For: m.randomHost(), Scheme: "https", URL: crawler.MustParse(fmt.Sprintf("https://%s/robots.txt?%d", h, m.rng.IntN(3))), Count: 1}
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

var sameValues = gocmp.Options{
	gocmp.Comparer(func(a, b crawler.URL) bool { return a == b }),
	cmpopts.EquateEmpty(),
	gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
}

func sameRow(a, b *crawler.Row) bool { return a == b || a != nil && b != nil && *a == *b }

// Check compares everything a ledger answers with the model.
func (m *Model) Check(tb testing.TB, l Ledger) {
	tb.Helper()
	m.checkOwn(tb, l)
	m.checkRows(tb, l)
	m.checkHosts(tb, l)
	for i := range 40 {
		m.checkHost(tb, l, crawler.Host(fmt.Sprintf("host%d.example", i)))
	}
}

// CheckCounts compares what a ledger counted of itself.
func (m *Model) CheckCounts(tb testing.TB, tallies *crawler.Tallies, turns, errands int64) {
	tb.Helper()
	if tallies.Counts != m.tallies.Counts || turns != int64(len(m.turns)) || errands != int64(len(m.errands)) {
		tb.Errorf("the ledger counted %+v, %d turns and %d errands, the model has %+v", tallies, turns, errands, m.tallies)
	}
}

func (m *Model) checkOwn(tb testing.TB, l Ledger) {
	tb.Helper()
	got, err := l.Load(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if got.Life == (crawler.Life{}) {
		tb.Error("the ledger has no life")
	}
	want := crawler.LedgerState{Life: got.Life, Fresh: m.Position == 0, Clock: m.Now, Position: m.Position, Sequence: m.sequence, Tallies: m.tallies, State: m.job}
	want.Origin, want.Restored, want.Recall, want.Quiet = got.Origin, got.Restored, got.Recall, got.Quiet // what a restore leaves
	for _, t := range m.turns {
		want.Turns = append(want.Turns, *t)
	}
	for seed := range m.scope {
		want.Scope = append(want.Scope, seed.Key())
		if opened, err := l.Opened(seed); err != nil || !opened {
			tb.Errorf("Opened(%s) = %v, %v", seed, opened, err)
		}
	}
	byHost := cmpopts.SortSlices(func(a, b crawler.TurnState) bool { return a.Host < b.Host })
	byKey := cmpopts.SortSlices(func(a, b uint64) bool { return a < b })
	if d := gocmp.Diff(want, got, sameValues, byHost, byKey); d != "" {
		tb.Errorf("Load (-model +ledger):\n%s", d)
	}
}

func (m *Model) checkRows(tb testing.TB, l Ledger) {
	tb.Helper()
	keys := slices.Collect(maps.Keys(m.rows))
	for range 20 { // keys that are not there, most of hosts that are
		keys = append(keys, crawler.URLKey{Host: m.randomHost().Key(), URL: m.rng.Uint64()})
	}
	slices.SortFunc(keys, crawler.URLKey.Compare)
	got, err := l.Rows(keys)
	if err != nil {
		tb.Fatal(err)
	}
	for i, k := range keys {
		if !sameRow(m.rows[k], got[i]) {
			tb.Errorf("row %v (-model +ledger):\n%s", k, gocmp.Diff(m.rows[k], got[i], sameValues))
		}
	}
	n := 0
	for r, err := range l.All() {
		if err != nil {
			tb.Fatal(err)
		}
		for n < len(keys) && m.rows[keys[n]] == nil {
			n++
		}
		if n == len(keys) || r.Key() != keys[n] {
			tb.Fatalf("All: unexpected row of %s", r.URL)
		}
		m.checkStory(tb, r)
		n++
	}
	for ; n < len(keys); n++ {
		if m.rows[keys[n]] != nil {
			tb.Fatalf("All: the row of %s is missing", m.rows[keys[n]].URL)
		}
	}
}

// checkStory compares outcome and reason as people see them.
func (m *Model) checkStory(tb testing.TB, r *crawler.Row) {
	tb.Helper()
	want := *m.rows[r.Key()]
	if want.Outcome == crawler.Waiting {
		t := m.turns[r.URL.Host()]
		h := m.hosts[r.URL.Host()]
		switch {
		case t != nil && slices.Contains(t.URLs, r.Key().URL):
			want.Outcome = crawler.Leased
		case r.Depth > m.job.Job.Depth, h.Counts[crawler.Fetched] >= m.job.Job.MaxPerHost:
			want.Reason = crawler.ReasonLimit
		case !r.RetryAt.IsZero():
			want.Reason = crawler.ReasonRetry
		}
	}
	if r.Outcome != want.Outcome || r.Reason != want.Reason {
		tb.Errorf("%s is told as %s (%s), not as %s (%s)", r.URL, r.Outcome, r.Reason, want.Outcome, want.Reason)
	}
}

func (m *Model) checkHosts(tb testing.TB, l Ledger) {
	tb.Helper()
	seen := 0
	last := crawler.HostKey(0)
	for h, err := range l.Hosts() {
		if err != nil {
			tb.Fatal(err)
		}
		if d := gocmp.Diff(m.hosts[h.Host], &h, sameValues); d != "" {
			tb.Errorf("host (-model +ledger):\n%s", d)
		}
		if h.Host.Key() < last {
			tb.Errorf("host %s is not in key order", h.Host)
		}
		last = h.Host.Key()
		seen++
	}
	if seen != len(m.hosts) {
		tb.Errorf("Hosts gave %d of %d", seen, len(m.hosts))
	}
	m.CheckDue(tb, l, 0, 1, 3, 17, 1000)
}

// CheckDue compares the order in which hosts are due, asked for in several lengths.
func (m *Model) CheckDue(tb testing.TB, l Ledger, ns ...int) {
	tb.Helper()
	var due []crawler.DueHost
	for _, h := range m.hosts {
		if at, is := h.Due(); is {
			due = append(due, crawler.DueHost{Due: at, Host: h.Host})
		}
	}
	slices.SortFunc(due, func(a, b crawler.DueHost) int { return a.Due.Compare(b.Due) })
	for _, n := range ns {
		got, err := l.Due(n)
		if err != nil {
			tb.Fatal(err)
		}
		if len(got) != min(n, len(due)) {
			tb.Fatalf("Due(%d) gave %d hosts of %d", n, len(got), len(due))
		}
		for i, d := range got {
			at, is := m.hosts[d.Host].Due()
			if !d.Due.Equal(due[i].Due) || !is || !at.Equal(d.Due) || d.Rank != m.hosts[d.Host].Rank(at) {
				tb.Errorf("Due(%d)[%d] is %v, not one of those at %v", n, i, d, due[i].Due)
			}
		}
	}
}

func (m *Model) checkHost(tb testing.TB, l Ledger, h crawler.Host) {
	tb.Helper()
	_, found, err := l.Host(h)
	if err != nil || found != (m.hosts[h] != nil) {
		tb.Errorf("Host(%s): %v, %v", h, found, err)
	}
	m.checkQueue(tb, l, h, m.rng.IntN(7)-1, m.rng.IntN(20))
	m.checkQueue(tb, l, h, -1, 10_000)
	for depth := range 6 {
		var want int64
		for k, r := range m.rows {
			if k.Host == h.Key() && r.Outcome == crawler.Waiting && r.Depth > depth {
				want++
			}
		}
		if got, err := l.Beyond(h, depth); err != nil || got != want {
			tb.Errorf("Beyond(%s, %d) = %d, %v; the model has %d", h, depth, got, err, want)
		}
	}
	robots, err := l.Robots(h)
	if err != nil {
		tb.Fatal(err)
	}
	if f, there := m.robots[string(h)]; there != (len(robots) == 1) || there && !gocmp.Equal(f, robots[0], sameValues) {
		tb.Errorf("Robots(%s) = %v, the model has %v", h, robots, f)
	}
	first, err := l.Errands(h, len(m.errands)+1)
	if err != nil {
		tb.Fatal(err)
	}
	var errands []crawler.RobotsHop
	for _, hop := range first {
		waiters, err := l.Waiters(hop.URL, len(m.errands)+1)
		if err != nil {
			tb.Fatal(err)
		}
		errands = append(errands, waiters...)
	}
	want := 0
	for _, hop := range m.errands {
		if hop.URL.Host() == h {
			want++
			if !slices.Contains(errands, hop) {
				tb.Errorf("Errands(%s) lacks %v", h, hop)
			}
		}
	}
	if len(errands) != want {
		tb.Errorf("Errands(%s) has %d errands, the model %d", h, len(errands), want)
	}
}

func (m *Model) checkQueue(tb testing.TB, l Ledger, h crawler.Host, maxDepth, n int) {
	tb.Helper()
	var due, ready []*crawler.Row
	var next time.Time
	for k, r := range m.rows {
		switch {
		case k.Host != h.Key() || r.Outcome != crawler.Waiting || maxDepth >= 0 && r.Depth > maxDepth:
		case r.RetryAt.IsZero():
			ready = append(ready, r)
		case r.RetryAt.After(m.Now):
			if next.IsZero() || r.RetryAt.Before(next) {
				next = r.RetryAt
			}
		default:
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *crawler.Row) int {
		return cmp.Or(a.RetryAt.Compare(b.RetryAt), cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Sequence, b.Sequence))
	})
	slices.SortFunc(ready, func(a, b *crawler.Row) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.Sequence, b.Sequence))
	})
	want := append(due, ready...)
	want = want[:min(n, len(want))]
	got, nextRetry, err := l.Queue(h, m.Now, maxDepth, n)
	if err != nil {
		tb.Fatal(err)
	}
	if !slices.EqualFunc(want, got, sameRow) {
		tb.Errorf("Queue(%s, depth %d, %d) (-model +ledger):\n%s", h, maxDepth, n, gocmp.Diff(want, got, sameValues))
	}
	if !nextRetry.Equal(next) {
		tb.Errorf("Queue(%s, depth %d, %d): next retry at %v, not %v", h, maxDepth, n, nextRetry, next)
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
