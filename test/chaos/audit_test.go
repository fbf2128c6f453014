//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/internal/webfarm"
)

var zero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }

// testHost is asked by f1 (10.76.0.3) and f2 (10.76.0.4).
const testHost = "10.77.1.1:8080"

// ask is a request of a fetcher for a page, answered for good within 50 ms.
func ask(fetcher, ms int, target string) webfarm.Request {
	q := webfarm.Request{
		Begin: at(ms), End: at(ms + 50), Source: netip.AddrFrom4([4]byte{10, 76, 0, byte(2 + fetcher)}), Host: testHost,
		What: "page", Status: 200, Whole: true, Final: true, Target: target,
	}
	if target == "/robots.txt" {
		q.What = "robots"
	}
	return q
}

func turn(ms int, word, id string, fetcher int) turnEvent {
	return turnEvent{At: at(ms), Word: word, Host: testHost, Turn: turnID(id), Fetcher: fmt.Sprintf("f%d", fetcher), Lease: 3 * time.Second}
}

// good is a crawl without a breach: a turn of f1 that ends, one that is lost with f1, the rest by f2.
func good() *evidence {
	return &evidence{
		names: map[netip.Addr]string{netip.AddrFrom4([4]byte{10, 76, 0, 3}): "f1", netip.AddrFrom4([4]byte{10, 76, 0, 4}): "f2"},
		delay: 250 * time.Millisecond, lease: 3 * time.Second, grace: time.Second,
		turns: []turnEvent{
			turn(0, "grant", "a", 1), turn(1000, "renew", "a", 1), turn(2000, "end", "a", 1),
			turn(2100, "grant", "b", 1), turn(6200, "lapse", "b", 1),
			turn(6600, "grant", "c", 2), turn(9000, "end", "c", 2),
		},
		requests: []webfarm.Request{
			ask(1, 10, "/robots.txt"), ask(1, 400, "/1"), ask(1, 800, "/2"),
			ask(1, 2200, "/3"), ask(1, 2600, "/4"),
			ask(2, 6700, "/3"), ask(2, 7100, "/4"), ask(2, 7500, "/5"),
		},
		faults: []happened{{kind: killFetcher, node: "f1", begin: at(2700), end: at(3000), leased: 3}},
	}
}

// stopped is a stop of f2 during its turn, which a start of the scheduler kept from being lost.
func (e *evidence) stopped(begin, end int) {
	e.faults = append(e.faults, happened{kind: stopFetcher, node: "f2", begin: at(begin), end: at(end), leased: 1})
	if last := len(e.turns) - 1; end > 9600 {
		e.turns[last] = turn(12_000, "held", "c", 2)
		e.turns = append(e.turns, turn(13_500, "renew", "c", 2), turn(15_000, "end", "c", 2))
	}
}

func (e *evidence) verdict() *verdict {
	slices.SortStableFunc(e.requests, func(a, b webfarm.Request) int { return a.Begin.Compare(b.Begin) })
	v := &verdict{}
	e.judge(v)
	return v
}

func TestACrawlWithoutABreach(t *testing.T) {
	v := good().verdict()
	f := v.figures
	if len(v.breaches) > 0 || f.repeats != 2 || f.leased != 3 || f.gap != 340*time.Millisecond || f.kills != 1 {
		t.Errorf("%q %+v", v.breaches, f)
	}
	if want := 6700*time.Millisecond - 2650*time.Millisecond - 250*time.Millisecond; len(f.lost) != 1 || f.lost[0] != want {
		t.Errorf("the kill cost %v, want %v", f.lost, want)
	}
}

// TestPlantedBreachesAreFound: an audit that cannot fail is worth nothing.
func TestPlantedBreachesAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(e *evidence)
		want  string // the begin of a breach
	}{
		"a request too early": {func(e *evidence) { e.requests = append(e.requests, ask(2, 7790, "/6")) }, "pace:"},
		"two at once": {func(e *evidence) {
			e.requests[6].End = at(7600)
		}, "pace:"},
		"a lost exchange that is open does not end before its lease": {func(e *evidence) {
			e.requests = append(e.requests, ask(1, 4000, "/6"), ask(2, 4900, "/7"))
			e.requests[8].End = at(9000)
		}, "pace:"},
		"before the end of a Retry-After": {func(e *evidence) {
			e.requests[5].Status, e.requests[5].Final, e.requests[5].RetryAfter = 503, false, time.Second
		}, "pace:"},
		"a page that robots.txt forbids": {func(e *evidence) { e.requests[3].Disallowed = true }, "robots:"},
		"robots.txt three times with one lost turn": {func(e *evidence) {
			e.requests = append(e.requests, ask(2, 8000, "/robots.txt"), ask(2, 8400, "/robots.txt"))
		}, "robots:"},
		"a URL again, of a turn that ended": {func(e *evidence) { e.requests[7] = ask(2, 7500, "/2") }, "repeats:"},
		"a request after the lease, before a start's grace was told": {func(e *evidence) {
			e.turns = slices.Insert(e.turns, 6, turn(9000, "held", "c", 2), turn(11000, "renew", "c", 2))
			e.turns[8].At = at(12000)
			e.requests = append(e.requests, ask(2, 10500, "/6"))
		}, "rights:"},
		"a URL again within its turn": {func(e *evidence) { e.requests[7] = ask(2, 7500, "/3") }, "repeats:"},
		"a URL again whose answer came well before its fetcher was stopped": {func(e *evidence) {
			e.stopped(7900, 13_000)
			e.requests = append(e.requests, ask(2, 14_000, "/5"))
		}, "repeats:"},
		"a URL again whose fetcher was stopped for less than its right": {func(e *evidence) {
			e.stopped(7540, 8500)
			e.requests[7] = ask(2, 7500, "/5")
			e.requests = append(e.requests, ask(2, 8700, "/5"))
		}, "repeats:"},
		"more repeats than were leased": {func(e *evidence) { e.faults[0].leased = 1 }, "repeats:"},
		"a request after the lease": {func(e *evidence) {
			e.requests = append(e.requests, ask(1, 5400, "/6"))
		}, "rights:"},
		"a request after lease and grace on a machine that stood still": {func(e *evidence) {
			e.requests = append(e.requests, ask(1, 6150, "/6"))
			e.stalls = []span{{at(4900), at(6100)}}
		}, "rights:"},
		"a request while another holds the host": {func(e *evidence) {
			e.requests = append(e.requests, ask(1, 8200, "/6"))
		}, "rights: f1 asked " + testHost + "/6 at 00:00:08.200 while f2"},
		"a request of nobody's": {func(e *evidence) { e.turns = e.turns[5:] }, "rights:"},
		"a request after the end of its turn": {func(e *evidence) {
			e.turns[6].At = at(7300)
		}, "rights:"},
		"a second request of a fetcher that was stopped": {func(e *evidence) {
			e.faults[0].kind = stopFetcher
			e.requests = append(e.requests, ask(1, 5400, "/6"), ask(1, 5800, "/7"))
			e.faults[0].end = at(5300)
		}, "rights: f1 asked " + testHost + "/7"},
		"a host that nobody asks for a minute after a kill": {func(e *evidence) {
			e.turns = append(e.turns, turn(70_000, "grant", "d", 2))
			e.requests = append(e.requests[:5:5], ask(2, 70_010, "/3"))
		}, "idle:"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			c.plant(e)
			v := e.verdict()
			if !slices.ContainsFunc(v.breaches, func(b string) bool { return strings.HasPrefix(b, c.want) }) {
				t.Errorf("found %q, want %s", v.breaches, c.want)
			}
		})
	}
}

func TestWhatIsAllowed(t *testing.T) {
	for name, allow := range map[string]func(e *evidence){
		"one request without a right after a stop": func(e *evidence) {
			e.faults[0].kind, e.faults[0].end = stopFetcher, at(5300)
			e.requests = append(e.requests, ask(1, 5400, "/6"))
		},
		"a request that a machine standing still noted late": func(e *evidence) {
			e.requests = append(e.requests, ask(1, 5600, "/6"))
			e.stalls = []span{{at(4900), at(5550)}}
		},
		"robots.txt once more for a lost turn": func(e *evidence) { e.requests = append(e.requests, ask(2, 8000, "/robots.txt")) },
		"a URL again that failed at first": func(e *evidence) {
			e.requests[1].Final = false
			e.requests[7] = ask(2, 7500, "/1")
		},
		"an open exchange of a lost turn ends with its lease": func(e *evidence) { e.requests[4].End = at(60_000) },
		"a Retry-After that its fetcher took along": func(e *evidence) {
			e.requests[4].Status, e.requests[4].Final, e.requests[4].RetryAfter = 503, false, 30*time.Second
		},
		"a turn that a start found held": func(e *evidence) {
			e.turns = slices.Insert(e.turns, 6, turn(6550, "held", "c", 2))
		},
		"a URL again whose answer came while its fetcher was stopped for longer than its right, and whose turn a start kept": func(e *evidence) {
			e.stopped(7540, 13_000)
			e.requests = append(e.requests, ask(2, 14_000, "/5"))
		},
		"robots.txt again whose answer came then": func(e *evidence) {
			e.stopped(7540, 13_000)
			e.requests[7] = ask(2, 7500, "/robots.txt")
			e.requests = append(e.requests, ask(2, 14_000, "/robots.txt"))
		},
		"a URL again whose exchange was open when the right ended, which came back": func(e *evidence) {
			e.turns = slices.Insert(e.turns, 6, turn(9700, "renew", "c", 2))
			e.turns[7].At = at(11000)
			e.requests = append(e.requests, ask(2, 9560, "/6"), ask(2, 9900, "/6"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			allow(e)
			if v := e.verdict(); len(v.breaches) > 0 {
				t.Errorf("%q", v.breaches)
			}
		})
	}
}

func TestRowsThatDiffer(t *testing.T) {
	calm := &rows{by: map[string]row{"a": {URL: "a", Status: 200}, "b": {URL: "b", Status: 404}}}
	for name, c := range map[string]struct {
		got  rows
		want string
	}{
		"equal":       {rows{by: map[string]row{"a": {URL: "a", Status: 200}, "b": {URL: "b", Status: 404}}}, ""},
		"one missing": {rows{by: map[string]row{"a": {URL: "a", Status: 200}}}, "b is missing"},
		"one new":     {rows{by: map[string]row{"a": {URL: "a", Status: 200}, "b": {URL: "b", Status: 404}, "c": {}}}, "c is new"},
		"one other":   {rows{by: map[string]row{"a": {URL: "a", Status: 200}, "b": {URL: "b", Status: 200}}}, "{URL:b"},
		"one twice":   {rows{by: calm.by, twice: []string{"a"}}, "a is there more than once"},
	} {
		got := strings.Join(c.got.compare(calm), "\n")
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
