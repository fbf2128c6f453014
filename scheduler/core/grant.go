package core

import (
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// grant answers an ask. The right is given when the turn is offered, and renewed when the asker holds it:
// then nothing is written, as a start renews every held turn anyway. A job that is stopping gives no right anew: its
// offered turns stay offered until the next start.
func (st *Step) grant(a *crawler.Ask) crawler.Answer {
	st.s.fetchers.Heard(a.Fetcher, st.s.looked)
	refused := crawler.Answer{Verdict: crawler.Refused, Life: st.s.ledger}
	if st.s.over() {
		refused.Verdict = crawler.Over
	}
	t := st.turn(a.Host)
	if t == nil || t.ID != a.Turn || (t.Held && t.Holder != a.Holder) || (!t.Held && st.s.stopping) {
		return refused
	}
	if t.Held {
		st.s.turns.Renew(t, crawler.MaxTime(st.now.Add(st.s.job.Job.Lease), t.Floor)) // an answer that tells a shorter one may be lost
		st.note("renew", t)
	} else {
		t = st.editTurn(a.Host)
		t.Held, t.Holder, t.Fetcher, t.Task = true, a.Holder, a.Fetcher, crawler.Task{}
		t.Granted, t.Until = st.now, st.now.Add(st.s.job.Job.Lease)
		st.host(a.Host).Asked = true
		st.note("grant", t)
	}
	answer := st.answer(st.turn(a.Host), a.Renewal)
	st.topUp(a, &answer)
	return answer
}

func (st *Step) answer(t *credit.Turn, renewal bool) crawler.Answer {
	job := &st.s.job.Job
	h, settings := st.peekHost(t.Host), job.For(t.Host)
	a := crawler.Answer{
		Verdict: crawler.Granted, Life: st.s.ledger,
		Lease: job.Lease, Wait: max(0, h.Next.Sub(st.now)),
		Delay: h.DelayInForce(job), Penalty: h.Penalty, Connections: settings.PerHost,
		Stop: st.s.stopping || st.s.job.Paused || job.LimitsOf(&st.tallies).Has(crawler.LimitBytes) || h.Gone() && !t.Probe, Settled: t.Part, ScopeEpoch: st.s.epoch,
	}
	if t.Probe {
		a.Connections = 1
	}
	if renewal {
		return a
	}
	st.secrets(h, &a)
	if st.now.Before(h.AddressesTo) {
		a.Addresses = h.Addresses
	}
	if !settings.IgnoreRobots {
		a.Robots = st.robotsInForce(t.Host)
	}
	return a
}

// peekHost reads a host without editing it.
func (st *Step) peekHost(name weburl.Host) *crawler.HostState {
	if e, ok := st.hosts[name]; ok {
		return e.new
	}
	if h := st.s.hosts.Get(name); h != nil {
		return h
	}
	h, found, err := st.read.Host(name)
	st.fail(err, "read host %s", name)
	if !found {
		h.Host = name
	}
	return &h
}

// robotsOf are the host's files as this step has them, one for each scheme.
func (st *Step) robotsOf(name weburl.Host) []crawler.HostRobots {
	stored, err := st.read.Robots(name)
	st.fail(err, "read robots of %s", name)
	for _, c := range st.changes.Robots {
		if c.Host == name {
			stored = slices.DeleteFunc(stored, func(r crawler.HostRobots) bool { return r.Scheme == c.File.Scheme })
			stored = append(stored, c.File)
		}
	}
	return stored
}

// robotsInForce are the host's files that may still be used, with the time that they may.
func (st *Step) robotsInForce(name weburl.Host) []crawler.RobotsFile {
	var inForce []crawler.RobotsFile
	for _, r := range st.robotsOf(name) {
		decides := r.Status == crawler.RobotsRules || r.Status == crawler.RobotsUnavailable || r.Status == crawler.RobotsUnreachable
		if !decides || !st.now.Before(r.Expires) {
			continue
		}
		f := r.RobotsFile
		f.TTL = r.Expires.Sub(st.now)
		inForce = append(inForce, f)
	}
	return inForce
}
