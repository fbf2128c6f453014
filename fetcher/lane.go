package fetcher

import (
	"context"
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/trouble"
)

// site is a turn's way to its host, see [download.Site].
type site interface {
	lane() lanePages
	Lapse()
	Rest(next time.Duration)
	Learned() (addresses []string)
	Close(ordered bool)
}

// lanePages does one exchange at a time, see [download.Lane].
type lanePages interface {
	Page(ctx context.Context, p download.Page, permit download.Permit) download.Finding
	Robots(ctx context.Context, u weburl.URL, permit download.Permit) download.Finding
	Close()
}

// downloadSite is a site over the network.
type downloadSite struct{ *download.Site }

func (s downloadSite) lane() lanePages { return s.Lane() }

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
	b := t.site.lane()
	defer b.Close()
	for {
		u, ok := t.list.pick(t.going)
		if !ok {
			return
		}
		t.list.done(u, t.fetch(b, u))
	}
}

// fetch deals with one URL. It reports true when the URL is to be taken up again in this turn, because
// the right ended under way, its permit was revoked, or its body must be fetched from byte 0.
func (t *turn) fetch(b lanePages, u crawler.TaskURL) (again bool) {
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
	found := b.Page(t.flight, t.page(u), s)
	longer, ok := t.ended(s, &found)
	if !ok || found.Verdict == download.Restart {
		return true
	}
	t.f.pages.Add(1)
	links, dropped := t.inScope(u, withRedirect(&found))
	away := t.away(&found.Result)
	t.report.add(&found.Result, u.Depth, links, longer || away)
	t.report.addTallies(dropped, nil)
	return false
}

// page is what is asked for of a URL.
func (t *turn) page(u crawler.TaskURL) download.Page {
	v := t.validators[u.URL]
	return download.Page{
		URL: u.URL, Via: u.Via, Redirects: u.Redirects, Name: u.Name, ETag: v.ETag, LastModified: v.LastModified,
		Sent:  func(key uint64) bool { return t.report.knows(key, u.Depth) },
		Early: func(links []crawler.Link, cookies []session.CookieChange) { t.early(u, links, cookies) },
	}
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
func withRedirect(found *download.Finding) []crawler.Link {
	to := crawler.Link{URL: found.Result.RedirectTo, Kind: crawler.LinkRedirect}
	if to.URL.IsZero() {
		return found.Links
	}
	if i := slices.Index(found.Links, to); i >= 0 {
		found.Links = slices.Delete(found.Links, i, i+1)
	}
	return slices.Insert(found.Links, 0, to)
}

// begin waits for the pace and for the right. It reports false when no further request may be sent.
func (t *turn) begin() (*start, bool) {
	for {
		s, err := t.pace.begin(t.going)
		if err != nil {
			t.end() // too far away: the frontier waits better than a slot does
			return nil, false
		}
		if !t.lease.Over(time.Now()) {
			return s, true
		}
		s.done(time.Time{}, nil, false)
		if !t.renewed() {
			return nil, false
		}
	}
}

// renewed waits until the right is valid again; false when the turn ends before.
func (t *turn) renewed() bool {
	for {
		extended := t.lease.Extended()
		if !t.lease.Over(time.Now()) {
			return true
		}
		select {
		case <-extended:
		case <-t.going.Done():
			return false
		}
	}
}

// ended counts an exchange. ok is false when it was cut and says nothing; longer: the host's next
// request moved away.
func (t *turn) ended(s *start, found *download.Finding) (longer, ok bool) {
	now := time.Now()
	r, took := &found.Result, found.Result.Duration
	if found.Verdict.NoResult() {
		r, took = nil, 0
	}
	t.report.hold(found.Cookies)
	longer, changed := s.done(now, r, found.Sent)
	if t.network(found); found.Verdict.NoResult() {
		took = 0
	}
	t.report.addExchange(took, found.Sent, changed)
	switch found.Verdict {
	case download.DiskFailed:
		t.f.disk.Failed(found.Why)
		t.end()
	case download.MachineShort:
		t.f.download.CloseIdle()
		t.f.slots.Short(found.Why)
		t.end()
	case download.Counts, download.Restart:
		t.report.addTallies(found.Dropped, found.Bounds)
	}
	if found.Sent {
		t.f.Step(StepRequest)
	}
	return longer, !found.Verdict.NoResult()
}

// network notes what an exchange says about our own network. A fault that is the network's doing cuts the exchange, and ends
// the turn; as long as it may be, this waits.
func (t *turn) network(found *download.Finding) {
	switch {
	case found.Verdict.NoResult():
	case found.Result.Status != 0 && found.Sign == trouble.SignNone:
		t.f.network.Answered(t.task.Host)
	case found.Sign != trouble.SignNone && t.f.network.Faulted(t.going, t.task.Host, found.Result.Duration, found.Sign):
		found.Verdict = download.CutOff
		t.end()
	}
}
