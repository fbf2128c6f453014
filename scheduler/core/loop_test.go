package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/memory"
	"trawl/scheduler/schedulertest"
)

func TestHowManyTurnsMayBeMade(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(d *desk)
		want   int
	}{
		"as many as there are slots":            {nil, 5},
		"none without fetchers":                 {func(d *desk) { d.s.SetFetchers(nil) }, 0},
		"none while stopping":                   {func(d *desk) { d.s.core.state.stopping = true }, 0},
		"none while paused":                     {func(d *desk) { d.s.core.state.job.Paused = true }, 0},
		"none when it is over":                  {func(d *desk) { d.s.core.state.decided = true }, 0},
		"none in the quiet after a restore":     {func(d *desk) { d.s.core.state.quiet = d.s.clock.now().Add(1 - time.Second) }, 0},
		"as ever after it":                      {func(d *desk) { d.s.core.state.quiet = d.s.clock.now().Add(-time.Second) }, 5},
		"none while rows are not taken":         {func(d *desk) { d.s.core.state.streamFull = true }, 0},
		"as ever while they are":                {func(d *desk) { d.s.core.state.streamFull = false }, 5},
		"none beyond the pages of the job":      {func(d *desk) { d.s.core.state.job.Job.MaxPages = 3; d.s.core.state.tallies.Counts[crawler.Fetched] = 3 }, 0},
		"as ever for the last page":             {func(d *desk) { d.s.core.state.job.Job.MaxPages = 3; d.s.core.state.tallies.Counts[crawler.Fetched] = 2 }, 5},
		"less what is in force":                 {func(d *desk) { d.s.core.state.turns.Put(turnOf("a.test")); d.s.core.state.turns.Put(turnOf("b.test")) }, 3},
		"none when more are":                    {func(d *desk) { d.s.core.state.turns.Put(turnOf("a.test")); d.s.SetFetchers(nil) }, 0},
		"one while careful":                     {func(d *desk) { d.s.core.state.job.Careful = 1 }, 1},
		"none while careful without fetchers":   {func(d *desk) { d.s.core.state.job.Careful = 1; d.s.SetFetchers(nil) }, 0},
		"no more for each than the job says":    {func(d *desk) { d.s.core.state.job.Job.Workers = 1 }, 2},
		"no more for each than it has":          {func(d *desk) { d.s.core.state.job.Job.Workers = 3 }, 5},
		"none for those that never ask":         {func(d *desk) { d.listen("") }, 0},
		"as many for one that does":             {func(d *desk) { d.listen("f") }, 2},
		"less one that the step makes":          {func(d *desk) { d.s.core.state.turns.Put(turnOf("a.test")) }, 4},
		"as many when the step ends one of two": {func(d *desk) { d.s.core.state.turns.Put(turnOf("end.test")) }, 5},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
			d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 3}, {Name: "g", Slots: 2}})
			if tt.change != nil {
				tt.change(d)
			}
			st := d.s.newStep()
			st.turns["end.test"] = nil // of a host that has none, or ends
			if got := st.credit(); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
			st.turns["new.test"], st.turns["a.test"] = turnOf("new.test"), turnOf("a.test")
			want := 2
			for h := range d.s.core.state.turns.All() {
				if h != "end.test" && h != "a.test" {
					want++
				}
			}
			if now := st.turnsInForce(); now != want {
				t.Errorf("%d turns became %d, want %d", d.s.core.state.turns.Len(), now, want)
			}
		})
	}
}

func TestHowLongTheLoopMaySleep(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(d *desk)
		want   time.Duration
	}{
		"until the next host is due":           {nil, 3 * time.Second},
		"not at all when one is":               {func(d *desk) { d.s.core.state.window.Set("b.test", d.s.clock.now().Add(-time.Hour), crawler.Rank{}) }, 0},
		"long while stopping":                  {func(d *desk) { d.s.core.state.stopping = true }, time.Hour},
		"long while paused":                    {func(d *desk) { d.s.core.state.job.Paused = true }, time.Hour},
		"long without slots":                   {func(d *desk) { d.s.SetFetchers(nil) }, time.Hour},
		"long when all slots have turns":       {func(d *desk) { d.s.core.state.turns.Put(turnOf("x.test")); d.s.core.state.turns.Put(turnOf("y.test")) }, time.Hour},
		"as ever when one slot has none":       {func(d *desk) { d.s.core.state.turns.Put(turnOf("x.test")) }, 3 * time.Second},
		"long while the queue is full":         {func(d *desk) { d.s.core.state.unsent = maxUnsent }, time.Hour},
		"as ever while it is not quite":        {func(d *desk) { d.s.core.state.unsent = maxUnsent - 1 }, 3 * time.Second},
		"long while rows are not taken":        {func(d *desk) { d.s.core.state.streamFull = true }, time.Hour},
		"long when no page is left":            {func(d *desk) { d.s.core.state.job.Job.MaxPages = 1; d.s.core.state.tallies.Counts[crawler.Fetched] = 1 }, time.Hour},
		"as ever for the last page":            {func(d *desk) { d.s.core.state.job.Job.MaxPages = 1 }, 3 * time.Second},
		"not at all with work on the ledger":   {func(d *desk) { d.s.core.state.work.Recount = &crawler.RecountWork{} }, 0},
		"long with such work while stopping":   {func(d *desk) { d.s.core.state.work.Recount = &crawler.RecountWork{}; d.s.core.state.stopping = true }, time.Hour},
		"not at all when the ledger has more":  {func(d *desk) { d.s.core.state.window = memory.NewWindow(1) }, 0},
		"long when nothing is left":            {func(d *desk) { d.s.core.state.window.Remove("a.test") }, time.Hour},
		"to the end of the quiet of a restore": {func(d *desk) { d.s.core.state.quiet = d.s.clock.now().Add(9 * time.Second) }, 10 * time.Second},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
			d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 2}})
			d.s.core.state.window.Fill(nil, 1)
			d.s.core.state.window.Set("a.test", d.s.clock.now().Add(3*time.Second), crawler.Rank{})
			if tt.change != nil {
				tt.change(d)
			}
			d.s.core.state.fetchers.See(d.s.fetchers)
			if got := d.s.core.UntilDue(d.s.clock.now()); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// asked is a queue that says how many messages it holds, and counts how often it was asked.
type asked struct {
	*schedulertest.Queues
	holds, times int
	err          error
}

func (a *asked) Queued(context.Context) (int, error) { a.times++; return a.holds, a.err }

func TestTurnsArePublishedAgain(t *testing.T) {
	inBubble(t, "those that the queue does not hold, the oldest first, each time later", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://b.test/", "http://c.test/")
		q := &asked{Queues: d.q}
		d.s.o.Tasks = q
		begin := d.s.clock.now()
		published := func(after time.Duration) string {
			st := d.s.newStep()
			st.now = begin.Add(after)
			st.republish(d.s.queued(t.Context(), st.now))
			var hosts []string
			for _, one := range st.tasks {
				if hosts = append(hosts, string(one.Host[:1])); len(one.Task.URLs) != 1 || one.Task.Turn != one.ID || one.Task.Host != one.Host {
					t.Errorf("%+v", one.Task)
				}
				one.Task = crawler.Task{}
			}
			return strings.Join(hosts, "")
		}
		for h, at := range map[weburl.Host]time.Duration{"a.test": 2, "b.test": 1, "c.test": 3} {
			d.s.core.state.turns.Get(h).Published = begin.Add(at)
		}
		minute := credit.RepublishAfter
		for n, tt := range []struct {
			after time.Duration
			holds int
			err   error
			want  string
			times int
		}{
			{minute, 0, nil, "", 0},                          // none is overdue
			{minute + 3, 0, errors.New("no"), "", 1},         // it does not answer
			{minute + 3 + countEvery - 1, 0, nil, "", 1},     // and is not asked so soon again
			{minute + 3 + countEvery, 3, nil, "", 2},         // it holds all
			{minute + 3 + 2*countEvery, 2, nil, "b", 3},      // all but one: the oldest is gone, most likely
			{minute + 3 + 3*countEvery, 9, nil, "", 4},       // more than that
			{minute + 3 + 4*countEvery, 0, nil, "ac", 5},     // the first has time
			{2*minute + 3 + 5*countEvery, 0, nil, "", 5},     // twice as long now
			{3*minute + 3 + 2*countEvery - 1, 0, nil, "", 5}, //
			{3*minute + 3 + 2*countEvery, 0, nil, "b", 6},    //
			{3*minute + 3 + 4*countEvery, 0, nil, "ac", 7},   //
			{100 * minute, 0, nil, "abc", 8},                 //
			{100*minute + 16*minute - 1, 0, nil, "", 8},      // never longer than this
			{100*minute + 16*minute, 0, nil, "abc", 9},       // in whatever order
		} {
			q.holds, q.err = tt.holds, tt.err
			if n >= 12 {
				for _, one := range d.s.core.state.turns.All() {
					one.Tries = max(one.Tries, 40)
				}
			}
			got := published(tt.after)
			if len(tt.want) > 1 { // at one time
				got = strings.Join(slices.Sorted(strings.SplitSeq(got, "")), "")
			}
			if got != tt.want || q.times != tt.times {
				t.Errorf("%d: %q, asked %d times; want %q and %d", n, got, q.times, tt.want, tt.times)
			}
		}
		d.s.core.state.unsent = maxUnsent
		if got := published(1000 * minute); got != "" {
			t.Errorf("to a queue that is full: %q", got)
		}
		d.s.core.state.unsent = 0
		if got := published(1000 * minute); len(got) != 3 {
			t.Errorf("when it is not, at once: %q", got)
		}
		held := d.s.core.state.turns.Get("a.test").Copy()
		held.Held = true
		d.s.core.state.turns.Put(held)
		if got := published(5000 * minute); strings.Contains(got, "a") || len(got) != 2 {
			t.Errorf("with one that is held: %q", got)
		}
	})
}

func TestEffectsOfAStep(t *testing.T) {
	inBubble(t, "tasks once, and what of the result log is settled", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		st := d.s.newStep()
		one := &credit.Turn{Task: crawler.Task{Host: "a.test"}}
		st.tasks, st.taskBytes, st.changes.Position = []*credit.Turn{one}, 77, 5
		if e := d.s.core.Committed(st); len(e.Tasks) != 1 || e.Tasks[0].Host != "a.test" || d.s.core.state.unsent != 77 || e.Purge != 5 || one.Task.Host != "" {
			t.Errorf("%+v, left %+v", e, one.Task)
		}
	})
	inBubble(t, "a part that cannot be read is counted and passed over", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.step(gathered{parts: []crawler.LoggedPart{{Position: 1, Err: errors.New("garbled")}, {Position: 2, Err: errors.New("garbled")}}})
		if d.led.State.Tallies.LateParts != 2 || d.led.State.Position != 2 || d.s.core.state.position != 2 {
			t.Errorf("%d late parts, position %d", d.led.State.Tallies.LateParts, d.led.State.Position)
		}
	})
}

// turnOf is an offered turn without URLs.
func turnOf(h weburl.Host) *credit.Turn { return &credit.Turn{TurnState: crawler.TurnState{Host: h}} }

// listen lets fetchers be there for a minute while a turn is offered that nobody asked for, but for one that did.
func (d *desk) listen(asked string) {
	s, now := d.s.core.state, d.s.clock.now()
	s.turns.Put(turnOf("a.test"))
	s.fetchers.See(d.s.fetchers)
	s.fetchers.Listen(now.Add(-credit.MuteAfter), s.turns)
	if asked != "" {
		s.fetchers.Heard(asked, now)
	}
	s.fetchers.Listen(now, s.turns)
}

func TestTheLogNamesFetchersThatNeverAsk(t *testing.T) {
	inBubble(t, "once", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 3}, {Name: "g", Slots: 2}})
		s := d.s.core.state
		s.turns.Put(turnOf("a.test"))
		s.fetchers.See(d.s.fetchers)
		s.fetchers.Listen(d.s.clock.now().Add(-credit.MuteAfter), s.turns)
		st := d.s.newStep()
		st.listen()
		st.listen()
		if log := st.effects.Log; len(log) != 1 || fmt.Sprint(log[0].Args) != "[fetchers f g]" {
			t.Errorf("%+v", log)
		}
	})
}
