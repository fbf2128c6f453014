package fetcher

import (
	"context"
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// site is a turn's way to its host: its connections, and what was learned on them. Safe for concurrent
// use, besides the browsers.
type site interface {
	// browser is a lane's means to ask. It is used by one goroutine at a time.
	browser() browser
	// watch closes the connections each time the lease ends, until ctx ends.
	watch(ctx context.Context)
	// rest closes the connections that no exchange uses.
	rest()
	// learned are the resolved addresses, nil when there is nothing new.
	learned() (addresses []string)
	// close ends all connections. No browser may be used after it.
	close()
}

// browser does one exchange at a time.
type browser interface {
	page(ctx context.Context, u crawler.TaskURL, v crawler.Validator, l leave) finding
	robots(ctx context.Context, u weburl.URL, l leave) finding
	close()
}

// leave is a request's leave to be sent. Its methods are called once at most, while the exchange is under way, from
// any goroutine.
type leave interface {
	// stands is asked right before the request is written; when it says no, nothing is written and the
	// exchange is cut.
	stands() bool
	// wrote is told when the request went out.
	wrote()
	// heard is told when the head of the answer came, as far as the result says it by then.
	heard(r *crawler.Result)
}

// siteSpec is what a site is made from. answer is read while the site is made, not later.
type siteSpec struct {
	view   *view
	host   weburl.Host
	lease  *lease
	answer *crawler.Answer
	// early takes links of a page that is still read, with the changes of cookies that its head made. It returns
	// when more may come.
	early func(crawler.TaskURL, []crawler.Link, []session.CookieChange)
}

// finding is how one exchange ended.
type finding struct {
	result  crawler.Result
	links   []crawler.Link // owned by the caller
	dropped tally          // references on the page that are not among links, by reason
	bounds  tally          // limits that were hit
	cookies []session.CookieChange
	body    []byte // of a robots.txt
	opaque  bool   // it is in a coding that is not known
	sent    bool   // a request went out
	sign    sign   // what a fault says about our own network
	verdict verdict
	why     error // of a verdict other than counts
}

// lanes runs the turn's requests: errands and robots.txt first, by one goroutine, then the lanes.
func (t *turn) lanes() {
	if !t.prepare() {
		return
	}
	var running sync.WaitGroup
	t.list.run(func() { running.Go(t.lane) })
	running.Wait()
}

// lane asks for one URL after the other, until nothing is left or the turn ends.
func (t *turn) lane() {
	b := t.site.browser()
	defer b.close()
	for {
		u, ok := t.list.pick(t.going)
		if !ok {
			return
		}
		t.list.done(u, t.fetch(b, u))
	}
}

// fetch deals with one URL. It reports true when the URL is to be taken up again in this turn, because
// the right ended under way, the pace took its leave back, or its body must be fetched from byte 0.
func (t *turn) fetch(b browser, u crawler.TaskURL) (again bool) {
	rule, ok := t.allowed(b, u.URL)
	if !ok {
		return false
	}
	if !rule.Allowed {
		t.report.add(excluded(u.URL, rule), u.Depth, nil, false)
		return false
	}
	t.report.room(t.going.Done())
	s, ok := t.begin()
	if !ok {
		return false
	}
	found := b.page(t.flight, u, t.validators[u.URL], s)
	longer, ok := t.ended(s, &found)
	if !ok || found.verdict == restart {
		return true
	}
	t.f.pages.Add(1)
	links, dropped := t.inScope(u, withRedirect(&found))
	away := t.away(&found.result)
	t.report.add(&found.result, u.Depth, links, longer || away)
	t.report.addTallies(dropped, nil)
	return false
}

// early takes links of a page while it is read. It returns when there is room for more, or when the exchange is cut.
func (t *turn) early(u crawler.TaskURL, links []crawler.Link, cookies []session.CookieChange) {
	links, dropped := t.inScope(u, links)
	t.report.hold(cookies)
	t.report.addLinks(u.URL, u.Depth, links)
	t.report.addTallies(dropped, nil)
	t.report.room(t.flight.Done())
}

// withRedirect has the target of a redirect among the links, once and first: so the scheduler knows before any other link whether
// a seed's redirects end here.
func withRedirect(found *finding) []crawler.Link {
	to := crawler.Link{URL: found.result.RedirectTo, Kind: crawler.LinkRedirect}
	if to.URL.IsZero() {
		return found.links
	}
	if i := slices.Index(found.links, to); i >= 0 {
		found.links = slices.Delete(found.links, i, i+1)
	}
	return slices.Insert(found.links, 0, to)
}

// begin waits for the pace and for the right. It reports false when no further request may be sent.
func (t *turn) begin() (*start, bool) {
	for {
		s, err := t.pace.begin(t.going)
		if err != nil {
			t.end() // too far away: the frontier waits better than a slot does
			return nil, false
		}
		if !t.lease.over(time.Now()) {
			return s, true
		}
		s.done(time.Time{}, nil, false)
		if !t.renewed() {
			return nil, false
		}
	}
}

// renewed waits until the right is in force again; false when the turn ends before.
func (t *turn) renewed() bool {
	for {
		again := t.answer()
		if !t.lease.over(time.Now()) {
			return true
		}
		select {
		case <-again:
		case <-t.going.Done():
			return false
		}
	}
}

// ended counts an exchange. ok is false when it was cut and says nothing; longer tells that the host's next
// request moved away.
func (t *turn) ended(s *start, found *finding) (longer, ok bool) {
	now := time.Now()
	r, took := &found.result, found.result.Duration
	if found.verdict.noResult() {
		r, took = nil, 0
	}
	t.report.hold(found.cookies)
	longer, changed := s.done(now, r, found.sent)
	if t.network(found); found.verdict.noResult() {
		took = 0
	}
	t.report.addExchange(took, found.sent, changed)
	switch found.verdict {
	case diskFailed:
		t.f.disk.failed(found.why)
		t.end()
	case machineShort:
		t.f.slots.ran(found.why)
		t.end()
	case counts, restart:
		t.report.addTallies(found.dropped, found.bounds)
	}
	if found.sent {
		t.f.Step(StepRequest)
	}
	return longer, !found.verdict.noResult()
}

// network notes what an exchange says about our own network. A fault that is the network's doing cuts the exchange, and ends
// the turn; as long as it may be, this waits.
func (t *turn) network(found *finding) {
	switch {
	case found.verdict.noResult():
	case found.result.Status != 0 && found.sign == signNone:
		t.f.network.answered(t.task.Host)
	case found.sign != signNone && t.f.network.faulted(t.going, t.task.Host, found.result.Duration, found.sign):
		found.verdict = cutOff
		t.end()
	}
}
