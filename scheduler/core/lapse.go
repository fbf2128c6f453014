package core

import (
	"log/slog"
	"strconv"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// lapse takes the right to a turn back: its holder was not heard of for lease and grace, and every part
// that was stored by then is settled. Its URLs wait again.
func (st *Step) lapse(name weburl.Host) {
	t := st.editTurn(name)
	if t == nil {
		return
	}
	h := st.host(name)
	keys := make([]weburl.URLKey, 0, len(t.URLs))
	for _, u := range t.URLs {
		keys = append(keys, weburl.URLKey{Host: name.Key(), URL: u})
	}
	rows := st.load(weburl.Sorted(keys))
	if st.err != nil {
		return
	}
	st.endTurn(h, t)
	st.note("lapse", t)
	st.tallies.Lapses++
	st.effects.Lapsed = true
	st.holdBack(h, st.now.Add(h.DelayInForce(&st.s.job.Job)))
	for _, k := range keys {
		row := rows[k]
		if row == nil || row.Outcome != crawler.Waiting {
			continue
		}
		if t.Own && !(st.s.endCounts && len(keys) == 1) {
			continue // the process that held it ended, which is no fault of the URL
		}
		fresh := *row
		if fresh.Lapses++; fresh.Lapses >= 2*aloneLapses {
			fresh.Outcome, fresh.Reason, fresh.RetryAt = crawler.Failed, crawler.ReasonLost, time.Time{}
			fresh.Detail = "lost with its fetcher " + strconv.Itoa(fresh.Lapses) + " times"
		}
		st.put(row, &fresh, false)
	}
}

// spare gives held turns a new lease, as a start does, when the loop has not looked for longer than holders wait between two
// questions: the process stood still, or its disk did. Then nobody could be heard, and what they found meanwhile would be
// fetched again. A turn is spared once until its holder is heard, so that a loop that is always slow takes
// the turns of the dead back, too.
func (s *state) spare(now time.Time) {
	late := !s.looked.IsZero() && now.Sub(s.looked) > s.job.Job.Renew
	s.looked = now
	if late {
		s.turns.Spare(now.Add(s.job.Job.Lease))
	}
}

// recover gives the active turns at a start their time: held ones a new lease, so that a fetcher that is at
// work goes on; those held by this process itself, which died, lapse at once; offered ones are published again.
func (s *state) recover(turns []crawler.TurnState, now time.Time, local string) {
	for _, ts := range turns {
		t := &credit.Turn{TurnState: ts, Offered: now}
		if ts.Held {
			t.Floor = s.job.RightsTo.Add(-s.job.Job.Grace)
			t.Until = crawler.MaxTime(now.Add(s.job.Job.Lease), t.Floor)
			if ts.Fetcher == local {
				t.Own = true
				t.Until = now.Add(-s.job.Job.Grace - time.Nanosecond)
			}
		}
		s.turns.Put(t)
	}
}

// takeBackOversized ends offered turns that an older trawl stored with more errands than a task message takes: nobody could ever
// ask for them. Errands and URLs wait again.
func takeBackOversized(st *Step) (done bool) {
	return st.takeBack(func(t *credit.Turn) bool {
		if t.Held || len(t.Errands) <= crawler.MaxTurnErrands {
			return false
		}
		st.say(slog.LevelWarn, "a turn had more errands than a message takes, and was taken back", "host", t.Host, "errands", len(t.Errands))
		return true
	})
}

// takeBackBatch is how many turns are taken back in one step.
const takeBackBatch = 1000

// takeBack ends turns, and reports whether none is left.
func (st *Step) takeBack(which func(*credit.Turn) bool) (done bool) {
	n := 0
	for name, t := range st.s.turns.All() {
		if !which(t) {
			continue
		}
		if n++; n > takeBackBatch {
			return false
		}
		st.endTurn(st.host(name), st.editTurn(name))
	}
	return true
}

// Expired reports whether a turn is over, so that it lapses once what was stored by now is settled.
func (c *Core) Expired(now time.Time) bool { return len(c.state.expired(now)) > 0 }

// expired lists the turns whose lease and grace are over.
func (s *state) expired(now time.Time) []*credit.Turn { return s.turns.Over(now.Add(-s.job.Job.Grace)) }

// lapseExpired takes turns back that are over, once what was stored by then is settled. last is the newest part that was stored, nil when
// that is not known: no turn lapses meanwhile.
func (st *Step) lapseExpired(last *uint64) {
	if last == nil {
		return
	}
	settled := max(st.s.position, st.changes.Position)
	for _, t := range st.s.expired(st.now) {
		if !t.Lapsing {
			t.Lapsing, t.LapseAt = true, *last
		}
		if current := st.turn(t.Host); t.LapseAt <= settled && current != nil && current.ID == t.ID && current.Held {
			st.say(slog.LevelInfo, "turn lapsed", "host", t.Host, "fetcher", t.Fetcher, "urls", len(current.URLs))
			st.lapse(t.Host)
		}
	}
}
