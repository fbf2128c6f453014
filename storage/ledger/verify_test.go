package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/storage/crawldir"
	"trawl/storage/ledger/format"
	"trawl/storage/storagetest"
)

// planted is a ledger that balances, with one of everything: a host with rows of several outcomes, one of
// them leased, and an idle host that is due.
type planted struct {
	*Ledger
	t                    *testing.T
	busy, idle           crawler.HostState
	waiting, leased, got *crawler.Row
	turn                 crawler.TurnState
	tallies              crawler.Tallies
}

func plant(t *testing.T) *planted {
	p := &planted{Ledger: open(t, "ledger", small(vfs.NewMem())), t: t}
	at := time.Unix(1_700_000_000, 0)
	row := func(url string, o crawler.Outcome, sequence uint64) *crawler.Row {
		return &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(url), Outcome: o}, Sequence: sequence}
	}
	p.waiting = row("https://busy.example/waiting", crawler.Waiting, 1)
	p.leased = row("https://busy.example/leased", crawler.Waiting, 2)
	p.leased.RetryAt = at
	p.got = row("https://busy.example/got", crawler.Fetched, 3)
	p.got.Bytes = 100
	failed := row("https://idle.example/failed", crawler.Failed, 4)
	failed.Reason = crawler.ReasonDNS
	due := row("https://idle.example/due", crawler.Waiting, 5)
	p.turn = crawler.TurnState{ID: crawler.TurnID{1}, Host: "busy.example", URLs: []uint64{p.leased.Key().URL}}
	p.busy = crawler.HostState{Host: "busy.example", Turn: p.turn.ID, Retry: 1}
	p.busy.Counts = [format.Outcomes]int64{crawler.Waiting: 1, crawler.Leased: 1, crawler.Fetched: 1}
	p.idle = crawler.HostState{Host: "idle.example", Next: at, Errands: 1}
	p.idle.Counts = [format.Outcomes]int64{crawler.Waiting: 1, crawler.Failed: 1}
	p.got.Name, p.got.Aliases = "given.html", 1
	p.got.Archive = crawler.Locator{File: crawldir.FilesDir + "/given.html", Length: 100}
	p.tallies.Counts = [format.Outcomes]int64{crawler.Waiting: 2, crawler.Leased: 1, crawler.Fetched: 1, crawler.Failed: 1}
	p.tallies.Reasons = map[crawler.Reason]int64{crawler.ReasonDNS: 1}
	p.tallies.Bytes, p.tallies.Hosts = 100, 2
	c := &crawler.Changes{Now: at, Sequence: 6, Position: 1, Tallies: &p.tallies,
		Turns:   []crawler.TurnState{p.turn},
		Errands: []crawler.RobotsHop{{For: "busy.example", Scheme: "http", URL: weburl.MustParse("https://idle.example/robots.txt"), Count: 1}},
		State:   &crawler.JobState{Job: crawler.NewJob(crawler.Crawl), Names: &crawler.NameRule{Case: true}},
		Hosts:   []crawler.HostChange{{New: &p.busy}, {New: &p.idle}},
	}
	for _, r := range []*crawler.Row{p.waiting, p.leased, p.got, failed, due} {
		c.Rows = append(c.Rows, crawler.RowChange{New: r})
		c.Names.Given = append(c.Names.Given, crawler.GivenName{Key: strings.ToLower(r.FileOf()), URL: r.URL})
	}
	c.Names.Given = append(c.Names.Given, crawler.GivenName{Key: "further", URL: p.got.URL})
	c.Names.Aliases = []crawler.Alias{{Of: p.got.Key(), Sequence: 6, Name: "FURTHER"}}
	storagetest.Commit(t, p.Ledger, c)
	return p
}

func (p *planted) remove(key []byte) {
	if err := p.db.Delete(key, pebble.Sync); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planted) set(key, value []byte) {
	if err := p.db.Set(key, value, pebble.Sync); err != nil {
		p.t.Fatal(err)
	}
}

func TestVerifyFindsEveryFault(t *testing.T) {
	hostKey := func(h crawler.HostState) []byte { return format.AppendHost(nil, format.KindHost, h.Host.Key()) }
	for name, c := range map[string]struct {
		harm func(*planted)
		says string
	}{
		"a waiting row has no queue entry": {
			func(p *planted) { p.remove(format.AppendQueue(nil, p.waiting.Key(), p.waiting)) },
			"row of https://busy.example/waiting: waits and is not in the queue",
		},
		"a final row has a queue entry": {
			func(p *planted) { p.set(format.AppendQueue(nil, p.got.Key(), p.got), nil) },
			"row of https://busy.example/got: is fetched and has a queue entry",
		},
		"a queue entry is of another time": {
			func(p *planted) {
				p.remove(format.AppendQueue(nil, p.leased.Key(), p.leased))
				r := *p.leased
				r.RetryAt = r.RetryAt.Add(1)
				p.set(format.AppendQueue(nil, r.Key(), &r), nil)
			},
			"row of https://busy.example/leased: waits and is not in the queue",
		},
		"a queue entry has no row": {
			func(p *planted) {
				k := p.got.Key()
				k.URL++
				p.set(format.AppendQueue(nil, k, p.waiting), nil)
			},
			"its row is not there",
		},
		"a queue entry is none": {
			func(p *planted) { p.set(append(format.AppendHost(nil, format.KindQueue, p.busy.Host.Key()), 9), nil) },
			"is none",
		},
		"a row is gone": {
			func(p *planted) { p.remove(format.AppendRow(nil, p.got.Key())) },
			"tallies: 1 fetched, but 0 were counted",
		},
		"a row that a turn lists is gone": {
			func(p *planted) { p.remove(format.AppendRow(nil, p.leased.Key())) },
			"which has no waiting row",
		},
		"a row is damaged": {
			func(p *planted) { p.set(format.AppendRow(nil, p.got.Key()), []byte{0xff}) },
			"is damaged (ends in the middle of a field)",
		},
		"a domain's record is damaged": {
			func(p *planted) {
				p.set(format.AppendHost(nil, format.KindDomain, session.DomainKey("a.example")), []byte{0xff})
			},
			"its record is damaged",
		},
		"a domain's record lies under another key": {
			func(p *planted) {
				d := session.DomainState{Domain: "a.example", Logins: []session.Login{{Host: "a.example", Credentials: "u:p"}}}
				p.set(format.AppendHost(nil, format.KindDomain, session.DomainKey("b.example")), records.Domain.Append(nil, &d))
			},
			"domain a.example: its record lies under the key of another",
		},
		"a row lies under another key": {
			func(p *planted) {
				k := p.got.Key()
				p.remove(format.AppendRow(nil, k))
				k.URL++
				p.set(format.AppendRow(nil, k), records.Row.Append(nil, p.got))
			},
			"row of https://busy.example/got: lies under the key of another URL",
		},
		"a row says leased itself": {
			func(p *planted) {
				r := *p.got
				r.Outcome = crawler.Leased
				p.set(format.AppendRow(nil, r.Key()), records.Row.Append(nil, &r))
			},
			"is stored as leased",
		},
		"a row has another reason than was tallied": {
			func(p *planted) {
				r := *p.got
				r.Outcome, r.Reason = crawler.Failed, crawler.ReasonTLS
				p.set(format.AppendRow(nil, r.Key()), records.Row.Append(nil, &r))
			},
			"tallies: 0 with reason tls, but 1 were counted",
		},
		"a host record is gone": {
			func(p *planted) { p.remove(hostKey(p.busy)) },
			"has rows and no record",
		},
		"a host counts wrongly": {
			func(p *planted) {
				p.busy.Counts[crawler.Fetched]++
				p.set(hostKey(p.busy), records.Host.Append(nil, &p.busy))
			},
			"host busy.example: its record says 2 fetched, but 1 were counted",
		},
		"a host miscounts its retries": {
			func(p *planted) { p.busy.Retry = 0; p.set(hostKey(p.busy), records.Host.Append(nil, &p.busy)) },
			"host busy.example: its record says 0 rows that wait for another try, but 1",
		},
		"a host miscounts what is parked": {
			func(p *planted) { p.idle.Parked = 1; p.set(hostKey(p.idle), records.Host.Append(nil, &p.idle)) },
			"host idle.example: its record says 1 rows that are beyond a limit",
		},
		"a host miscounts its errands": {
			func(p *planted) { p.idle.Errands = 2; p.set(hostKey(p.idle), records.Host.Append(nil, &p.idle)) },
			"host idle.example: its record says 2 errands, but 1 were counted",
		},
		"a host lies under another key": {
			func(p *planted) {
				p.set(format.AppendHost(nil, format.KindHost, p.idle.Host.Key()+1), records.Host.Append(nil, &p.idle))
			},
			"under the key of another host",
		},
		"a turn is gone": {
			func(p *planted) { p.remove(format.AppendHost(nil, format.KindTurn, p.busy.Host.Key())) },
			"of which there is no record",
		},
		"a host has another turn": {
			func(p *planted) { p.busy.Turn[5] = 9; p.set(hostKey(p.busy), records.Host.Append(nil, &p.busy)) },
			"is in force",
		},
		"a turn lists a URL twice": {
			func(p *planted) {
				p.turn.URLs = append(p.turn.URLs, p.turn.URLs...)
				p.set(format.AppendHost(nil, format.KindTurn, p.busy.Host.Key()), records.Turn.Append(nil, &p.turn))
			},
			"twice",
		},
		"a host that is due is not in the order": {
			func(p *planted) { p.remove(format.AppendDue(nil, p.idle.Host.Key(), p.idle.Next)) },
			"host idle.example: may be asked from",
		},
		"a host is in the order twice": {
			func(p *planted) { p.set(format.AppendDue(nil, p.idle.Host.Key(), time.Time{}), []byte(p.idle.Host)) },
			"host idle.example: is in the order of hosts at the beginning and should not be",
		},
		"a held host is in the order": {
			func(p *planted) {
				p.set(format.AppendDue(nil, p.busy.Host.Key(), time.Unix(3, 0)), []byte(p.busy.Host))
			},
			"host busy.example: is in the order of hosts at 1970",
		},
		"the tallies miscount": {
			func(p *planted) {
				p.tallies.Counts[crawler.Waiting]++
				storagetest.Commit(p.t, p.Ledger, &crawler.Changes{Tallies: &p.tallies})
			},
			"tallies: 3 waiting, but 2 were counted",
		},
		"the tallies miscount bytes": {
			func(p *planted) {
				p.tallies.Bytes = 7
				storagetest.Commit(p.t, p.Ledger, &crawler.Changes{Tallies: &p.tallies})
			},
			"tallies: 7 bytes, but 100 were counted",
		},
		"the sequence lags behind": {
			func(p *planted) { storagetest.Commit(p.t, p.Ledger, &crawler.Changes{Sequence: 4}) },
			"sequence 5 was used, but the last one noted is 4",
		},
		"a name is damaged": {
			func(p *planted) { p.set(format.AppendName(nil, "given.html"), []byte("no URL")) },
			`name "given.html": is damaged`,
		},
		"a name is noted as that of another URL": {
			func(p *planted) { p.set(format.AppendName(nil, "given.html"), []byte(p.waiting.URL.String())) },
			`row of https://busy.example/got: its name "given.html" is noted as that of https://busy.example/waiting`,
		},
		"a URL is noted with a name that it has not": {
			func(p *planted) { p.set(format.AppendName(nil, "more"), []byte(p.waiting.URL.String())) },
			`name "more": is noted as that of https://busy.example/waiting, which has another`,
		},
		"a name is noted as that of no row": {
			func(p *planted) { p.set(format.AppendName(nil, "more"), []byte("https://busy.example/nowhere")) },
			`name "more": is noted as that of https://busy.example/nowhere, which has no row`,
		},
		"a row's name is not noted": {
			func(p *planted) { p.remove(format.AppendName(nil, "given.html")) },
			`row of https://busy.example/got: its name "given.html" is not noted`,
		},
		"a further name is not noted": {
			func(p *planted) { p.remove(format.AppendName(nil, "further")) },
			`its name "FURTHER" is not noted`,
		},
		"a further name is gone": {
			func(p *planted) { p.remove(format.AppendAlias(nil, p.got.Key(), 6)) },
			"names: rows count 1 beside their own, but there are 0",
		},
		"a further name is damaged": {
			func(p *planted) { p.set(format.AppendAlias(nil, p.got.Key(), 6), []byte("short")) },
			"beside a row's own: is damaged",
		},
		"a key is of no kind": {
			func(p *planted) { p.set([]byte{0, 7, 99, 1}, nil) },
			"is of no kind that this trawl knows",
		},
		"a host waits for an errand that is nowhere": {
			func(p *planted) {
				old := p.idle
				p.idle.RobotsWait, p.idle.Errands = true, 0
				storagetest.Commit(p.t, p.Ledger, &crawler.Changes{Hosts: []crawler.HostChange{{Old: &old, New: &p.idle}},
					EndErrands: []crawler.RobotsHop{{For: "busy.example", Scheme: "http", URL: weburl.MustParse("https://idle.example/robots.txt"), Count: 1}}})
			},
			"1 hosts wait for one, but there are 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plant(t)
			if b, err := p.Verify(t.Context()); err != nil || !b.OK() {
				t.Fatalf("before the fault: %v, %v", b.Differences, err)
			}
			c.harm(p)
			b, err := p.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(b.Differences, func(d string) bool { return strings.Contains(d, c.says) }) {
				t.Errorf("none of the differences says %q:\n%s", c.says, strings.Join(b.Differences, "\n"))
			}
		})
	}
}

// A job may begin with another archive and continue files.
func TestRowsOfATimeWithoutFilesNeedNoNames(t *testing.T) {
	p := plant(t)
	p.remove(format.AppendName(nil, p.waiting.FileOf()))
	if b, err := p.Verify(t.Context()); err != nil || !b.OK() {
		t.Errorf("%v, %v", b.Differences, err)
	}
}

func TestVerifyListsABoundedNumberOfDifferences(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	b := l.db.NewBatch()
	for i := range MaxDifferences + 500 {
		if err := b.Set([]byte{0, byte(i), 99, byte(i >> 8)}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	got, err := l.Verify(t.Context())
	if err != nil || len(got.Differences) != MaxDifferences || got.More != 500 {
		t.Errorf("%d differences and %d more, %v", len(got.Differences), got.More, err)
	}
}
