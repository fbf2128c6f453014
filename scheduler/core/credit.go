package core

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
)

// countEvery is how often the queue is asked how many messages it holds.
const countEvery = 10 * time.Second

// credit is how many turns may be made now.
func (st *Step) credit() int {
	s := st.s
	if s.stopping || s.job.Paused || s.over() || s.quietFor(st.now) > 0 || s.streamFull {
		return 0
	}
	if s.job.Job.Room(&st.tallies) <= 0 {
		return 0
	}
	return max(0, s.mostTurns()-st.turnsInForce())
}

func (st *Step) turnsInForce() int {
	n := st.s.turns.Len()
	for h, t := range st.turns {
		switch before := st.s.turns.Get(h) != nil; {
		case t == nil && before:
			n--
		case t != nil && !before:
			n++
		}
	}
	return n
}

// slots are those of the fetchers that may be lent out.
func (s *state) slots() int { return s.fetchers.Slots(s.job.Job.Workers) }

// listen finds the fetchers that are mute.
func (st *Step) listen() {
	s := st.s
	if mute := s.fetchers.Listen(st.now, s.turns); len(mute) > 0 {
		st.say(slog.LevelWarn, "these fetchers are there and never asked for the turns that wait; they get none until they do: can they reach the queue?",
			"fetchers", strings.Join(mute, " "))
	}
}

// Overdue reports whether offered turns are to be published again that the task queue may have lost.
func (c *Core) Overdue(now time.Time) bool {
	if now.Sub(c.state.counted) < countEvery {
		return false
	}
	_, overdue := c.state.turns.Overdue(now)
	return len(overdue) > 0
}

// republish publishes offered turns again that nobody asked for, unchanged, and only as many as the queue does not hold: with each
// time it takes longer until the next. Those that are too many for one step come with the next ticks.
func (st *Step) republish(queued *int) {
	if st.now.Sub(st.s.counted) < countEvery {
		return
	}
	offered, overdue := st.s.turns.Overdue(st.now)
	if len(overdue) == 0 {
		return
	}
	missing := 0
	if queued != nil {
		missing = min(offered-*queued, len(overdue))
	}
	slices.SortFunc(overdue, func(a, b *credit.Turn) int { return a.Published.Compare(b.Published) })
	for _, t := range overdue[:max(0, missing)] {
		if len(st.tasks) >= maxOffers || st.full() {
			return
		}
		if st.turn(t.Host) != t { // this step has changed it
			continue
		}
		st.remakeTask(t)
		t.Published = st.now
		t.Tries++
		st.publish(t)
	}
	st.s.counted = st.now
}

// remakeTask makes the message of a turn again that was offered in an earlier step.
func (st *Step) remakeTask(t *credit.Turn) {
	keys := make([]weburl.URLKey, len(t.URLs))
	for i, u := range t.URLs {
		keys[i] = weburl.URLKey{Host: t.Host.Key(), URL: u}
	}
	rows := st.load(weburl.Sorted(keys))
	t.Task = crawler.Task{Turn: t.ID, Host: t.Host, Errands: t.Errands}
	for _, k := range keys {
		if r := rows[k]; r != nil {
			t.Task.URLs = append(t.Task.URLs, taskURL(r))
		}
	}
}
