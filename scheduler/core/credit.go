package core

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

const (
	// republishAfter: an offered turn that nobody asked for is published again, if the queue has lost it.
	republishAfter = 60 * time.Second
	// muteAfter: a fetcher that was there for so long, while turns were offered that nobody asked for, and never asked itself, is
	// mute: its slots are no credit until it asks.
	muteAfter = 60 * time.Second
	// mostRepublish is how often the time after which a turn is published again is doubled: up to 16 minutes.
	mostRepublish = 4
	// countEvery is how often the queue is asked how many messages it holds.
	countEvery = 10 * time.Second
)

// member is what is known of a fetcher that the gossip names.
type member struct {
	since time.Time
	asked bool // since it was named
	mute  bool
}

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
	n := len(st.s.turns)
	for h, t := range st.turns {
		switch _, before := st.s.turns[h]; {
		case t == nil && before:
			n--
		case t != nil && !before:
			n++
		}
	}
	return n
}

// slots are those of the fetchers but for the mute.
func (s *state) slots() int {
	n := 0
	for _, one := range s.fetchers {
		if m := s.members[one.Name]; m != nil && m.mute {
			continue
		}
		if most := s.job.Job.Workers; most > 0 {
			one.Slots = min(one.Slots, most)
		}
		n += one.Slots
	}
	return n
}

// heard notes that a fetcher asked. One that the gossip does not name may be any of them.
func (s *state) heard(fetcher string) {
	if m := s.members[fetcher]; m != nil {
		m.asked, m.mute = true, false
		return
	}
	for _, m := range s.members {
		m.mute, m.since = false, s.looked
	}
}

// listen finds the fetchers that are mute. One that other fetchers leave nothing to ask for is not: turns that wait are.
func (st *Step) listen() {
	s := st.s
	members := make(map[string]*member)
	var names []string
	for _, one := range s.fetchers {
		m := s.members[one.Name]
		if m == nil {
			m = &member{since: st.now}
		}
		members[one.Name] = m
		if !m.asked && !m.mute && st.now.Sub(m.since) >= muteAfter {
			names = append(names, one.Name)
		}
	}
	s.members = members
	if len(names) == 0 || !s.passedBy(st.now) {
		return
	}
	for _, name := range names {
		members[name].mute = true
	}
	st.say(slog.LevelWarn, "these fetchers are there and never asked for the turns that wait; they get none until they do: can they reach the queue?",
		"fetchers", strings.Join(names, " "))
}

// passedBy reports whether a turn is offered that nobody asked for in muteAfter.
func (s *state) passedBy(now time.Time) bool {
	for _, t := range s.turns {
		if !t.Held && now.Sub(t.offered) >= muteAfter {
			return true
		}
	}
	return false
}

// muteWord says for people which fetchers are mute.
func (s *state) muteWord() string {
	var names []string
	for name, m := range s.members {
		if m.mute {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf("%s never asked for one: the queue may not be reachable from there", strings.Join(names[:min(len(names), 3)], ", "))
}

// Overdue reports whether offered turns are to be published again that the task queue may have lost.
func (c *Core) Overdue(now time.Time) bool {
	_, overdue := c.state.overdue(now)
	return len(overdue) > 0 && now.Sub(c.state.counted) >= countEvery
}

// overdue lists the offered turns that nobody asked for in time, and counts those that waited for the shortest such time.
func (s *state) overdue(now time.Time) (offered int, overdue []*turn) {
	for _, t := range s.turns {
		waited := now.Sub(t.published)
		if t.Held || waited < republishAfter {
			continue
		}
		offered++
		if waited >= republishAfter<<min(t.tries, mostRepublish) {
			overdue = append(overdue, t)
		}
	}
	return offered, overdue
}

// republish publishes offered turns again that nobody asked for, unchanged, and only as many as the queue does not hold: with each
// time it takes longer until the next. Those that are too many for one step come with the next ticks.
func (st *Step) republish(queued *int) {
	offered, overdue := st.s.overdue(st.now)
	if len(overdue) == 0 || st.now.Sub(st.s.counted) < countEvery {
		return
	}
	missing := 0
	if queued != nil {
		missing = min(offered-*queued, len(overdue))
	}
	slices.SortFunc(overdue, func(a, b *turn) int { return a.published.Compare(b.published) })
	for _, t := range overdue[:max(0, missing)] {
		if len(st.tasks) >= maxOffers || st.full() {
			return
		}
		if st.turn(t.Host) != t { // this step has changed it
			continue
		}
		st.remakeTask(t)
		t.published = st.now
		t.tries++
		st.publish(t)
	}
	st.s.counted = st.now
}

// remakeTask makes the message of a turn again that was offered in an earlier step.
func (st *Step) remakeTask(t *turn) {
	keys := make([]weburl.URLKey, len(t.URLs))
	for i, u := range t.URLs {
		keys[i] = weburl.URLKey{Host: t.Host.Key(), URL: u}
	}
	rows := st.load(weburl.Sorted(keys))
	t.task = crawler.Task{Turn: t.ID, Host: t.Host, Errands: t.Errands}
	for _, k := range keys {
		if r := rows[k]; r != nil {
			t.task.URLs = append(t.task.URLs, taskURL(r))
		}
	}
}
