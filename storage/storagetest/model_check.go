package storagetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

var sameValues = gocmp.Options{
	gocmp.Comparer(func(a, b weburl.URL) bool { return a == b }),
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
		m.checkHost(tb, l, weburl.Host(fmt.Sprintf("host%d.example", i)))
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
		keys = append(keys, weburl.URLKey{Host: m.randomHost().Key(), URL: m.rng.Uint64()})
	}
	slices.SortFunc(keys, weburl.URLKey.Compare)
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
	last := weburl.HostKey(0)
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

func (m *Model) checkHost(tb testing.TB, l Ledger, h weburl.Host) {
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

func (m *Model) checkQueue(tb testing.TB, l Ledger, h weburl.Host, maxDepth, n int) {
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
