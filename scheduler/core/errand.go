package core

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// A robots.txt that is redirected to another host is an errand there: the first host waits, and the URL is asked in a turn of the
// other one. All that wait for one URL share its answer, which is kept for as long as robots.txt is: a stranger can lead any number
// of names to a URL, and its host is asked for it once. The answer is handed on in batches; until all have it, it
// stands in the ledger as one that is being handed on, and its host is looked at again at once.

const (
	// maxHandOn is how many waiting hosts are given an answer in one step.
	maxHandOn = 256
	// maxHandOnBytes is how many bytes of rules they are given in one step, at most, but for the first.
	maxHandOnBytes = 4 << 20
	// maxHanding is how many answers of a host are handed on in one step.
	maxHanding = 16
)

// errandKey names an errand: a host's robots.txt for one scheme that waits for a URL.
type errandKey struct {
	url    weburl.URL
	scheme string
	of     weburl.Host
}

func keyOfErrand(e *crawler.RobotsHop) errandKey { return errandKey{e.URL, e.Scheme, e.For} }

// addErrand lets h wait for the next hop of its robots.txt, or answers it at once from what is known.
func (st *Step) addErrand(h *crawler.HostState, hop crawler.RobotsHop) {
	hop.For = h.Host
	switch {
	case hop.Count > maxRobotsHops || hop.URL.IsZero():
		st.noErrand(hop, "more than 5 redirects")
		return
	case st.hashCollides(hop.URL.Host()):
		st.noErrand(hop, "redirected to a host whose hash is that of another one")
		return
	}
	at := st.host(hop.URL.Host())
	if at.GivenUp != "" {
		st.giveAnswer(hop, st.givenUpAnswer(at, hop.URL))
		return
	}
	a := st.answerOf(hop.URL)
	switch {
	case a != nil && a.URL != hop.URL:
		st.noErrand(hop, "redirected to a URL whose hash is that of another one")
	case a != nil && (a.Handing || st.now.Before(a.Until)):
		st.giveAnswer(hop, a)
	default:
		h.RobotsWait = true
		st.putErrand(at, hop)
	}
}

// noErrand ends a redirected robots.txt that is not followed: it counts as unavailable.
func (st *Step) noErrand(hop crawler.RobotsHop, why string) {
	st.robotsFile(hop.For, crawler.RobotsFile{Scheme: hop.Scheme, Status: crawler.RobotsUnavailable, Detail: why})
}

// putErrand stores an errand. One that waits already is not counted again.
func (st *Step) putErrand(at *crawler.HostState, hop crawler.RobotsHop) {
	k := keyOfErrand(&hop)
	if !st.waits(k, &hop) {
		at.Errands++
	}
	if st.errands == nil {
		st.errands = make(map[errandKey]*crawler.RobotsHop)
	}
	st.errands[k] = &hop
}

func (st *Step) waits(k errandKey, hop *crawler.RobotsHop) bool {
	if e, edited := st.errands[k]; edited {
		return e != nil
	}
	waits, err := st.read.Waits(*hop)
	st.fail(err, "read errand of %s", hop.For)
	return waits
}

// endErrand removes an errand that is answered.
func (st *Step) endErrand(at *crawler.HostState, hop crawler.RobotsHop) {
	if st.errands == nil {
		st.errands = make(map[errandKey]*crawler.RobotsHop)
	}
	st.errands[keyOfErrand(&hop)] = nil
	st.ended = append(st.ended, hop)
	at.Errands = max(0, at.Errands-1)
}

// errandsFor lists errands for a turn of the host, one for each URL, bounded in count and bytes.
func (st *Step) errandsFor(h *crawler.HostState) (errands []crawler.RobotsHop) {
	if h.Errands == 0 {
		return nil
	}
	most := max(1, min(st.paceSize(h), crawler.MaxTurnErrands))
	if h.Gone() {
		most = 1 // a probe
	}
	waiting, err := st.read.Errands(h.Host, most)
	st.fail(err, "read errands of %s", h.Host)
	if len(waiting) == 0 && len(st.errands) == 0 && st.err == nil {
		h.Errands = 0 // whatever made the count, nobody waits
	}
	size := 0
	for _, e := range waiting {
		if size += errandBytes(&e); size > crawler.MaxTaskBytes {
			break
		}
		e.Count = 1 // of the question; those who wait have their own
		errands = append(errands, e)
	}
	return errands
}

// errandBytes is what an errand costs in a task, at most.
func errandBytes(e *crawler.RobotsHop) int { return len(e.URL.String()) + len(e.For) + taskOverhead }

// errandAnswer takes over how an errand ended at its host.
func (st *Step) errandAnswer(at *crawler.HostState, t *credit.Turn, a crawler.RobotsAnswer) {
	for i, e := range t.Errands {
		if e != a.Hop {
			continue
		}
		if a.File.Fault != "" && st.unreached(at, t, e.URL.Scheme(), a.File.Fault, a.File.Detail) {
			return // it waits until its host is back, or given up
		}
		if a.File.Fault = ""; !a.Next.IsZero() {
			st.answered(at, e.URL.Scheme())
		} else {
			st.robotsAnswered(at, e.URL.Scheme(), &a.File)
		}
		t.Errands = append(t.Errands[:i:i], t.Errands[i+1:]...)
		answer := crawler.HopAnswer{URL: e.URL, File: a.File, Next: a.Next}
		switch {
		case !a.Next.IsZero():
			answer.File, answer.Until = crawler.RobotsFile{}, st.now.Add(st.s.job.Job.Robots.TTL)
		case a.File.Status == crawler.RobotsUnreachable:
			answer.Until = st.now.Add(st.s.job.Job.Robots.Backoff)
		default:
			answer.Until = st.now.Add(st.robotsTTL(&a.File))
		}
		st.handOut(at, &answer)
		return
	}
}

// handOn continues the answers of a host that not all were given.
func (st *Step) handOn(at *crawler.HostState) {
	answers, err := st.read.Handing(at.Host, maxHanding)
	st.fail(err, "read robots answers of %s", at.Host)
	if len(answers) == 0 && st.err == nil {
		at.Handing = 0
	}
	for i := range answers {
		if a := st.answerOf(answers[i].URL); a != nil && a.Handing {
			st.handOut(at, a)
		}
	}
}

// handOut gives an answer to those that wait for it, as many as one step takes, and notes whether there are more.
func (st *Step) handOut(at *crawler.HostState, a *crawler.HopAnswer) {
	room := maxHandOn - st.handed
	if n := len(a.File.Body); n > 0 {
		room = min(room, max(1, maxHandOnBytes/n)-st.handed)
	}
	waiting, err := st.read.Waiters(a.URL, max(0, room)+1+len(st.ended))
	if err != nil {
		st.fail(err, "read errands of %s", at.Host)
		return
	}
	waiting = st.currentWaiters(a.URL, waiting)
	before := st.answerOf(a.URL)
	was := before != nil && before.Handing
	fresh := *a
	fresh.Handing = len(waiting) > max(0, room)
	switch {
	case fresh.Handing && !was:
		at.Handing++
	case was && !fresh.Handing:
		at.Handing = max(0, at.Handing-1)
	}
	if st.answers == nil {
		st.answers = make(map[weburl.URLKey]*crawler.HopAnswer)
	}
	st.answers[a.URL.Key()] = &fresh
	for _, hop := range waiting[:min(len(waiting), max(0, room))] {
		st.handed++
		st.endErrand(at, hop)
		if hop.URL != a.URL {
			st.noErrand(hop, "redirected to a URL whose hash is that of another one")
			continue
		}
		st.giveAnswer(hop, &fresh)
	}
}

// currentWaiters are the stored waiters of a URL as this step has them.
func (st *Step) currentWaiters(u weburl.URL, stored []crawler.RobotsHop) (waiting []crawler.RobotsHop) {
	for _, hop := range stored {
		if _, edited := st.errands[keyOfErrand(&hop)]; !edited {
			waiting = append(waiting, hop)
		}
	}
	for k, hop := range st.errands {
		if k.url == u && hop != nil {
			waiting = append(waiting, *hop)
		}
	}
	return waiting
}

// giveAnswer takes an answer over for one that waited for it.
func (st *Step) giveAnswer(hop crawler.RobotsHop, a *crawler.HopAnswer) {
	if !a.Next.IsZero() {
		st.addErrand(st.host(hop.For), crawler.RobotsHop{Scheme: hop.Scheme, URL: a.Next, Count: hop.Count + 1})
		return
	}
	file := a.File
	file.Scheme = hop.Scheme
	if left := a.Until.Sub(st.now); left > 0 {
		file.TTL = left
	}
	st.robotsFile(hop.For, file)
}

// answerOf is the answer for a URL as this step has it, nil when there is none. It may be that of another URL with the same hash.
func (st *Step) answerOf(u weburl.URL) *crawler.HopAnswer {
	if a, edited := st.answers[u.Key()]; edited {
		return a
	}
	a, found, err := st.read.Answer(u)
	st.fail(err, "read robots answer of %s", u)
	if !found {
		return nil
	}
	return &a
}

// givenUpAnswer is what those get whose robots.txt leads to a host that was given up.
func (st *Step) givenUpAnswer(at *crawler.HostState, u weburl.URL) *crawler.HopAnswer {
	return &crawler.HopAnswer{URL: u, Until: st.now.Add(time.Nanosecond), File: crawler.RobotsFile{
		Status: crawler.RobotsUnreachable, Detail: "redirected to " + string(at.Host) + ", which was given up",
	}}
}

// failErrands ends the errands of a host that was given up.
func (st *Step) failErrands(h *crawler.HostState) {
	if h.Errands == 0 {
		return
	}
	waiting, err := st.read.Errands(h.Host, maxHanding)
	st.fail(err, "read errands of %s", h.Host)
	if len(waiting) == 0 && len(st.errands) == 0 && st.err == nil {
		h.Errands = 0
	}
	for i := range waiting {
		st.handOut(h, st.givenUpAnswer(h, waiting[i].URL))
	}
}

// sealErrands completes the changes from the errands' edits.
func (st *Step) sealErrands() {
	c := &st.changes
	c.EndErrands = append(c.EndErrands, st.ended...)
	for _, hop := range st.errands {
		if hop != nil {
			c.Errands = append(c.Errands, *hop)
		}
	}
	for _, a := range st.answers {
		c.Answers = append(c.Answers, *a)
	}
}
