package core

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

const (
	// unknownMean is taken for the mean time of an exchange with a host that was never asked.
	unknownMean = 100 * time.Millisecond
	// taskOverhead is what a URL costs in a task message beside its own text, in bytes, at most.
	taskOverhead = 64
	// aloneLapses: a URL that was in so many lapsed turns gets a turn of its own, and after as many again
	// it fails with reason lost: it is likely to be what kills its fetchers.
	aloneLapses = 5
	// givenUpBatch is how many URLs of a host that was given up fail in one step.
	givenUpBatch = 1000
	// maxOffers bounds the hosts looked at in one step, so that a step stays short.
	maxOffers = 1024
	// idleRecheck is when a host is looked at again whose counts promise URLs that its queue does not hold.
	idleRecheck = time.Second
	// farFuture makes every retry due.
	farFuture = 100 * 365 * 24 * time.Hour
)

// offerDue makes turns for the hosts that are due, as far as credit goes, and fails what waits at hosts
// that were given up. more tells that hosts are due and only credit is missing.
func (st *Step) offerDue(credit int) (made int) {
	for range min(credit, maxOffers) {
		if st.full() {
			break
		}
		h, ok := st.s.window.Pop(st.now)
		if !ok {
			break
		}
		host := st.host(h)
		if st.err != nil {
			return made
		}
		switch due, is := host.Due(); {
		case !is:
			// nothing to do after all; the commit of this step removes it
		case due.After(st.now):
			// its clock was moved by this step; the commit puts it back
		case host.Handing > 0:
			st.handOn(host)
		case host.GivenUp != "":
			st.giveUpBatch(host)
		case st.s.notBefore(host).After(st.now):
			st.holdBack(host, st.s.notBefore(host))
		default:
			made += st.offer(host)
		}
	}
	return made
}

// offer makes a turn of the host's next URLs and reports how many turns it made, 0 or 1. Errands of other hosts and URLs of its
// own take turns, so that strangers whose robots.txt leads here cannot keep it from being crawled.
func (st *Step) offer(h *crawler.HostState) int {
	t := &credit.Turn{TurnState: crawler.TurnState{Host: h.Host, Probe: h.Gone()}, Offered: st.now, Published: st.now}
	due, _ := h.Due()
	errands := st.errandsFor(h)
	if !h.RobotsWait && (len(errands) == 0 || h.ErrandsLast && st.hasOwn(h)) {
		st.fillTurn(h, t)
	}
	if len(t.URLs) == 0 {
		t.Errands, t.Task.Errands = errands, errands
	}
	if st.err != nil || len(t.URLs)+len(t.Errands) == 0 {
		return 0
	}
	h.Turned, h.ErrandsLast = due, len(t.Errands) > 0
	st.newTurn(h, t)
	st.lease(h, int64(len(t.URLs)))
	t.Task.Turn, t.Task.Host = t.ID, h.Host
	st.publish(t)
	return 1
}

// publish lets a turn's task leave after the commit.
func (st *Step) publish(t *credit.Turn) {
	st.tasks = append(st.tasks, t)
	for i := range t.Task.URLs {
		st.taskBytes += len(t.Task.URLs[i].URL.String()) + len(t.Task.URLs[i].Name) + len(t.Task.URLs[i].Via.String())
	}
	for i := range t.Task.Errands {
		st.taskBytes += errandBytes(&t.Task.Errands[i])
	}
	st.taskBytes += taskOverhead * (1 + len(t.Task.URLs))
}

// full reports whether the queue must take what it was offered before more is made.
func (st *Step) full() bool { return st.s.unsent+st.taskBytes >= maxUnsent }

// fillTurn chooses the URLs of a new turn. When none is ready the host learns when the next retry is.
func (st *Step) fillTurn(h *crawler.HostState, t *credit.Turn) {
	n := st.turnSize(h)
	if n <= 0 {
		return
	}
	if t.Probe {
		n = min(h.Failed+1, crawler.MaxTurnURLs)
	}
	t.Depth = crawler.NoDepth
	if nextRetry := st.choose(h, t, n); len(t.URLs) > 0 || st.err != nil {
		return
	} else if h.RetryAt = nextRetry; h.Ready() > 0 || nextRetry.IsZero() {
		st.holdBack(h, st.now.Add(idleRecheck))
	}
}

// choose adds up to n further URLs of the host to the turn, the best first, and puts them into its task. The host learns how deep the
// rest is.
func (st *Step) choose(h *crawler.HostState, t *credit.Turn, n int) (nextRetry time.Time) {
	had := len(t.URLs)
	rows, nextRetry, err := st.read.Queue(h.Host, st.now, st.s.job.Job.Depth, had+n+1) // those that it has are in the queue, too; one more, to know what waits after it
	if err != nil {
		st.fail(err, "read queue of %s", h.Host)
		return nextRetry
	}
	leased := setOf(t.URLs)
	size, full := 0, false
	rest := crawler.NoDepth
	picked := probed(t, h, rows)
	for i, r := range rows {
		r = st.current(r)
		if r.Outcome != crawler.Waiting || leased[r.Key().URL] {
			continue
		}
		cost := len(r.URL.String()) + len(r.Name) + len(referrer(r)) + taskOverhead
		alone := r.Lapses >= aloneLapses
		full = full || len(t.URLs) == had+n || size+cost > crawler.MaxTaskBytes && len(t.URLs) > had
		if full || alone && len(t.URLs) > 0 || picked >= 0 && i != picked {
			rest = min(rest, r.Depth)
			continue
		}
		size += cost
		t.URLs = append(t.URLs, r.Key().URL)
		t.Task.URLs = append(t.Task.URLs, taskURL(r))
		t.Depth = min(t.Depth, r.Depth)
		t.Alone, full = alone, alone
	}
	if len(t.URLs) > had {
		h.Depth = rest
	}
	return nextRetry
}

// setOf has what is in a list.
func setOf(urls []uint64) map[uint64]bool {
	set := make(map[uint64]bool, len(urls))
	for _, u := range urls {
		set[u] = true
	}
	return set
}

// probed is the place of the URL that is to find out whether its host is back, -1 when the turn is no probe: each time the
// next in order, so that one that cannot be had does not stand for all.
func probed(t *credit.Turn, h *crawler.HostState, rows []*crawler.Row) int {
	if !t.Probe || len(rows) == 0 {
		return -1
	}
	return h.Failed % len(rows)
}

// current is a row as this step has it.
func (st *Step) current(r *crawler.Row) *crawler.Row {
	if e, edited := st.rows[r.Key()]; edited {
		return e.new
	}
	return r
}

// hasOwn reports whether URLs of the host itself may be asked for now.
func (st *Step) hasOwn(h *crawler.HostState) bool {
	return h.Ready() > 0 || h.Retry > 0 && h.Counts[crawler.Waiting] > h.Parked && !h.RetryAt.After(st.now)
}

// turnSize is how many URLs may be leased now, so that with those that are they make about TurnTime of work at the host's pace, within
// the limits of the job.
func (st *Step) turnSize(h *crawler.HostState) int {
	job := &st.s.job.Job
	leased := h.Counts[crawler.Leased]
	n := min(int64(st.paceSize(h))-leased, job.Room(&st.tallies), job.RoomAt(h)-leased)
	if st.s.careful() {
		n = min(n, 1)
	}
	return int(n)
}

// paceSize is how many requests make about TurnTime of work at the host's pace.
func (st *Step) paceSize(h *crawler.HostState) int {
	job, settings := &st.s.job.Job, st.s.job.Job.For(h.Host)
	mean := h.MeanTime
	if mean <= 0 {
		mean = unknownMean
	}
	delay := h.DelayInForce(job)
	pace := delay + mean
	if settings.PerHost > 1 {
		pace = max(delay, mean/time.Duration(settings.PerHost))
	}
	return int(max(1, min(job.TurnTime/max(pace, time.Microsecond), crawler.MaxTurnURLs)))
}

// giveUpBatch fails waiting URLs of a host that was given up, and errands that waited there.
func (st *Step) giveUpBatch(h *crawler.HostState) {
	st.failErrands(h)
	rows, _, err := st.read.Queue(h.Host, st.now.Add(farFuture), -1, givenUpBatch)
	if err != nil {
		st.fail(err, "read queue of %s", h.Host)
		return
	}
	for _, r := range rows {
		if r = st.current(r); r.Outcome != crawler.Waiting {
			continue
		}
		fresh := *r
		fresh.Outcome, fresh.Reason, fresh.Detail, fresh.RetryAt = crawler.Failed, h.GivenUp, h.GivenUpDetail, time.Time{}
		st.put(r, &fresh, false)
	}
}

func taskURL(r *crawler.Row) crawler.TaskURL {
	u := crawler.TaskURL{URL: r.URL, Depth: r.Depth, Redirects: r.Redirects, Name: r.Name, Requisite: r.Requisite}
	if via := referrer(r); via != "" {
		u.Via, _ = weburl.Parse(via) // it was one
	}
	return u
}
