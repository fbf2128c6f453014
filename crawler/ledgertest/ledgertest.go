// Package ledgertest is the contract of a ledger as tests: whatever a scheduler is given as its ledger must pass them, the one on disk
// as well as the one in memory that the scheduler's own tests use. So what is tested over one holds over the other.
package ledgertest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Ledger is what a scheduler needs of its ledger and its index.
type Ledger interface {
	Load(ctx context.Context) (crawler.LedgerState, error)
	Commit(c *crawler.Changes) error
	Host(h weburl.Host) (crawler.HostState, bool, error)
	Rows(keys []weburl.URLKey) ([]*crawler.Row, error)
	Queue(h weburl.Host, now time.Time, maxDepth, n int) ([]*crawler.Row, time.Time, error)
	Opened(seed crawler.ScopeSeed) (bool, error)
	Beyond(h weburl.Host, depth int) (int64, error)
	Robots(h weburl.Host) ([]crawler.HostRobots, error)
	Errands(h weburl.Host, n int) ([]crawler.RobotsHop, error)
	Waiters(u weburl.URL, n int) ([]crawler.RobotsHop, error)
	Waits(hop crawler.RobotsHop) (bool, error)
	Answer(u weburl.URL) (crawler.HopAnswer, bool, error)
	Handing(h weburl.Host, n int) ([]crawler.HopAnswer, error)
	Due(n int) ([]crawler.DueHost, error)
	HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error]
	RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error]
}

// Run runs every test over a fresh ledger of its own.
func Run(t *testing.T, open func(t *testing.T) Ledger) {
	for _, c := range []struct {
		name string
		test func(s *suite)
	}{
		{"what was committed is loaded", (*suite).load},
		{"rows are read by key, each its reader's own", (*suite).rows},
		{"the queue of a host is in the order in which its URLs are to be asked for", (*suite).queue},
		{"hosts are in the order in which they are due", (*suite).due},
		{"hosts and rows are read from a key on, in key order", (*suite).from},
		{"turns end before others of the same host are put", (*suite).turns},
		{"robots files replace those of their scheme", (*suite).robots},
		{"errands wait by URL", (*suite).errands},
		{"answers are found by URL, and by host while they are handed on", (*suite).answers},
		{"the scope is opened seed by seed", (*suite).scope},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&suite{t: t, l: open(t), now: time.Unix(1_700_000_000, 0).UTC()}) })
	}
}

type suite struct {
	t   *testing.T
	l   Ledger
	now time.Time
}

func (s *suite) commit(c crawler.Changes) {
	s.t.Helper()
	if c.Now.IsZero() {
		c.Now = s.now
	}
	if err := s.l.Commit(&c); err != nil {
		s.t.Fatal(err)
	}
}

func must[T any](s *suite) func(T, error) T {
	return func(v T, err error) T {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		return v
	}
}

func (s *suite) url(text string) weburl.URL {
	s.t.Helper()
	return must[weburl.URL](s)(weburl.Parse(text))
}

func (s *suite) want(what string, got, want any) {
	s.t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		s.t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// texts are the URLs of rows.
func texts(rows []*crawler.Row) (all []string) {
	for _, r := range rows {
		if r == nil {
			all = append(all, "-")
			continue
		}
		all = append(all, r.URL.String())
	}
	return all
}

func (s *suite) row(u string, sequence uint64, edit func(*crawler.Row)) crawler.RowChange {
	r := &crawler.Row{Result: crawler.Result{URL: s.url(u)}, Sequence: sequence, FirstSeen: s.now}
	if edit != nil {
		edit(r)
	}
	return crawler.RowChange{New: r}
}

// host is a change of a host that waits for its clock.
func hostDue(name weburl.Host, next time.Time, old *crawler.HostState) crawler.HostChange {
	h := &crawler.HostState{Host: name, Next: next}
	h.Counts[crawler.Waiting] = 1
	return crawler.HostChange{Old: old, New: h}
}

func (s *suite) load() {
	load := func() crawler.LedgerState { return must[crawler.LedgerState](s)(s.l.Load(s.t.Context())) }
	s.want("a new ledger is fresh", load().Fresh, true)
	job := crawler.NewJob(crawler.Crawl)
	work := crawler.Work{Recount: &crawler.RecountWork{From: 1 << 63}, Retry: []crawler.RetryWork{{Reason: "dns", From: weburl.URLKey{Host: 7, URL: 1<<64 - 1}}}}
	tallies := crawler.Tallies{Requests: 3}
	turn := crawler.TurnState{ID: crawler.TurnID{1}, Host: "a.test", URLs: []uint64{5, 1 << 63}, Held: true, Holder: crawler.HolderID{2}, Fetcher: "f", Part: 4}
	s.commit(crawler.Changes{State: &crawler.JobState{Job: job, Seeded: true}, Work: &work, Tallies: &tallies, Position: 9, Sequence: 8, Turns: []crawler.TurnState{turn}})
	got := load()
	s.want("fresh", got.Fresh, false)
	s.want("clock", got.Clock.UTC(), s.now)
	s.want("position and sequence", []uint64{got.Position, got.Sequence}, []uint64{9, 8})
	s.want("requests", got.Tallies.Requests, tallies.Requests)
	s.want("state", []any{got.State.Job.Kind, got.State.Seeded}, []any{crawler.Crawl, true})
	s.want("recount", *got.Work.Recount, *work.Recount)
	s.want("retry", got.Work.Retry, work.Retry)
	s.want("turns", got.Turns, []crawler.TurnState{turn})
	s.commit(crawler.Changes{Now: s.now.Add(time.Second), Work: &crawler.Work{}})
	got = load()
	s.want("after a commit without them", []any{got.Position, got.Sequence, got.Tallies.Requests, got.State.Seeded, len(got.Turns)}, []any{9, 8, 3, true, 1})
	s.want("no work", got.Work.Pending(), false)
}

func (s *suite) rows() {
	s.commit(crawler.Changes{Rows: []crawler.RowChange{s.row("http://a.test/1", 1, nil), s.row("http://b.test/2", 2, nil)}})
	keys := []weburl.URLKey{s.url("http://a.test/1").Key(), s.url("http://a.test/none").Key(), s.url("http://b.test/2").Key(), s.url("http://c.test/").Key()}
	slices.SortFunc(keys, weburl.URLKey.Compare)
	got := must[[]*crawler.Row](s)(s.l.Rows(keys))
	for i, r := range got {
		known := keys[i] == s.url("http://a.test/1").Key() || keys[i] == s.url("http://b.test/2").Key()
		if known != (r != nil) || r != nil && r.Key() != keys[i] {
			s.t.Errorf("row %d of %v: %+v", i, keys, r)
		}
	}
	one := []weburl.URLKey{s.url("http://a.test/1").Key()}
	first := must[[]*crawler.Row](s)(s.l.Rows(one))[0]
	first.Depth = 77
	s.want("a reader's change", must[[]*crawler.Row](s)(s.l.Rows(one))[0].Depth, 0)
	fresh := *must[[]*crawler.Row](s)(s.l.Rows(one))[0]
	old := fresh
	fresh.Outcome, fresh.Status = crawler.Fetched, 200
	s.commit(crawler.Changes{Rows: []crawler.RowChange{{Old: &old, New: &fresh}}})
	s.want("outcome", must[[]*crawler.Row](s)(s.l.Rows(one))[0].Outcome, crawler.Fetched)
}

func (s *suite) queue() {
	retry := func(after time.Duration, depth int) func(*crawler.Row) {
		return func(r *crawler.Row) {
			r.RetryAt, r.Reason, r.Attempts, r.Depth = s.now.Add(after), crawler.ReasonRetry, 1, depth
		}
	}
	depth := func(n int) func(*crawler.Row) { return func(r *crawler.Row) { r.Depth = n } }
	s.commit(crawler.Changes{Rows: []crawler.RowChange{
		s.row("http://a.test/deep", 1, depth(3)), s.row("http://a.test/late", 5, depth(1)), s.row("http://a.test/early", 4, depth(1)),
		s.row("http://a.test/again", 2, retry(-time.Second, 2)), s.row("http://a.test/longer", 3, retry(-time.Minute, 2)),
		s.row("http://a.test/soon", 6, retry(time.Minute, 0)), s.row("http://a.test/sooner", 7, retry(time.Second, 9)),
		s.row("http://a.test/done", 8, func(r *crawler.Row) { r.Outcome = crawler.Fetched }), s.row("http://b.test/", 9, nil),
	}})
	for _, c := range []struct {
		depth, n int
		want     []string
		next     time.Duration
	}{
		{-1, 9, []string{"longer", "again", "early", "late", "deep"}, time.Second},
		{2, 9, []string{"longer", "again", "early", "late"}, time.Minute},
		{1, 9, []string{"early", "late"}, time.Minute},
		{-1, 3, []string{"longer", "again", "early"}, time.Second},
		{-1, 1, []string{"longer"}, time.Second},
	} {
		rows, next, err := s.l.Queue("a.test", s.now, c.depth, c.n)
		if err != nil {
			s.t.Fatal(err)
		}
		var want []string
		for _, name := range c.want {
			want = append(want, "http://a.test/"+name)
		}
		s.want(fmt.Sprintf("%d of depth %d", c.n, c.depth), texts(rows), want)
		s.want("next retry", next.UTC(), s.now.Add(c.next))
	}
	for limit, want := range map[int]int64{-1: 0, 0: 6, 1: 4, 2: 2, 3: 1, 9: 0} {
		s.want(fmt.Sprint("beyond ", limit), must[int64](s)(s.l.Beyond("a.test", limit)), want)
	}
	rows, next, err := s.l.Queue("none.test", s.now, -1, 5)
	s.want("of an unknown host", []any{len(rows), next.IsZero(), err}, []any{0, true, nil})
}

func (s *suite) due() {
	at := func(seconds int) time.Time { return s.now.Add(time.Duration(seconds) * time.Second) }
	idle := crawler.HostChange{New: &crawler.HostState{Host: "idle.test", Next: at(1)}}
	deep := hostDue("deep.test", at(2), nil)
	deep.New.Depth = 5
	again := hostDue("again.test", at(3), nil)
	again.New.Turned = at(3).Add(-1500 * time.Millisecond).Truncate(crawler.DueWindow) // in a window before, or at its begin
	lost := hostDue("lost.test", at(9), nil)
	lost.New.GivenUp = "dns"
	s.commit(crawler.Changes{Hosts: []crawler.HostChange{hostDue("late.test", at(40), nil), idle, deep, again, hostDue("first.test", at(-5), nil), lost}})
	names := func(n int) (all []weburl.Host) {
		var last time.Time
		for i, d := range must[[]crawler.DueHost](s)(s.l.Due(n)) {
			h, found, err := s.l.Host(d.Host)
			due, is := h.Due()
			if err != nil || !found || !is || !due.Equal(d.Due) || d.Rank != h.Rank(due) {
				s.t.Errorf("%+v is in the order: %+v, %v", d, h, err)
			}
			if i > 0 && d.Due.Before(last) {
				s.t.Errorf("%v comes behind %v", d, last)
			}
			last = d.Due
			all = append(all, d.Host)
		}
		return all
	}
	s.want("all", names(9), []weburl.Host{"lost.test", "first.test", "deep.test", "again.test", "late.test"})
	s.want("two", names(2), []weburl.Host{"lost.test", "first.test"})
	held := *deep.New
	held.Turn = crawler.TurnID{1}
	shallow := *again.New // its due time stays, its place does not
	shallow.Depth = 1
	s.commit(crawler.Changes{Hosts: []crawler.HostChange{{Old: deep.New, New: &held}, {Old: again.New, New: &shallow}, hostDue("first.test", at(60), hostDue("first.test", at(-5), nil).New)}})
	s.want("then", names(9), []weburl.Host{"lost.test", "again.test", "late.test", "first.test"})
}

func (s *suite) from() {
	var hosts []weburl.HostKey
	var rows []weburl.URLKey
	var c crawler.Changes
	for i := range 20 {
		name := weburl.Host(fmt.Sprintf("h%d.test", i))
		c.Hosts = append(c.Hosts, hostDue(name, s.now, nil))
		hosts = append(hosts, name.Key())
		for n := range 2 {
			c.Rows = append(c.Rows, s.row(fmt.Sprintf("http://%s/%d", name, n), uint64(2*i+n+1), nil))
			rows = append(rows, c.Rows[len(c.Rows)-1].New.Key())
		}
	}
	s.commit(c)
	slices.Sort(hosts)
	slices.SortFunc(rows, weburl.URLKey.Compare)
	for _, at := range []int{0, 7, 19} {
		for _, from := range []weburl.HostKey{hosts[at], hosts[at] - 1} {
			var got []weburl.HostKey
			for h, err := range s.l.HostsFrom(from) {
				got = append(got, must[crawler.HostState](s)(h, err).Host.Key())
			}
			s.want("hosts", got, hosts[at:])
		}
		var got []weburl.URLKey
		for r, err := range s.l.RowsFrom(rows[at]) {
			got = append(got, must[*crawler.Row](s)(r, err).Key())
		}
		s.want("rows", got, rows[at:])
	}
	last, _ := hosts[19].After()
	for h := range s.l.HostsFrom(last) {
		s.t.Errorf("%s behind the last", h.Host)
	}
}

func (s *suite) turns() {
	old := crawler.TurnState{ID: crawler.TurnID{1}, Host: "a.test"}
	fresh := crawler.TurnState{ID: crawler.TurnID{2}, Host: "a.test"}
	s.commit(crawler.Changes{Turns: []crawler.TurnState{old}})
	s.commit(crawler.Changes{EndTurns: []weburl.Host{"a.test"}, Turns: []crawler.TurnState{fresh}})
	s.want("turns", must[crawler.LedgerState](s)(s.l.Load(s.t.Context())).Turns, []crawler.TurnState{fresh})
	s.commit(crawler.Changes{EndTurns: []weburl.Host{"a.test"}})
	s.want("turns", len(must[crawler.LedgerState](s)(s.l.Load(s.t.Context())).Turns), 0)
}

func (s *suite) robots() {
	file := func(scheme, body string) crawler.RobotsChange {
		f := crawler.HostRobots{Expires: s.now.Add(time.Hour)}
		f.Scheme, f.Status, f.Body = scheme, crawler.RobotsRules, []byte(body)
		return crawler.RobotsChange{Host: "a.test", File: f}
	}
	s.commit(crawler.Changes{Robots: []crawler.RobotsChange{file("http", "one"), file("https", "two"), file("http", "three")}})
	got := map[string]string{}
	for _, f := range must[[]crawler.HostRobots](s)(s.l.Robots("a.test")) {
		got[f.Scheme] = string(f.Body)
	}
	s.want("files", got, map[string]string{"http": "three", "https": "two"})
	s.want("of another host", len(must[[]crawler.HostRobots](s)(s.l.Robots("b.test"))), 0)
}

func (s *suite) errands() {
	hop := func(of, scheme, u string, count int) crawler.RobotsHop {
		return crawler.RobotsHop{For: weburl.Host(of), Scheme: scheme, URL: s.url(u), Count: count}
	}
	a, b := hop("a.test", "http", "http://hub.test/r", 1), hop("b.test", "http", "http://hub.test/r", 2)
	c, d := hop("a.test", "https", "http://hub.test/r", 1), hop("a.test", "http", "http://hub.test/other", 1)
	s.commit(crawler.Changes{Errands: []crawler.RobotsHop{a, b, c, d}})
	urls := func(n int) int { return len(must[[]crawler.RobotsHop](s)(s.l.Errands("hub.test", n))) }
	waiters := func(n int) int { return len(must[[]crawler.RobotsHop](s)(s.l.Waiters(a.URL, n))) }
	s.want("one for each URL", []int{urls(9), urls(1), urls(0)}, []int{2, 1, 0})
	s.want("waiters", []int{waiters(9), waiters(2), waiters(0)}, []int{3, 2, 0})
	more := b
	more.Count = 4
	s.want("waits", []bool{must[bool](s)(s.l.Waits(more)), must[bool](s)(s.l.Waits(hop("c.test", "http", "http://hub.test/r", 1)))}, []bool{true, false})
	s.commit(crawler.Changes{Errands: []crawler.RobotsHop{more}})
	s.want("put again", waiters(9), 3)
	s.commit(crawler.Changes{EndErrands: []crawler.RobotsHop{a, b}, Errands: []crawler.RobotsHop{a}})
	s.want("ended and put in one change", must[[]crawler.RobotsHop](s)(s.l.Waiters(a.URL, 9)), []crawler.RobotsHop{a, c})
	s.commit(crawler.Changes{Answers: []crawler.HopAnswer{{URL: a.URL, Handing: true}}})
	s.want("but for those that are handed on", must[[]crawler.RobotsHop](s)(s.l.Errands("hub.test", 9)), []crawler.RobotsHop{d})
	s.want("at another host", len(must[[]crawler.RobotsHop](s)(s.l.Errands("a.test", 9))), 0)
}

func (s *suite) answers() {
	u := s.url("http://hub.test/r")
	find := func() (crawler.HopAnswer, bool) {
		a, found, err := s.l.Answer(u)
		if err != nil {
			s.t.Fatal(err)
		}
		return a, found
	}
	_, found := find()
	s.want("found", found, false)
	file := crawler.RobotsFile{Status: crawler.RobotsRules, Body: []byte("rules"), TTL: time.Hour}
	s.commit(crawler.Changes{Answers: []crawler.HopAnswer{{URL: u, File: file, Until: s.now, Handing: true}, {URL: s.url("http://hub.test/2"), Next: u}}})
	a, _ := find()
	s.want("answer", []any{a.URL, string(a.File.Body), a.File.Status, a.Until.UTC(), a.Handing, a.Next.IsZero()}, []any{u, "rules", crawler.RobotsRules, s.now, true, true})
	s.want("handing", len(must[[]crawler.HopAnswer](s)(s.l.Handing("hub.test", 9))), 1)
	a.Handing = false
	s.commit(crawler.Changes{Answers: []crawler.HopAnswer{a}})
	a, found = find()
	s.want("at rest", []any{found, a.Handing, string(a.File.Body)}, []any{true, false, "rules"})
	s.want("handing", len(must[[]crawler.HopAnswer](s)(s.l.Handing("hub.test", 9))), 0)
	next, _, _ := s.l.Answer(s.url("http://hub.test/2"))
	s.want("next", next.Next, u)
}

func (s *suite) scope() {
	s.commit(crawler.Changes{Scope: []crawler.ScopeSeed{"host a.test"}})
	s.commit(crawler.Changes{Scope: []crawler.ScopeSeed{"host b.test", "host a.test"}})
	for seed, want := range map[crawler.ScopeSeed]bool{"host a.test": true, "host b.test": true, "host c.test": false, "host": false} {
		s.want(string(seed), must[bool](s)(s.l.Opened(seed)), want)
	}
	got := must[crawler.LedgerState](s)(s.l.Load(s.t.Context()))
	want := []uint64{crawler.ScopeSeed("host a.test").Key(), crawler.ScopeSeed("host b.test").Key()}
	slices.Sort(got.Scope)
	slices.Sort(want)
	s.want("keys", got.Scope, want)
	s.want("more", got.ScopeMore, false)
}
