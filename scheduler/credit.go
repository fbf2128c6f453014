package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
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
func (s *Scheduler) credit(st *step) int {
	job := &st.s.job.Job
	if st.s.stopping || st.s.job.Paused || st.s.over() || st.s.quietFor(st.now) > 0 || s.streamFull() {
		return 0
	}
	if job.Room(&st.tallies) <= 0 {
		return 0
	}
	return max(0, s.mostTurns()-st.turnsInForce())
}

// slots are those of the fetchers but for the mute.
func (s *Scheduler) slots() int {
	n := 0
	if f := s.fetchers.Load(); f != nil {
		for _, one := range *f {
			if m := s.state.members[one.Name]; m != nil && m.mute {
				continue
			}
			if most := s.state.job.Job.Workers; most > 0 {
				one.Slots = min(one.Slots, most)
			}
			n += one.Slots
		}
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
func (s *Scheduler) listen(now time.Time) {
	members := make(map[string]*member)
	var names []string
	if f := s.fetchers.Load(); f != nil {
		for _, one := range *f {
			m := s.state.members[one.Name]
			if m == nil {
				m = &member{since: now}
			}
			members[one.Name] = m
			if !m.asked && !m.mute && now.Sub(m.since) >= muteAfter {
				names = append(names, one.Name)
			}
		}
	}
	s.state.members = members
	if len(names) == 0 || !s.state.passedBy(now) {
		return
	}
	for _, name := range names {
		members[name].mute = true
	}
	s.log.Warn("these fetchers are there and never asked for the turns that wait; they get none until they do: can they reach the queue?",
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

// republish publishes offered turns again that nobody asked for, unchanged, and only as many as the queue does not hold: with each
// time it takes longer until the next. Those that are too many for one step come with the next ticks.
func (s *Scheduler) republish(ctx context.Context, st *step) {
	var overdue []*turn
	offered := 0
	for h, t := range s.state.turns {
		if t.Held || st.turn(h) != t || st.now.Sub(t.published) < republishAfter {
			continue
		}
		offered++
		if st.now.Sub(t.published) >= republishAfter<<min(t.tries, mostRepublish) {
			overdue = append(overdue, t)
		}
	}
	if len(overdue) == 0 || st.now.Sub(s.state.counted) < countEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	queued, err := s.o.Tasks.Queued(ctx)
	if err != nil {
		s.log.Warn("the task queue does not answer; no turn is published again meanwhile", "error", err)
		s.state.counted = st.now
		return
	}
	missing := min(offered-queued, len(overdue))
	slices.SortFunc(overdue, func(a, b *turn) int { return a.published.Compare(b.published) })
	for i, t := range overdue {
		if i >= missing {
			s.state.counted = st.now
			return
		}
		if len(st.tasks) >= maxOffers || st.full() {
			return
		}
		st.remakeTask(t)
		t.published = st.now
		t.tries++
		st.publish(t)
	}
	s.state.counted = st.now
}
