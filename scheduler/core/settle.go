package core

import (
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// settle applies one part of a report. It counts only as the next part of a turn that its holder still
// holds; otherwise it is dropped whole, since what follows a gap may lack the links before it.
func (st *Step) settle(p *crawler.Part) {
	t := st.turn(p.Host)
	if t == nil || !t.Held || t.ID != p.Turn || t.Holder != p.Holder || p.Number != t.Part+1 {
		st.tallies.LateParts++
		return
	}
	t = st.editTurn(p.Host)
	t.Part = p.Number
	h := st.host(p.Host)
	rows := st.load(partKeys(p))
	if st.err != nil {
		return
	}
	st.settleCookies(p)
	for i := range p.Links {
		page := rows[p.Links[i].Page.Key()]
		if page != nil && slices.Contains(t.URLs, page.Key().URL) {
			if links := p.Links[i].Links; len(links) > 0 && links[0].Kind != crawler.LinkRedirect {
				st.redirectsEnd(page)
			}
			st.addLinks(page, p.Links[i].Links)
		}
	}
	for i := range p.Results {
		st.result(h, t, p, &p.Results[i], rows)
	}
	st.settledURLs(len(p.Results))
	if next := st.now.Add(p.Wait); h.RobotsTries == 0 && h.Away == "" || next.After(h.Next) {
		h.Next = next // the fetcher knows best, but for the wait for a robots.txt that is unreachable, or for a host that is away
	}
	st.hostReport(h, t, &p.State)
	if p.End {
		st.endTurn(h, t)
		st.note("end", t)
	}
}

// partKeys lists the rows that a part is about, sorted, each once.
func partKeys(p *crawler.Part) []weburl.URLKey {
	keys := make([]weburl.URLKey, 0, len(p.Results)+len(p.Links))
	for i := range p.Results {
		keys = append(keys, p.Results[i].URL.Key())
	}
	for i := range p.Links {
		keys = append(keys, p.Links[i].Page.Key())
	}
	slices.SortFunc(keys, weburl.URLKey.Compare)
	return slices.Compact(keys)
}

// result records how a URL's fetch ended, if the URL is leased to the turn.
func (st *Step) result(h *crawler.HostState, t *credit.Turn, p *crawler.Part, r *crawler.Result, rows map[weburl.URLKey]*crawler.Row) {
	k := r.URL.Key()
	old := rows[k]
	if old == nil || old.URL != r.URL || r.URL.Host() != h.Host || !t.Take(k.URL) {
		addWord(&st.tallies.Dropped, "result_without_lease", 1)
		return
	}
	back, again := st.comesBack(r, old)
	fresh := *old
	spare, keep := st.fault(h, t, r, &fresh)
	switch {
	case keep && r.Unsent:
		fresh.Detail = r.Detail // nothing was sent: what is known of the URL stays
	case keep:
		fresh.Result, fresh.Fetcher, fresh.RetryAt = *r, p.Fetcher, time.Time{}
		fresh.Outcome, fresh.Reason = crawler.Waiting, ""
	default:
		fresh.Result, fresh.Fetcher, fresh.RetryAt = *r, p.Fetcher, time.Time{}
	}
	if r.Outcome != crawler.Excluded && !r.Unsent {
		fresh.Attempts++
	}
	st.nameResult(&fresh)
	st.shipped(p.Fetcher, r.Archive)
	if !keep {
		st.retry(h, r, &fresh, spare)
	} else if !r.Unsent {
		fresh.Spared++
	}
	if again && back == old {
		fresh = *waitAgain(&fresh, fresh.Redirects+1)
	}
	if fresh.Outcome.Final() && fresh.Outcome != crawler.Redirected && r.Status > 0 {
		st.redirectsEnd(&fresh)
	}
	st.put(old, &fresh, true)
	rows[k] = &fresh
	if again && back != old {
		st.put(back, waitAgain(back, fresh.Redirects+1), false)
	}
	st.s.pages(p.Fetcher, r)
}

// retry lets a URL wait for another try, if it is to have one. spare says that this one is not counted as its own.
func (st *Step) retry(h *crawler.HostState, r *crawler.Result, row *crawler.Row, spare bool) {
	if r.Progress { // what is kept of the body grows: the tries before were not in vain
		row.Tries, row.Spared = 0, 0
	}
	switch {
	case !r.MayRetry():
		return
	case spare:
		row.Spared++
	default:
		row.Tries++
	}
	wait, again := st.s.job.Job.Retry.Again(r, row.Tries, row.Tries+row.Spared, st.jitter())
	if !again {
		return
	}
	row.Outcome, row.Reason, row.RetryAt = crawler.Waiting, crawler.ReasonRetry, st.now.Add(wait)
	if h.Retry == 0 || row.RetryAt.Before(h.RetryAt) {
		h.RetryAt = row.RetryAt
	}
}

// hostReport takes over what the fetcher learned of the host.
func (st *Step) hostReport(h *crawler.HostState, t *credit.Turn, r *crawler.HostReport) {
	st.tallies.Requests += int64(r.Requests)
	for word, n := range r.Dropped {
		addWord(&st.tallies.Dropped, word, n)
	}
	for word, n := range r.Bounds {
		addWord(&st.tallies.Bounds, word, n)
	}
	if r.PenaltySet {
		h.Penalty = r.Penalty
	}
	if h.Penalty == 0 {
		h.Refused = 0
	}
	if r.MeanTime > 0 {
		h.MeanTime = r.MeanTime
	}
	if len(r.Addresses) > 0 {
		h.Addresses, h.AddressesTo = r.Addresses, st.now.Add(addressTTL)
	}
	for i := range r.Robots {
		st.robotsAnswered(h, r.Robots[i].Scheme, &r.Robots[i])
		st.robotsFile(h.Host, r.Robots[i])
	}
	for _, a := range r.Hops {
		st.errandAnswer(h, t, a)
	}
}

// addressTTL is how long resolved addresses go along with grants, so that a host's name is not asked for
// each turn.
const addressTTL = 5 * time.Minute
