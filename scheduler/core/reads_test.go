package core

import (
	"errors"
	"iter"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/memory"
	"trawl/scheduler/schedulertest"
)

// damaged is a ledger of which one kind of reading fails.
type damaged struct {
	*schedulertest.Ledger
	what string
	err  error
}

func (d *damaged) of(what string) error {
	if d.what == what {
		return d.err
	}
	return nil
}

func (d *damaged) Host(h weburl.Host) (crawler.HostState, bool, error) {
	s, found, _ := d.Ledger.Host(h)
	return s, found, d.of("host")
}
func (d *damaged) Rows(keys []weburl.URLKey) ([]*crawler.Row, error) {
	if err := d.of("rows"); err != nil {
		return nil, err
	}
	return d.Ledger.Rows(keys)
}
func (d *damaged) Queue(h weburl.Host, now time.Time, maxDepth, n int) ([]*crawler.Row, time.Time, error) {
	rows, next, _ := d.Ledger.Queue(h, now, maxDepth, n)
	return rows, next, d.of("queue")
}
func (d *damaged) Beyond(weburl.Host, int) (int64, error) { return 0, d.of("beyond") }
func (d *damaged) Robots(h weburl.Host) ([]crawler.HostRobots, error) {
	files, _ := d.Ledger.Robots(h)
	return files, d.of("robots")
}
func (d *damaged) Errands(h weburl.Host, n int) ([]crawler.RobotsHop, error) {
	errands, _ := d.Ledger.Errands(h, n)
	return errands, d.of("errands")
}
func (d *damaged) Waiters(u weburl.URL, n int) ([]crawler.RobotsHop, error) {
	waiters, _ := d.Ledger.Waiters(u, n)
	return waiters, d.of("waiters")
}
func (d *damaged) Waits(hop crawler.RobotsHop) (bool, error) {
	waits, _ := d.Ledger.Waits(hop)
	return waits, d.of("waits")
}
func (d *damaged) Answer(u weburl.URL) (crawler.HopAnswer, bool, error) {
	a, found, _ := d.Ledger.Answer(u)
	return a, found, d.of("answer")
}
func (d *damaged) Handing(h weburl.Host, n int) ([]crawler.HopAnswer, error) {
	answers, _ := d.Ledger.Handing(h, n)
	return answers, d.of("handing")
}
func (d *damaged) Domain(name string) (session.DomainState, bool, error) {
	s, found, _ := d.Ledger.Domain(name)
	return s, found, d.of("domain")
}
func (d *damaged) Due(n int) ([]crawler.DueHost, error) {
	due, _ := d.Ledger.Due(n)
	return due, d.of("due")
}
func (d *damaged) HostsFrom(from weburl.HostKey) iter.Seq2[crawler.HostState, error] {
	if err := d.of("hosts"); err != nil {
		return func(yield func(crawler.HostState, error) bool) { yield(crawler.HostState{}, err) }
	}
	return d.Ledger.HostsFrom(from)
}
func (d *damaged) RowsFrom(from weburl.URLKey) iter.Seq2[*crawler.Row, error] {
	if err := d.of("rows from"); err != nil {
		return func(yield func(*crawler.Row, error) bool) { yield(&crawler.Row{}, err) }
	}
	return d.Ledger.RowsFrom(from)
}

// TestALedgerThatCannotBeReadEndsTheStep: nothing of the step is committed, whatever could not be read.
func TestALedgerThatCannotBeReadEndsTheStep(t *testing.T) {
	h, u := weburl.Host("a.test"), mustURL("http://a.test/1")
	hop := crawler.RobotsHop{For: "b.test", Scheme: "http", URL: u, Count: 1}
	known := func() *crawler.HostState {
		return &crawler.HostState{Host: h, Errands: 1, Handing: 1, Counts: [7]int64{crawler.Waiting: 1}}
	}
	for name, tt := range map[string]struct {
		what string
		do   func(st *Step)
	}{
		"a host that is edited":        {"host", func(st *Step) { st.host(h) }},
		"a host that is looked at":     {"host", func(st *Step) { st.peekHost(h) }},
		"rows":                         {"rows", func(st *Step) { st.load([]weburl.URLKey{u.Key()}) }},
		"rows of links":                {"rows", func(st *Step) { st.links = []candidate{{url: u, key: u.Key()}}; st.admit() }},
		"the queue of a turn":          {"queue", func(st *Step) { st.fillTurn(known(), &credit.Turn{}) }},
		"the queue of one given up":    {"queue", func(st *Step) { st.giveUpBatch(&crawler.HostState{Host: h}) }},
		"URLs that are too deep":       {"beyond", func(st *Step) { st.s.job.Job.Depth = 1; st.countDeep(known()) }},
		"robots.txt":                   {"robots", func(st *Step) { st.robotsOf(h) }},
		"errands of a turn":            {"errands", func(st *Step) { st.errandsFor(known()) }},
		"errands of one given up":      {"errands", func(st *Step) { st.failErrands(known()) }},
		"those who wait for an answer": {"waiters", func(st *Step) { st.handOut(known(), &crawler.HopAnswer{URL: u}) }},
		"whether an errand waits":      {"waits", func(st *Step) { st.putErrand(known(), hop) }},
		"an answer":                    {"answer", func(st *Step) { st.answerOf(u) }},
		"answers that are handed on":   {"handing", func(st *Step) { st.handOn(known()) }},
		"a domain that is looked at":   {"domain", func(st *Step) { st.peekDomain("a.test") }},
		"a domain that is edited": {"domain", func(st *Step) {
			st.s.domains.Put(&session.DomainState{Domain: "a.test"})
			st.domain("a.test")
		}},
		"hosts that are counted":        {"hosts", func(st *Step) { st.recount(&crawler.Work{Recount: &crawler.RecountWork{}}) }},
		"rows that are taken up":        {"rows from", func(st *Step) { st.retryFailed(&crawler.Work{Retry: make([]crawler.RetryWork, 1)}) }},
		"a repaired row, and its files": {"robots", func(st *Step) { st.robotsInForce(h) }},
	} {
		inBubble(t, name, func(t *testing.T) {
			led := &damaged{Ledger: schedulertest.NewLedger(), err: errors.New("damaged")}
			s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1)})
			if err != nil {
				t.Fatal(err)
			}
			if st := s.newStep(); st.err == nil {
				if tt.do(st); st.err != nil {
					t.Fatalf("of a sound ledger: %v", st.err)
				}
			}
			led.what = tt.what
			st := s.newStep()
			s.core.state.domains = memory.NewDomains()
			tt.do(st)
			if !errors.Is(st.err, led.err) {
				t.Errorf("the step says %v", st.err)
			}
			if err := s.seal(st); !errors.Is(err, led.err) {
				t.Errorf("it was committed: %v", err)
			}
		})
	}
	inBubble(t, "the order of hosts", func(t *testing.T) {
		led := &damaged{Ledger: schedulertest.NewLedger(), err: errors.New("damaged"), what: "due"}
		s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.runStep(t.Context(), &gathered{}); !errors.Is(err, led.err) {
			t.Errorf("it ends with %v", err)
		}
	})
}
