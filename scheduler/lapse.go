package scheduler

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// lapse takes the right to a turn back: its holder was not heard of for lease and grace, and every part
// that was stored by then is settled. Its URLs wait again.
func (st *step) lapse(name weburl.Host) {
	t := st.editTurn(name)
	if t == nil {
		return
	}
	h := st.host(name)
	keys := make([]weburl.URLKey, 0, len(t.URLs))
	for _, u := range t.URLs {
		keys = append(keys, weburl.URLKey{Host: name.Key(), URL: u})
	}
	rows := st.load(sorted(keys))
	if st.err != nil {
		return
	}
	st.endTurn(h, t)
	st.note("lapse", t)
	st.tallies.Lapses++
	st.lapsed = true
	st.holdBack(h, st.now.Add(h.DelayInForce(&st.s.job.Job)))
	for _, k := range keys {
		row := rows[k]
		if row == nil || row.Outcome != crawler.Waiting {
			continue
		}
		if t.own && !(st.s.endCounts && len(keys) == 1) {
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

// spare gives held turns a lease anew, as a start does, when the loop has not looked for longer than holders wait between two
// questions: the process stood still, or its disk did. Then nobody could be heard, and what they found meanwhile would be
// fetched again. A turn is spared once until its holder is heard, so that a loop that is always slow takes
// the turns of the dead back, too.
func (s *state) spare(now time.Time) {
	late := !s.looked.IsZero() && now.Sub(s.looked) > s.job.Job.Renew
	s.looked = now
	if !late {
		return
	}
	for _, t := range s.turns {
		if t.Held && !t.spared {
			t.until, t.lapsing, t.spared = maxTime(now.Add(s.job.Job.Lease), t.floor), false, true
		}
	}
}

// recover gives the turns in force at a start their time: held ones a new lease, so that a fetcher that is at
// work goes on; those held by this process itself, which died, lapse at once; offered ones are published again.
func (s *state) recover(turns []crawler.TurnState, now time.Time, local string) {
	for _, ts := range turns {
		t := &turn{TurnState: ts, offered: now}
		if ts.Held {
			t.floor = s.job.RightsTo.Add(-s.job.Job.Grace)
			t.until = maxTime(now.Add(s.job.Job.Lease), t.floor)
			if ts.Fetcher == local {
				t.own = true
				t.until = now.Add(-s.job.Job.Grace - time.Nanosecond)
			}
		}
		s.turns[ts.Host] = t
	}
}

// takeBackOversized ends offered turns that an older trawl stored with more errands than a task message takes: nobody could ever
// ask for them. Errands and URLs wait again.
func (s *Scheduler) takeBackOversized(ctx context.Context) error {
	for name, t := range s.state.turns {
		if t.Held || len(t.Errands) <= crawler.MaxTurnErrands {
			continue
		}
		st := s.newStep()
		st.endTurn(st.host(name), st.editTurn(name))
		if err := s.seal(st); err != nil {
			return fmt.Errorf("end a turn that no message can carry: %w", err)
		}
		s.log.Warn("a turn had more errands than a message takes, and was taken back", "host", name, "errands", len(t.Errands))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
