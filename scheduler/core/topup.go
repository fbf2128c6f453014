package core

import (
	"trawl/crawler"
	"trawl/scheduler/credit"
)

// topUp adds further URLs of the host to a held turn, where its holder asked for more and it is fair: so a host that nobody else has
// to make way for needs no round trip through the task queue, and its connections stay. They are leased by the step whose commit lets
// the answer leave, as those of an offer are; should the answer be lost they wait again at the end of the turn, or when it lapses.
func (st *Step) topUp(ask *crawler.Ask, a *crawler.Answer) {
	t, h := st.turn(ask.Host), st.peekHost(ask.Host)
	if a.Tops = !a.Stop && st.mayTopUp(h, t); !a.Tops {
		return
	}
	if ask.More && ask.Renewal {
		if before := st.s.turns.Get(ask.Host); before == nil || before.Part < ask.Part {
			a.Settled = min(a.Settled, ask.Part-1) // the queue that is read has nothing of that part yet
		} else {
			h = st.addURLs(ask, a)
		}
	}
	a.Rest = h.Ready() > 0
}

// addURLs leases what the turn may have beside what it has.
func (st *Step) addURLs(ask *crawler.Ask, a *crawler.Answer) *crawler.HostState {
	h := st.peekHost(ask.Host)
	if h.Ready()+h.Retry <= 0 || st.turnSize(h) <= 0 {
		return h
	}
	h = st.host(ask.Host)
	n := st.turnSize(h)
	t := st.editTurn(ask.Host)
	had := len(t.URLs)
	st.choose(h, t, n)
	st.lease(h, int64(len(t.URLs)-had))
	a.More, t.Task = t.Task.URLs, crawler.Task{}
	return h
}

// mayTopUp reports whether a turn may have further URLs. A turn ends with those it has when others wait for its slot or its host, when
// its fetcher has more turns than others that could take it, when it has been topped up for long, or when it was granted under other settings.
func (st *Step) mayTopUp(h *crawler.HostState, t *credit.Turn) bool {
	s := st.s
	switch {
	case st.crowded, s.careful(), s.streamFull, s.over(), s.quietFor(st.now) > 0:
		return false
	case t.Granted.IsZero(), !t.Granted.After(s.changed), st.now.Sub(t.Granted) >= crawler.MaxTurnSpan:
		return false
	case t.Probe, t.Alone, len(t.Errands) > 0, s.fetchers.Overloaded(t.Fetcher, s.turns):
		return false
	}
	return h.Errands == 0 && !h.RobotsWait && h.Handing == 0 && h.GivenUp == "" && !h.Gone()
}

// waitsForSlot reports whether hosts are due that no slot is left for.
func (st *Step) waitsForSlot() bool {
	due, ok := st.s.window.Next()
	return ok && !due.After(st.now) && st.credit() == 0
}

// Ripe reports whether an ask may be answered now: one for more waits until the part that it names is committed, since what it found
// may be what is wanted.
func (c *Core) Ripe(a *crawler.Ask) bool {
	t := c.state.turns.Get(a.Host)
	return !a.More || t == nil || t.ID != a.Turn || t.Part >= a.Part
}
